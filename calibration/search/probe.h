// A few images, decoded once, as they would be under each of several candidate preprocessings. Read Probe.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
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

/// A sample's part for an input beside the one whose preprocessing is to be found.
struct Companion {
  Tensor tensor;  // of an input that takes no images
  std::optional<Picture> picture;
  ImageInput input;  // of the picture
  Preprocess
      preprocess;  // of the picture: its layout, and its numbers where it has other channels or integers
};

/// The decoded images of a guess.
struct Probe {
  std::vector<Picture> pictures;    // that could be used, in the order of the list
  bool own_size = false;            // all of them came in the model's size
  size_t position = 0;              // of their input among the model's
  DataType dtype = DataType::kF32;  // that their input takes
  std::vector<std::vector<Companion>>
      companions;  // [picture][input], the one at `position` empty; or nothing
};

/// The inputs of a model for the decoding of a probe.
struct ProbeInputs {
  size_t position = 0;  // of the input whose preprocessing is to be found
  ImageInput input;
  Preprocess geometry;  // how images are resized where they are not of the model's size
  /// Per input of a model with several, the place of its images; nothing: tensors.
  std::vector<std::optional<std::pair<ImageInput, Preprocess>>> images = {};
  std::function<std::vector<Tensor>(const Sample&)> tensors = {};  // as load_tensors
};

/// Decodes samples, each once. Colours and numbers of the geometry do not count. Samples whose images cannot be
/// used are passed over. Errors: Error(kCalibration) if none can be used, naming the first.
Probe make_probe(const std::vector<Sample>& samples, const ProbeInputs& inputs, int threads);

/// The tensor that a model gets of a picture: colours, scale, mean, std and layout of `preprocess`.
Tensor input_of(const Picture& picture, const Preprocess& preprocess);

/// All inputs of the model for picture i: images of as many channels are preprocessed alike, but for those that
/// become integers.
std::vector<Tensor> inputs_of(const Probe& probe, size_t i, const Preprocess& preprocess);

}  // namespace quantize
