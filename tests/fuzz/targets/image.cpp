// Images of every format that is read.
#include "calibration/images/decode_image.h"
#include "tests/fuzz/fuzz_target.h"

namespace quantize::test {

void fuzz_image(std::span<const uint8_t> bytes) {
  is_readable_image(bytes);
  decode_image(bytes);
}

}  // namespace quantize::test
