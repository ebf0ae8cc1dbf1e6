// Overrides as JSON.
#include "cli/scheme_options.h"
#include "tests/fuzz/fuzz_target.h"

namespace quantize::test {

void fuzz_overrides(std::span<const uint8_t> bytes) {
  parse_overrides({bytes.begin(), bytes.end()});
}

}  // namespace quantize::test
