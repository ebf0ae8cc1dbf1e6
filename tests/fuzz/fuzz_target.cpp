#include "tests/fuzz/fuzz_target.h"

#include "core/error.h"
#include "core/memory_block.h"
#include "tests/support/temporary_folder.h"

namespace quantize::test {

#define FUZZ_TARGET(name) void fuzz_##name(std::span<const uint8_t> bytes);
#include "tests/fuzz/targets.def"
#undef FUZZ_TARGET

std::span<const FuzzTarget> fuzz_targets() {
  static constexpr FuzzTarget kTargets[] = {
#define FUZZ_TARGET(name) {#name, fuzz_##name},
#include "tests/fuzz/targets.def"
#undef FUZZ_TARGET
  };
  return kTargets;
}

void run_fuzz_target(const FuzzTarget& target, std::span<const uint8_t> bytes) {
  constexpr uint64_t kMostBytes = 512 << 20;  // libFuzzer calls it a fault above 1 GiB
  limit_blocks(kMostBytes);
  try {
    target.read(bytes);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kInternal) throw;
  }
}

std::string file_with(std::span<const uint8_t> bytes, const std::string& ending) {
  static const TemporaryFolder folder;
  const std::string path = folder.file("input" + ending);
  write_text(path, {bytes.begin(), bytes.end()});
  return path;
}

}  // namespace quantize::test
