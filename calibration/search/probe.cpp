// Decoding the images of a probe. Read make_probe().
#include "calibration/search/probe.h"

#include <algorithm>
#include <array>

#include "calibration/images/decode_image.h"
#include "core/error.h"
#include "core/ops/support/convert_tensor.h"
#include "core/parallel.h"

namespace quantize {
namespace {

/// Levels as they are, in RGB and [1, H, W, C].
Preprocess plain(Preprocess geometry, const ImageInput& input) {
  geometry.color = input.channels == 1 ? Color::kGray : Color::kRgb;
  geometry.scale = 1;
  geometry.mean.assign(static_cast<size_t>(input.channels), 0);
  geometry.std.assign(static_cast<size_t>(input.channels), 1);
  geometry.layout = Layout::kNhwc;
  return geometry;
}

bool has_own_size(const Image& image, const ImageInput& input) {
  return image.height == input.height && image.width == input.width;
}

struct Decoded {
  std::optional<Picture> picture;
  bool own_size = false;
  std::vector<Companion> companions = {};
  std::string reason = {};  // why there is no picture
};

/// Sets `own_size` to whether the image came in the input's size.
Picture decode(const Sample& sample, size_t part, const Preprocess& geometry, const ImageInput& input,
               bool& own_size) {
  const Image image = decode_image(sample.parts[part].bytes());
  Preprocess preprocess = plain(geometry, input);
  own_size = has_own_size(image, input);
  if (own_size) {
    preprocess.resize.mode = ResizeMode::kNone;
    preprocess.resize.size.reset();
    preprocess.crop.reset();
  }
  const Tensor tensor = preprocess_image(image, preprocess);
  Picture picture{sample.name, tensor.shape()[1], tensor.shape()[2], {}};
  picture.levels.assign(tensor.data<float>(), tensor.data<float>() + tensor.size());
  return picture;
}

std::vector<Companion> companions_of(const Sample& sample, const ProbeInputs& inputs) {
  if (inputs.images.empty()) return {};
  std::vector<Companion> companions(inputs.images.size());
  std::vector<Tensor> tensors = inputs.tensors(sample);
  for (size_t k = 0; k < companions.size(); ++k) {
    companions[k].tensor = std::move(tensors[k]);
    if (!inputs.images[k] || k == inputs.position) continue;
    const auto& [input, preprocess] = *inputs.images[k];
    bool ignored = false;
    companions[k].picture = decode(sample, k, preprocess, input, ignored);
    companions[k].input = input;
    companions[k].preprocess = preprocess;
  }
  return companions;
}

Decoded decode(const Sample& sample, const ProbeInputs& inputs) {
  try {
    Decoded decoded;
    decoded.picture = decode(sample, inputs.position, inputs.geometry, inputs.input, decoded.own_size);
    decoded.companions = companions_of(sample, inputs);
    return decoded;
  } catch (const Error& error) {  // the image is counted and named when it is loaded as a sample
    if (error.kind() == ErrorKind::kInterrupted) throw;
    return {.picture = {}, .reason = error.what()};
  }
}

}  // namespace

Probe make_probe(const std::vector<Sample>& samples, const ProbeInputs& inputs, int threads) {
  std::vector<Decoded> decoded(samples.size());
  parallel_for(samples.size(), threads, [&](size_t i, int) { decoded[i] = decode(samples[i], inputs); });
  Probe probe;
  probe.position = inputs.position;
  probe.dtype = inputs.input.dtype;
  probe.own_size = true;
  for (Decoded& each : decoded) {
    if (!each.picture) continue;
    probe.own_size = probe.own_size && each.own_size;
    probe.pictures.push_back(*std::move(each.picture));
    if (!each.companions.empty()) probe.companions.push_back(std::move(each.companions));
  }
  if (probe.pictures.empty()) {
    const std::string first = samples.empty() ? "" : ": " + samples[0].name + " (" + decoded[0].reason + ")";
    const std::string others =
        samples.size() < 2 ? "" : ", and so for " + std::to_string(samples.size() - 1) + " more";
    throw Error(ErrorKind::kCalibration, "no image can be used" + first + others);
  }
  return probe;
}

std::vector<Tensor> inputs_of(const Probe& probe, size_t i, const Preprocess& preprocess) {
  const auto tensor_of = [&](const Picture& picture, const Preprocess& own, DataType dtype) {
    Tensor tensor = input_of(picture, own);
    return tensor.dtype() == dtype ? tensor : converted(tensor, dtype);
  };
  const Tensor guessed = tensor_of(probe.pictures[i], preprocess, probe.dtype);
  if (probe.companions.empty()) return {guessed};
  std::vector<Tensor> inputs;
  for (size_t k = 0; k < probe.companions[i].size(); ++k) {
    const Companion& companion = probe.companions[i][k];
    if (k == probe.position) {
      inputs.push_back(guessed);
    } else if (companion.picture) {
      Preprocess own = companion.preprocess;
      if (own.channels() == preprocess.channels() && !companion.input.takes_pixels()) {
        own = preprocess;
        own.layout = companion.preprocess.layout;
      }
      inputs.push_back(tensor_of(*companion.picture, own, companion.input.dtype));
    } else {
      inputs.push_back(companion.tensor);
    }
  }
  return inputs;
}

Tensor input_of(const Picture& picture, const Preprocess& preprocess) {
  const auto channels = static_cast<size_t>(preprocess.channels());
  const size_t pixels = picture.levels.size() / channels;
  const bool planes = preprocess.layout == Layout::kNchw;
  const Shape shape = planes ? Shape{1, preprocess.channels(), picture.height, picture.width}
                             : Shape{1, picture.height, picture.width, preprocess.channels()};
  Tensor tensor(DataType::kF32, shape);
  float* const y = tensor.mutable_data<float>();
  for (size_t c = 0; c < channels; ++c) {
    std::array<float, 256> values{};
    for (size_t level = 0; level < values.size(); ++level)
      values[level] = static_cast<float>(
          (static_cast<double>(level) * preprocess.scale - preprocess.mean[c]) / preprocess.std[c]);
    const size_t source = preprocess.color == Color::kBgr ? channels - 1 - c : c;
    for (size_t i = 0; i < pixels; ++i)
      y[planes ? c * pixels + i : i * channels + c] = values[picture.levels[i * channels + source]];
  }
  return tensor;
}

}  // namespace quantize
