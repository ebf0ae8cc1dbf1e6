// One image through its preprocessing. Read fit_image(), then to_tensor().
#include <algorithm>
#include <cmath>

#include "calibration/images/preprocess.h"
#include "core/error.h"

namespace quantize {
namespace {

constexpr int64_t kMaxSide = 1 << 30;  // products of sides and positions stay far inside int64

/// Where the resized image lies on its canvas: all of it, unless it is a letterbox.
struct Placement {
  int64_t width, height;                // of the resized image
  int64_t canvas_width, canvas_height;  // of the whole
  int64_t left = 0, top = 0;            // of the image on the canvas
};

/// `side`, scaled as `from` becomes `to`, to the nearest pixel.
int64_t scaled(int64_t side, int64_t from, int64_t to) {
  const double exact = static_cast<double>(side) * static_cast<double>(to) / static_cast<double>(from);
  return std::max<int64_t>(static_cast<int64_t>(std::nearbyint(exact)), 1);
}

Placement place(int64_t width, int64_t height, const Preprocess::Resize& resize) {
  const ImageSize size = resize.size.value_or(ImageSize{height, width});
  int64_t to_width = size.width, to_height = size.height;
  switch (resize.mode) {
    case ResizeMode::kStretch:
    case ResizeMode::kNone:
      break;
    case ResizeMode::kShorterSide:
      to_width = width <= height ? size.width : scaled(width, height, size.height);
      to_height = width <= height ? scaled(height, width, size.width) : size.height;
      break;
    case ResizeMode::kHeight:
      to_width = scaled(width, height, size.height);
      break;
    case ResizeMode::kLetterbox: {
      const bool touches_sides = width * size.height >= height * size.width;
      if (touches_sides) {
        to_height = std::max<int64_t>(height * size.width / width, 1);
      } else {
        to_width = std::max<int64_t>(width * size.height / height, 1);
      }
      const bool centered = resize.anchor == Anchor::kCenter;
      return {to_width,
              to_height,
              size.width,
              size.height,
              centered ? (size.width - to_width) / 2 : 0,
              centered ? (size.height - to_height) / 2 : 0};
    }
  }
  return {to_width, to_height, to_width, to_height};
}

/// The real that each of the 256 levels becomes in one channel.
std::array<float, 256> normalized_levels(const Preprocess& preprocess, size_t channel) {
  std::array<float, 256> levels;
  const auto scale = static_cast<float>(preprocess.scale);
  const auto mean = static_cast<float>(preprocess.mean[channel]);
  const auto std = static_cast<float>(preprocess.std[channel]);
  for (size_t i = 0; i < levels.size(); ++i) levels[i] = (static_cast<float>(i) * scale - mean) / std;
  return levels;
}

/// Writes channel c of the tensor.
void write_channel(const FittedImage& fitted, const Preprocess& preprocess, int64_t c, float* tensor) {
  const auto& [image, left, top, size] = fitted;
  const auto levels = normalized_levels(preprocess, static_cast<size_t>(c));
  const float fill = levels[preprocess.resize.fill[static_cast<size_t>(c)]];
  const int64_t channels = preprocess.channels();
  const bool planar = preprocess.layout == Layout::kNchw;
  const int64_t step = planar ? 1 : channels;
  float* plane = tensor + (planar ? c * size.height * size.width : c);
  const int64_t source = image.channels == 1 ? 0 : preprocess.color == Color::kBgr ? 2 - c : c;
  for (int64_t y = 0; y < size.height; ++y) {
    float* row = plane + y * size.width * step;
    const bool inside = y >= top && y < top + image.height;
    const int64_t begin = inside ? left : size.width, end = inside ? left + image.width : size.width;
    for (int64_t x = 0; x < begin; ++x) row[x * step] = fill;
    if (inside) {
      const uint8_t* from = image.row(y - top) + source;
      for (int64_t x = begin; x < end; ++x, from += image.channels) row[x * step] = levels[*from];
    }
    for (int64_t x = end; x < size.width; ++x) row[x * step] = fill;
  }
}

}  // namespace

ImagePlacement placement_of(const ImageSize& image, const Preprocess& preprocess) {
  const Placement placed = place(image.width, image.height, preprocess.resize);
  const ImageSize canvas = {placed.canvas_height, placed.canvas_width};
  const ImageSize size = preprocess.crop.value_or(canvas);
  return {.scale_x = static_cast<double>(placed.width) / static_cast<double>(image.width),
          .scale_y = static_cast<double>(placed.height) / static_cast<double>(image.height),
          .left = static_cast<double>(placed.left - (canvas.width - size.width) / 2),
          .top = static_cast<double>(placed.top - (canvas.height - size.height) / 2),
          .size = size};
}

FittedImage fit_image(const Image& image, const Preprocess& preprocess) {
  const Placement placed = place(image.width, image.height, preprocess.resize);
  const ImageSize canvas = {placed.canvas_height, placed.canvas_width};
  const ImageSize size = preprocess.crop.value_or(canvas);
  if (placed.width > kMaxSide || placed.height > kMaxSide) {
    throw Error(ErrorKind::kCalibration, "the image is too narrow: it would become more than " +
                                             std::to_string(kMaxSide) + " pixels long");
  }
  if (size.height > canvas.height || size.width > canvas.width) {
    throw Error(ErrorKind::kCalibration,
                "the image has height x width " + to_string(Shape{canvas.height, canvas.width}) +
                    " after resizing, less than the crop of " + to_string(Shape{size.height, size.width}));
  }
  check_image_size(size.width, size.height);

  // The part of the canvas that the crop keeps, and the part of the resized image that lies in it.
  const int64_t crop_left = (canvas.width - size.width) / 2, crop_top = (canvas.height - size.height) / 2;
  const int64_t left = std::max(placed.left, crop_left), top = std::max(placed.top, crop_top);
  const int64_t right = std::min(placed.left + placed.width, crop_left + size.width);
  const int64_t bottom = std::min(placed.top + placed.height, crop_top + size.height);
  FittedImage fitted{{}, left - crop_left, top - crop_top, size};
  if (left < right && top < bottom) {
    const Region region = {left - placed.left, top - placed.top, right - left, bottom - top};
    const auto [interpolation, antialias] =
        std::pair{preprocess.resize.interpolation, preprocess.resize.antialias};
    const bool to_gray_first = preprocess.color == Color::kGray && image.channels == 3;
    fitted.image = resize(to_gray_first ? to_gray(image) : image, placed.width, placed.height, interpolation,
                          antialias, region);
  }
  return fitted;
}

Tensor to_tensor(const FittedImage& fitted, const Preprocess& preprocess) {
  const bool planar = preprocess.layout == Layout::kNchw;
  const int64_t channels = preprocess.channels();
  const ImageSize& size = fitted.size;
  Tensor tensor(DataType::kF32, planar ? Shape{1, channels, size.height, size.width}
                                       : Shape{1, size.height, size.width, channels});
  for (int64_t c = 0; c < channels; ++c) write_channel(fitted, preprocess, c, tensor.mutable_data<float>());
  return tensor;
}

Tensor preprocess_image(const Image& image, const Preprocess& preprocess) {
  return to_tensor(fit_image(image, preprocess), preprocess);
}

std::optional<PixelGrid> pixel_grid(const Preprocess& preprocess) {
  const auto channels = static_cast<size_t>(preprocess.channels());
  if (preprocess.layout != Layout::kNchw || preprocess.mean.size() != channels ||
      preprocess.std.size() != channels)
    return std::nullopt;
  PixelGrid grid;
  for (size_t c = 0; c < channels; ++c) {
    grid.scale.push_back(preprocess.scale / preprocess.std[c]);
    grid.zero.push_back(preprocess.mean[c] / preprocess.scale);
  }
  return grid;
}

}  // namespace quantize
