// depthwise_f32 of every level against sums in double.
#include <algorithm>

#include "tests/kernels/kernel_test.h"

using namespace quantize;
using namespace quantize::test;

namespace {

struct Image {
  size_t height, width;
};

struct Kernel {
  size_t height, width, stride_h, stride_w, dilation_h, dilation_w;
};

double tap_sum(const DepthwiseF32& d, size_t i, size_t j, double& magnitude) {
  double sum = static_cast<double>(d.bias);
  for (size_t ky = 0; ky < d.kernel_h; ++ky)
    for (size_t kx = 0; kx < d.kernel_w; ++kx) {
      const auto y =
          static_cast<int64_t>(i * d.stride_h + ky * d.dilation_h) - static_cast<int64_t>(d.pad_top);
      const auto x =
          static_cast<int64_t>(j * d.stride_w + kx * d.dilation_w) - static_cast<int64_t>(d.pad_left);
      if (y < 0 || x < 0 || y >= static_cast<int64_t>(d.height) || x >= static_cast<int64_t>(d.width))
        continue;
      const double term = static_cast<double>(d.w[ky * d.kernel_w + kx]) *
                          static_cast<double>(d.x[static_cast<size_t>(y) * d.width + static_cast<size_t>(x)]);
      sum += term;
      magnitude += std::abs(term);
    }
  return std::min(std::max(sum, static_cast<double>(d.low)), static_cast<double>(d.high));
}

struct Case {
  Image image;
  Kernel kernel;
  size_t pad_top, pad_left;
  size_t out_height, out_width;
};

void check_depthwise(const KernelTable& kernels, const Case& c) {
  const auto& [image, kernel, pad_top, pad_left, out_height, out_width] = c;
  // The image stands alone in a vector of its size, so that a sanitizer sees every step outside.
  const std::vector<float> x = random_floats(image.height * image.width, 5);
  const std::vector<float> w = random_floats(kernel.height * kernel.width, 6);
  constexpr size_t kBehind = 16;  // numbers that are to stay as they are
  std::vector<float> y(out_height * out_width + kBehind, 77);
  DepthwiseF32 d;
  d.x = x.data();
  d.height = image.height;
  d.width = image.width;
  d.y = y.data();
  d.out_height = out_height;
  d.out_width = out_width;
  d.w = w.data();
  d.kernel_h = kernel.height;
  d.kernel_w = kernel.width;
  d.stride_h = kernel.stride_h;
  d.stride_w = kernel.stride_w;
  d.dilation_h = kernel.dilation_h;
  d.dilation_w = kernel.dilation_w;
  d.pad_top = pad_top;
  d.pad_left = pad_left;
  d.bias = 0.25f;
  d.low = -0.5f;
  d.high = 1.5f;
  kernels.depthwise_f32(d);
  size_t wrong = 0;
  for (size_t i = 0; i < out_height; ++i)
    for (size_t j = 0; j < out_width; ++j) {
      double magnitude = 1;
      const double sum = tap_sum(d, i, j, magnitude);
      const double bound = static_cast<double>(w.size() + 1) * 0x1p-23 * magnitude;
      wrong += !(std::abs(static_cast<double>(y[i * out_width + j]) - sum) <= bound);
    }
  INFO("image " << image.height << "x" << image.width << " kernel " << kernel.height << "x" << kernel.width
                << " strides " << kernel.stride_h << "," << kernel.stride_w << " dilations "
                << kernel.dilation_h << "," << kernel.dilation_w << " pads " << pad_top << "," << pad_left);
  CHECK(wrong == 0);
  CHECK(std::all_of(y.end() - kBehind, y.end(), [](float value) { return value == 77; }));
}

size_t output_extent(size_t in, size_t pads, size_t kernel, size_t stride, size_t dilation) {
  return (in + pads - (kernel - 1) * dilation - 1) / stride + 1;
}

}  // namespace

TEST_CASE("depthwise_f32 on images of every width around its vectors") {
  for_each_isa([](const KernelTable& kernels) {
    for (size_t width = 1; width <= 70; ++width)
      for (size_t size : {3, 5})
        for (size_t stride_h : {1, 2})
          for (size_t stride_w : {1, 2}) {
            const size_t pad = size / 2, height = 1 + width % 17;
            check_depthwise(kernels, {{height, width},
                                      {size, size, stride_h, stride_w, 1, 1},
                                      pad,
                                      pad,
                                      output_extent(height, 2 * pad, size, stride_h, 1),
                                      output_extent(width, 2 * pad, size, stride_w, 1)});
          }
  });
}

TEST_CASE("depthwise_f32 with other kernels, strides, dilations and pads") {
  for_each_isa([](const KernelTable& kernels) {
    for (size_t kh : {1, 2, 3, 4, 7})
      for (size_t kw : {1, 3, 6})
        for (size_t sh : {1, 2, 3})
          for (size_t sw : {1, 2, 3, 5})
            for (size_t dilation : {1, 2})
              for (size_t pad : {0, 1, 4}) {
                const size_t height = 13, width = 37;
                check_depthwise(kernels, {{height, width},
                                          {kh, kw, sh, sw, dilation, dilation},
                                          pad,
                                          pad,
                                          output_extent(height, 2 * pad, kh, sh, dilation),
                                          output_extent(width, 2 * pad, kw, sw, dilation)});
              }
  });
}

TEST_CASE("depthwise_f32 with padding on one side only") {
  for_each_isa([](const KernelTable& kernels) {
    check_depthwise(kernels, {{112, 112}, {3, 3, 2, 2, 1, 1}, 0, 0, 56, 56});
    check_depthwise(kernels, {{20, 33}, {3, 3, 1, 1, 1, 1}, 2, 0, 20, 31});
    check_depthwise(kernels, {{20, 33}, {3, 3, 1, 1, 1, 1}, 0, 2, 18, 33});
  });
}
