// The entry of libFuzzer: it runs the target that QUANTIZE_FUZZ_TARGET names. An exception ends the program, which is a
// finding.
#include <algorithm>
#include <string_view>

#include "tests/fuzz/fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace quantize::test;
  static const FuzzTarget& target =
      *std::ranges::find(fuzz_targets(), std::string_view(QUANTIZE_FUZZ_TARGET),
                         [](const FuzzTarget& t) { return std::string_view(t.name); });
  run_fuzz_target(target, {data, size});
  return 0;
}
