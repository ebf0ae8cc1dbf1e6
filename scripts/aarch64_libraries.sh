#!/usr/bin/env bash
# Fetches Debian's 64-bit Arm libraries for the preset aarch64-program into build/aarch64-libraries, beside this machine's own packages: nothing
# is installed, root is not needed.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
  libonnx-dev libonnx1 libprotobuf-dev libprotobuf32 libspdlog-dev libspdlog1.10 libfmt-dev libfmt9
  libjpeg62-turbo-dev libjpeg62-turbo libpng-dev libpng16-16 libwebp-dev libwebp7 zlib1g-dev zlib1g
)
folder=$PWD/build/aarch64-libraries
[ ! -e "$folder/complete" ] || { echo "aarch64: the libraries are there"; exit 0; }
rm -rf "$folder"
mkdir -p "$folder/apt/state/lists/partial" "$folder/apt/cache/archives/partial"
apt=(apt-get -qq -o "Dir::State=$folder/apt/state" -o "Dir::Cache=$folder/apt/cache" -o Dir::State::status=/dev/null
     -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o APT::Sandbox::User=)
"${apt[@]}" update
(cd "$folder/apt" && "${apt[@]}" download "${packages[@]/%/:arm64}")
for package in "$folder"/apt/*.deb; do dpkg -x "$package" "$folder"; done

# As one folder of libraries and one of headers, with links that stay inside.
libraries=$folder/usr/lib/aarch64-linux-gnu
cp -a "$folder"/lib/aarch64-linux-gnu/. "$libraries"
cp -a "$folder"/usr/include/aarch64-linux-gnu/. "$folder/usr/include"
ln -sf libz.so.1 "$libraries/libz.so"
rm -r "$folder/apt"
touch "$folder/complete"
echo "aarch64: libraries in build/aarch64-libraries"
