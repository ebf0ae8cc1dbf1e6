#!/usr/bin/env bash
# Installs Debian's packages. Safe to run twice; as root or with sudo.
#   setup.sh           to build and run the program: a compiler, CMake and ten libraries
#   setup.sh --tests   also for the tests: Catch2, Clang with its tools, an Arm compiler and an emulator
set -euo pipefail

program=(
  g++ cmake ninja-build python3                         # build
  libonnx-dev libprotobuf-dev libeigen3-dev libcli11-dev libspdlog-dev nlohmann-json3-dev
  libjpeg62-turbo-dev libpng-dev libwebp-dev zlib1g-dev # image and archive formats
)
tests=(
  catch2 python3-venv
  libopenmpi-dev openmpi-bin                            # quantize_mpi, which is not built without them
  g++-aarch64-linux-gnu qemu-user                       # the Arm kernels and their tests
  clang clang-format clang-tidy libomp-dev libclang-rt-14-dev binutils  # second compiler, its sanitizers, checks
)

case "${1:-}" in
  "") packages=("${program[@]}") ;;
  --tests) packages=("${program[@]}" "${tests[@]}") ;;
  *) echo "setup: '$1' is no option; there is --tests" >&2; exit 2 ;;
esac

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "setup: all packages are installed"
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "setup: run this as root, or install sudo; missing: ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
echo "setup: installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
echo "setup: done"
