// Separable resampling in fixed point, along rows and along columns. Read resize() at the end, then
// weigh_axis().
#include "calibration/images/resize.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace quantize {
namespace {

constexpr int kFractionBits = 22;  // 8 bits of pixel, 2 of head room for overshoot, in 32

struct Filter {
  double support;
  double (*weight)(double x);
};

double triangle(double x) {
  return std::max(0.0, 1.0 - std::abs(x));
}

double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

double sinc(double x) {
  return x == 0 ? 1 : std::sin(x * std::numbers::pi) / (x * std::numbers::pi);
}

double lanczos(double x) {
  return std::abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0;
}

Filter filter_of(Interpolation interpolation) {
  switch (interpolation) {
    case Interpolation::kBicubic:
      return {2, cubic};
    case Interpolation::kLanczos:
      return {3, lanczos};
    default:
      return {1, triangle};
  }
}

/// How each output pixel along one axis is made: the weighted sum of `count[i]` source pixels from `first[i]`
/// on.
struct AxisWeights {
  std::vector<int64_t> first;
  std::vector<int> count;
  std::vector<int32_t> weights;  // `stride` per output, in units of 2^-22
  size_t stride = 0;

  const int32_t* of(size_t output) const { return weights.data() + output * stride; }
};

/// Weights of outputs [begin, end) of an axis that goes from `source` to `target` pixels.
AxisWeights weigh_axis(int64_t source, int64_t target, int64_t begin, int64_t end, const Filter& filter,
                       bool antialias) {
  const double scale = static_cast<double>(source) / static_cast<double>(target);
  const double widening = antialias ? std::max(scale, 1.0) : 1.0;
  const double support = filter.support * widening;
  AxisWeights axis;
  axis.stride = static_cast<size_t>(std::ceil(support)) * 2 + 1;
  axis.weights.resize(static_cast<size_t>(end - begin) * axis.stride);
  std::vector<double> exact(axis.stride);
  for (int64_t i = begin; i < end; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const int64_t first = std::max<int64_t>(static_cast<int64_t>(center - support + 0.5), 0);
    const int64_t last = std::min<int64_t>(static_cast<int64_t>(center + support + 0.5), source);
    double sum = 0;
    for (int64_t k = first; k < last; ++k) {
      const double distance = (static_cast<double>(k) - center + 0.5) / widening;
      sum += exact[static_cast<size_t>(k - first)] = filter.weight(distance);
    }
    int32_t* fixed = axis.weights.data() + static_cast<size_t>(i - begin) * axis.stride;
    for (size_t k = 0; k < static_cast<size_t>(last - first); ++k) {
      fixed[k] = static_cast<int32_t>(std::round(exact[k] / sum * (1 << kFractionBits)));
    }
    axis.first.push_back(first);
    axis.count.push_back(static_cast<int>(last - first));
  }
  return axis;
}

uint8_t to_pixel(int32_t sum) {
  return static_cast<uint8_t>(std::clamp(sum >> kFractionBits, 0, 255));
}

constexpr int32_t kHalf = 1 << (kFractionBits - 1);

template <int kChannels>
void resample_row(const uint8_t* from, const AxisWeights& axis, uint8_t* to) {
  for (size_t x = 0; x < axis.first.size(); ++x) {
    const uint8_t* pixel = from + axis.first[x] * kChannels;
    const int32_t* weights = axis.of(x);
    int32_t sums[kChannels];
    std::fill_n(sums, kChannels, kHalf);
    for (int k = 0; k < axis.count[x]; ++k, pixel += kChannels) {
      for (int c = 0; c < kChannels; ++c) sums[c] += pixel[c] * weights[k];
    }
    for (int c = 0; c < kChannels; ++c) *to++ = to_pixel(sums[c]);
  }
}

/// Rows [top, top + height) of the image, resampled along x.
Image resample_rows(const Image& image, const AxisWeights& axis, int64_t top, int64_t height) {
  Image result = make_image(static_cast<int64_t>(axis.first.size()), height, image.channels);
  const auto resample = image.channels == 1 ? resample_row<1> : resample_row<3>;
  for (int64_t y = 0; y < height; ++y) resample(image.row(top + y), axis, result.row(y));
  return result;
}

/// The image resampled along y; its first row is row `top` of what the axis counts in.
Image resample_columns(const Image& image, const AxisWeights& axis, int64_t top) {
  Image result = make_image(image.width, static_cast<int64_t>(axis.first.size()), image.channels);
  const size_t row_size = static_cast<size_t>(image.width * image.channels);
  std::vector<int32_t> sums(row_size);
  for (size_t y = 0; y < axis.first.size(); ++y) {
    std::fill(sums.begin(), sums.end(), kHalf);
    for (int k = 0; k < axis.count[y]; ++k) {
      const uint8_t* from = image.row(axis.first[y] - top + k);
      const int32_t weight = axis.of(y)[k];
      for (size_t x = 0; x < row_size; ++x) sums[x] += from[x] * weight;
    }
    std::transform(sums.begin(), sums.end(), result.row(static_cast<int64_t>(y)), to_pixel);
  }
  return result;
}

/// Source index of each output in [begin, end): the pixel under the output pixel's centre.
std::vector<int64_t> nearest_sources(int64_t source, int64_t target, int64_t begin, int64_t end) {
  std::vector<int64_t> sources;
  for (int64_t i = begin; i < end; ++i) sources.push_back((2 * i + 1) * source / (2 * target));
  return sources;
}

Image pick_nearest(const Image& image, int64_t width, int64_t height, const Region& region) {
  const auto columns = nearest_sources(image.width, width, region.left, region.left + region.width);
  const auto rows = nearest_sources(image.height, height, region.top, region.top + region.height);
  Image result = make_image(region.width, region.height, image.channels);
  uint8_t* to = result.pixels.data();
  for (const int64_t row : rows) {
    for (const int64_t column : columns) {
      to = std::copy_n(image.row(row) + column * image.channels, image.channels, to);
    }
  }
  return result;
}

}  // namespace

Image resize(const Image& image, int64_t width, int64_t height, Interpolation interpolation, bool antialias,
             const Region& region) {
  check_image_size(region.width, region.height);
  const bool unchanged = width == image.width && height == image.height;
  if (unchanged || interpolation == Interpolation::kNearest)
    return pick_nearest(image, width, height, region);
  const Filter filter = filter_of(interpolation);
  const AxisWeights across =
      weigh_axis(image.width, width, region.left, region.left + region.width, filter, antialias);
  const AxisWeights down =
      weigh_axis(image.height, height, region.top, region.top + region.height, filter, antialias);
  const int64_t rows_lost = image.height - height, columns_lost = image.width - width;
  if (rows_lost > 0 && rows_lost > 2 * columns_lost) {  // less work, and Pillow's order
    const Image flat = resample_columns(image, down, 0);
    return resample_rows(flat, across, 0, flat.height);
  }
  const int64_t top = down.first.front(), bottom = down.first.back() + down.count.back();
  return resample_columns(resample_rows(image, across, top, bottom - top), down, top);
}

}  // namespace quantize
