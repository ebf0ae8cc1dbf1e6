// Winograd's transforms: every level against the scalar one, and whole convolutions against direct sums in double.
#include <algorithm>

#include "tests/kernels/kernel_test.h"

using namespace quantize;
using namespace quantize::test;

namespace {

/// An image, the outputs of its convolution, and how the tiles lie on them.
struct Layer {
  int tile;
  size_t height, width, pad_top, pad_left, out_height, out_width;

  size_t side() const { return static_cast<size_t>(tile); }
  size_t tiles() const { return (out_width + side() - 1) / side(); }
  size_t rows() const { return (out_height + side() - 1) / side(); }
  size_t points() const { return (side() + 2) * (side() + 2); }
};

size_t pitch_of(size_t tiles) {
  return (tiles / kWinogradSpare + 2) * kWinogradSpare;
}

std::vector<Layer> layers() {
  std::vector<Layer> list;
  for (int tile : {2, 4})
    for (size_t size : {1, 2, 4, 5, 7, 8, 13, 14, 31, 33, 66, 130})
      for (size_t pad : {0, 1, 2}) {
        const size_t height = size / 2 + 3, width = size + 2;
        list.push_back({tile, height, width, pad, pad, height + 2 * pad - 2, width + 2 * pad - 2});
      }
  return list;
}

/// The transformed rows [first, last), point by point without the spare numbers.
std::vector<float> transformed(const KernelTable& kernels, const Layer& layer, const std::vector<float>& x,
                               size_t first, size_t last) {
  const size_t count = (last - first) * layer.tiles(), pitch = pitch_of(count);
  std::vector<float> v(layer.points() * pitch, 77),
      scratch(winograd_scratch(layer.tile, layer.tiles(), last - first), kNan);
  kernels.winograd_input_f32({.tile = layer.tile,
                              .x = x.data(),
                              .height = layer.height,
                              .width = layer.width,
                              .pad_top = layer.pad_top,
                              .pad_left = layer.pad_left,
                              .tiles = layer.tiles(),
                              .first_row = first,
                              .last_row = last,
                              .v = v.data(),
                              .v_stride = pitch,
                              .scratch = scratch.data()});
  std::vector<float> result;
  for (size_t p = 0; p < layer.points(); ++p)
    result.insert(result.end(), v.begin() + static_cast<ptrdiff_t>(p * pitch),
                  v.begin() + static_cast<ptrdiff_t>(p * pitch + count));
  return result;
}

/// Writes the image of all products m, laid out as `transformed` had it in memory.
void transform_back(const KernelTable& kernels, const Layer& layer, const std::vector<float>& m,
                    const float* addend, std::vector<float>& y) {
  std::vector<float> scratch(winograd_scratch(layer.tile, layer.tiles(), layer.rows()), kNan);
  kernels.winograd_output_f32({.tile = layer.tile,
                               .m = m.data(),
                               .m_stride = pitch_of(layer.rows() * layer.tiles()),
                               .y = y.data(),
                               .height = layer.out_height,
                               .width = layer.out_width,
                               .tiles = layer.tiles(),
                               .last_row = layer.rows(),
                               .bias = 0.25f,
                               .addend = addend,
                               .low = -0.5f,
                               .high = 2.0f,
                               .scratch = scratch.data()});
}

struct Convolution {
  double sum, weights;  // the exact sum, and the sum of |w|
};

Convolution direct(const Layer& layer, const std::vector<float>& x, const std::vector<float>& w,
                   size_t channels, size_t row, size_t column) {
  Convolution result{0, 0};
  for (size_t c = 0; c < channels; ++c)
    for (size_t a = 0; a < 3; ++a)
      for (size_t b = 0; b < 3; ++b) {
        const double weight = static_cast<double>(w[c * 9 + a * 3 + b]);
        const size_t i = row + a - layer.pad_top, j = column + b - layer.pad_left;
        result.weights += std::abs(weight);
        if (i < layer.height && j < layer.width)
          result.sum += weight * static_cast<double>(x[(c * layer.height + i) * layer.width + j]);
      }
  return result;
}

}  // namespace

