// A few images, decoded once, as they would be under each of several candidate preprocessings. Read Probe.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "calibration/images/preprocess.h"
#include "calibration/images/sample_source.h"

namespace quantize {

/// An image in the model's size, still with its 256 levels: RGB or grey, [H, W, channels].
struct Picture {
  std::string name;  // of the sample
  int64_t height = 0, width = 0;
  std::vector<uint8_t> levels;
};

/// The decoded images of a guess.
struct Probe {
  std::vector<Picture> pictures;  // that could be used, in the order of the list
  bool own_size = false;          // all of them came in the model's size
};

/// Decodes samples, each once. `geometry` says how they are resized where they are not of the model's size;
/// its colours and numbers do not count. Images that cannot be used are passed over.
/// Errors: Error(kCalibration) if none can be used, naming the first.
Probe make_probe(const std::vector<Sample>& samples, const Preprocess& geometry, const ImageInput& input,
                 int threads);

/// The tensor that a model gets of a picture: colours, scale, mean, std and layout of `preprocess`.
Tensor input_of(const Picture& picture, const Preprocess& preprocess);

}  // namespace quantize
