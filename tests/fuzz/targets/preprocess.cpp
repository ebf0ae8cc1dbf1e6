// Preprocessing as JSON: settings that are read, and fit some model, are applied to an image.
#include "calibration/images/preprocess_file.h"
#include "core/error.h"
#include "tests/fuzz/fuzz_target.h"

namespace quantize::test {

void fuzz_preprocess(std::span<const uint8_t> bytes) {
  const Preprocess preprocess = parse_preprocess({bytes.begin(), bytes.end()});
  Value input;
  input.name = "x";
  input.dtype = DataType::kF32;
  input.shape = Shape{kUnknownDim, preprocess.channels(), 6, 6};
  const Preprocess resolved = resolve(preprocess, image_input_of(input));
  if (to_json(parse_preprocess(to_json(resolved))) != to_json(resolved))
    throw Error(ErrorKind::kInternal, "preprocessing changes when it is written and read");
  preprocess_image(make_image(5, 7, 3), resolved);
}

}  // namespace quantize::test