TEST_CASE("winograd_input_f32 gives the bytes of the scalar level, for any band") {
  for (const Layer& layer : layers()) {
    const std::vector<float> x = random_floats(layer.height * layer.width, 1);
    for_each_isa([&](const KernelTable& kernels) {
      INFO("tile " << layer.tile << " width " << layer.out_width << " pad " << layer.pad_left);
      for (size_t first : {size_t{0}, layer.rows() / 2}) {
        const auto is = transformed(kernels, layer, x, first, layer.rows());
        CHECK(same_bytes(is, transformed(scalar_kernels(), layer, x, first, layer.rows())));
      }
    });
  }
}

TEST_CASE("winograd_output_f32 gives the bytes of the scalar level and writes nothing else") {
  for (const Layer& layer : layers()) {
    const size_t count = layer.rows() * layer.tiles(), pitch = pitch_of(count);
    const std::vector<float> m = random_floats(layer.points() * pitch, 2);
    const std::vector<float> addend = random_floats(layer.out_height * layer.out_width, 3);
    for (const float* added : {static_cast<const float*>(nullptr), addend.data()}) {
      std::vector<float> expected(layer.out_height * layer.out_width + 16, 77);
      transform_back(scalar_kernels(), layer, m, added, expected);
      for_each_isa([&](const KernelTable& kernels) {
        INFO("tile " << layer.tile << " width " << layer.out_width << " height " << layer.out_height);
        std::vector<float> y(expected.size(), 77);
        transform_back(kernels, layer, m, added, y);
        CHECK(same_bytes(y, expected));
      });
    }
  }
}

TEST_CASE("Winograd's convolution is within the error it states") {
  for (const Layer layer :
       {Layer{2, 9, 11, 1, 1, 9, 11}, Layer{4, 9, 11, 1, 1, 9, 11}, Layer{4, 8, 34, 0, 2, 6, 34}})
    for (size_t channels : {1, 40}) {
      const size_t image = layer.height * layer.width, count = layer.rows() * layer.tiles();
      const std::vector<float> x = random_floats(channels * image, 4), w = random_floats(channels * 9, 5);
      std::vector<float> m(layer.points() * pitch_of(count), 0), u(layer.points());
      for (size_t c = 0; c < channels; ++c) {
        const std::vector<float> channel(x.begin() + static_cast<ptrdiff_t>(c * image),
                                         x.begin() + static_cast<ptrdiff_t>((c + 1) * image));
        const auto v = transformed(scalar_kernels(), layer, channel, 0, layer.rows());
        winograd_weights(layer.tile, w.data() + c * 9, u.data(), 1);
        for (size_t p = 0; p < layer.points(); ++p)
          for (size_t t = 0; t < count; ++t) {
            float& sum = m[p * pitch_of(count) + t];
            sum = std::fma(u[p], v[p * count + t], sum);
          }
      }
      std::vector<float> y(layer.out_height * layer.out_width);
      transform_back(scalar_kernels(), layer, m, nullptr, y);
      size_t wrong = 0, exact = 0;
      for (size_t i = 0; i < layer.out_height; ++i)
        for (size_t j = 0; j < layer.out_width; ++j) {
          const Convolution expected = direct(layer, x, w, channels, i, j);
          const double bound = winograd_error(layer.tile) * static_cast<double>(channels + 32) * 0x1p-24 *
                               (expected.weights + 0.25);
          const double value = std::clamp(expected.sum + 0.25, -0.5, 2.0);
          const double error = std::abs(static_cast<double>(y[i * layer.out_width + j]) - value);
          wrong += !(error <= bound);
          exact += error < 1e-4;
        }
      INFO("tile " << layer.tile << " channels " << channels);
      CHECK(wrong == 0);
      CHECK(exact == y.size());
    }
}
