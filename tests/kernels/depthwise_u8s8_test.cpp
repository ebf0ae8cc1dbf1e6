// depthwise_u8s8 of every level against the scalar reference, byte for byte.
#include "tests/kernels/integer_case.h"

using namespace quantize;
using namespace quantize::test;

namespace {

struct DepthwiseCase {
  size_t channels, kernel_h, kernel_w, rows, width, stride_h = 1, stride_w = 1, dilation = 1;
  Flavour flavour = Flavour::kPlain;
  int epilogue = 0;
};

struct DepthwiseData {
  DepthwiseData(const DepthwiseCase& c, uint32_t seed)
      : shape(c),
        random(seed),
        row(((c.width - 1) * c.stride_w + (c.kernel_w - 1) * c.dilation + 1) * c.channels),
        x(random.codes(((c.rows - 1) * c.stride_h + (c.kernel_h - 1) * c.dilation + 1) * row, c.flavour)),
        weights(random.weights(c.channels * c.kernel_h * c.kernel_w, c.flavour)),
        constants(random, c.channels, c.kernel_h * c.kernel_w, c.flavour),
        y_pixel(c.channels + 3),
        y_row(c.width * y_pixel),
        epilogue(random, c.rows * y_row, c.epilogue) {
    x.resize(x.size() + 63);  // what may be read behind the last channel
  }

  /// The codes, or the bytes of reals.
  template <typename T>
  std::vector<T> run(const KernelTable& kernels, size_t rows_at_once) const {
    const DepthwiseWeightsU8S8 source{shape.channels, shape.kernel_h, shape.kernel_w, weights.data(),
                                      constants.view()};
    AlignedBytes packed(kernels.depthwise_u8s8_bytes(source));
    kernels.depthwise_u8s8_pack(source, packed.get());
    std::vector<T> y(shape.rows * y_row, T{77});
    DepthwiseU8S8 call;
    call.packed = packed.get();
    call.x_pixel_stride = shape.channels;
    call.x_row_stride = row;
    call.stride_h = shape.stride_h;
    call.stride_w = shape.stride_w;
    call.dilation_h = call.dilation_w = shape.dilation;
    call.y_pixel_stride = y_pixel;
    call.y_row_stride = y_row;
    call.width = shape.width;
    for (size_t r = 0; r < shape.rows; r += rows_at_once) {
      call.rows = std::min(rows_at_once, shape.rows - r);
      call.x = x.data() + r * shape.stride_h * row;
      if constexpr (std::is_same_v<T, float>)
        call.real = y.data() + r * y_row;
      else
        call.y = y.data() + r * y_row;
      call.epilogue = epilogue.view(epilogue.b.data() + r * y_row, y_pixel, y_row);
      kernels.depthwise_u8s8(call);
    }
    return y;
  }

  DepthwiseCase shape;
  Random random;
  size_t row;
  std::vector<uint8_t> x;
  std::vector<int8_t> weights;
  LayerConstants constants;
  size_t y_pixel, y_row;
  TestEpilogue epilogue;
};

void check(const DepthwiseCase& c, uint32_t seed) {
  const DepthwiseData data(c, seed);
  INFO(c.channels << " channels, kernel " << c.kernel_h << " x " << c.kernel_w << ", output " << c.rows
                  << " x " << c.width << ", strides " << c.stride_h << " " << c.stride_w << ", dilation "
                  << c.dilation << ", flavour " << static_cast<int>(c.flavour) << ", epilogue "
                  << c.epilogue);
  const auto expected = data.run<uint8_t>(scalar_kernels(), c.rows);
  const auto reals = data.run<float>(scalar_kernels(), c.rows);
  for_each_isa([&](const KernelTable& kernels) {
    CHECK(same_bytes(data.run<uint8_t>(kernels, c.rows), expected));
    CHECK(same_bytes(data.run<uint8_t>(kernels, 1), expected));
    CHECK(same_bytes(data.run<float>(kernels, c.rows), reals));
  });
}

}  // namespace

TEST_CASE("depthwise_u8s8: 3x3 at every number of channels, width and stride") {
  uint32_t seed = 1;
  for (size_t channels : {1, 3, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 130})
    for (size_t width : {1, 2, 3, 4, 5, 7, 12})
      for (size_t stride : {1, 2}) {
        check({channels, 3, 3, 1 + seed % 5, width, stride, stride, 1, kFlavours[seed % 5],
               static_cast<int>(seed % kEpilogues)},
              seed);
        ++seed;
      }
}

TEST_CASE("depthwise_u8s8: kernels of every shape, strides and dilations") {
  uint32_t seed = 1000;
  for (size_t kernel_h : {1, 2, 3, 4, 5, 7, 9})
    for (size_t kernel_w : {1, 2, 3, 5, 7})
      for (size_t stride : {1, 2, 3}) {
        check({20, kernel_h, kernel_w, 3, 5, stride, 1 + seed % 3, 1 + seed % 2, kFlavours[seed % 5],
               static_cast<int>(seed % kEpilogues)},
              seed);
        ++seed;
      }
}

TEST_CASE("depthwise_u8s8: every flavour of constants with every epilogue") {
  uint32_t seed = 2000;
  for (Flavour flavour : kFlavours)
    for (int epilogue = 0; epilogue < kEpilogues; ++epilogue)
      for (size_t kernel : {3, 5}) check({72, kernel, kernel, 4, 6, 1, 1, 1, flavour, epilogue}, seed++);
}
