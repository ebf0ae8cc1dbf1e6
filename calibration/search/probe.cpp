// Decoding the images of a probe. Read make_probe().
#include "calibration/search/probe.h"

#include <algorithm>
#include <array>

#include "calibration/images/decode_image.h"
#include "core/error.h"
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
  std::string reason = {};  // why there is no picture
};

Decoded decode(const Sample& sample, const Preprocess& geometry, const ImageInput& input) {
  try {
    const Image image = decode_image(sample.parts[0].bytes());
    Preprocess preprocess = plain(geometry, input);
    Decoded decoded;
    decoded.own_size = has_own_size(image, input);
    if (decoded.own_size) {
      preprocess.resize.mode = ResizeMode::kNone;
      preprocess.resize.size.reset();
      preprocess.crop.reset();
    }
    const Tensor tensor = preprocess_image(image, preprocess);
    decoded.picture = Picture{sample.name, tensor.shape()[1], tensor.shape()[2], {}};
    decoded.picture->levels.assign(tensor.data<float>(), tensor.data<float>() + tensor.size());
    return decoded;
  } catch (const Error& error) {  // the image is counted and named when it is loaded as a sample
    if (error.kind() == ErrorKind::kInterrupted) throw;
    return {.picture = {}, .reason = error.what()};
  }
}

}  // namespace

Probe make_probe(const std::vector<Sample>& samples, const Preprocess& geometry, const ImageInput& input,
                 int threads) {
  std::vector<Decoded> decoded(samples.size());
  parallel_for(samples.size(), threads,
               [&](size_t i, int) { decoded[i] = decode(samples[i], geometry, input); });
  Probe probe;
  probe.own_size = true;
  for (Decoded& each : decoded) {
    if (!each.picture) continue;
    probe.own_size = probe.own_size && each.own_size;
    probe.pictures.push_back(*std::move(each.picture));
  }
  if (probe.pictures.empty()) {
    const std::string first = samples.empty() ? "" : ": " + samples[0].name + " (" + decoded[0].reason + ")";
    const std::string others =
        samples.size() < 2 ? "" : ", and so for " + std::to_string(samples.size() - 1) + " more";
    throw Error(ErrorKind::kCalibration, "no image can be used" + first + others);
  }
  return probe;
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
