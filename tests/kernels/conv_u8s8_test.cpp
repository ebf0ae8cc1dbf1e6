// conv_u8s8 of every level against the scalar reference, byte for byte.
#include "tests/kernels/integer_case.h"

using namespace quantize;
using namespace quantize::test;

namespace {

struct ConvCase {
  size_t channels, taps, depth, rows, width, stride = 1;
  Flavour flavour = Flavour::kPlain;
  int epilogue = 0;
  size_t gap = 0;  // bytes between the pixels of y
};

struct ConvData {
  explicit ConvData(const ConvCase& c, uint32_t seed)
      : shape(c),
        random(seed),
        pixel(c.depth + random.below(3)),
        row((c.width * c.stride + c.taps) * pixel),
        x(random.codes(c.rows * c.stride * row + (c.taps / 3 + 1) * row + 63, c.flavour)),
        weights(random.weights(c.channels * c.taps * c.depth, c.flavour)),
        constants(random, c.channels, c.taps * c.depth, c.flavour),
        y_pixel(c.channels + c.gap),
        y_row(c.width * y_pixel + 5),
        epilogue(random, c.rows * y_row, c.epilogue) {
    for (size_t t = 0; t < c.taps; ++t) taps.push_back(static_cast<int32_t>(t / 3 * row + t % 3 * pixel));
    if (c.taps >= 3) leave_out_taps();
  }

  /// Rows do without some taps, where all they would read is 0.
  void leave_out_taps() {
    for (size_t r = 0; r < shape.rows; ++r) {
      row_taps.push_back({r % 2, shape.taps - r / 2 % 2});
      for (size_t t = 0; t < shape.taps; ++t) {
        if (t >= row_taps[r].begin && t < row_taps[r].end) continue;
        for (size_t p = 0; p < shape.width; ++p)
          std::memset(x.data() + shape.stride * (r * row + p * pixel) + static_cast<size_t>(taps[t]), 0,
                      shape.depth);
      }
    }
  }

  ConvWeightsU8S8 source() const {
    return {shape.channels, shape.taps, shape.depth, weights.data(), constants.view()};
  }

  /// Runs a level, in `parts` parts, with the residual in the result's place if it is to be there.
  std::vector<uint8_t> run(const KernelTable& kernels, bool in_place, size_t parts) const {
    AlignedBytes packed(kernels.conv_u8s8_bytes(source()));
    kernels.conv_u8s8_pack(source(), packed.get());
    std::vector<uint8_t> y(shape.rows * y_row, 0xA5);
    if (in_place) y = epilogue.b;
    ConvU8S8 call;
    call.packed = packed.get();
    call.tap_offsets = taps.data();
    call.x_pixel_stride = shape.stride * pixel;
    call.x_row_stride = shape.stride * row;
    call.y_pixel_stride = y_pixel;
    call.y_row_stride = y_row;
    call.width = shape.width;
    const size_t panel = std::max<size_t>(kernels.conv_u8s8_panel, 64);
    for (size_t r = 0; r < shape.rows; r += (shape.rows + parts - 1) / parts)
      for (size_t c = 0; c < shape.channels; c += parts == 1 ? shape.channels : panel) {
        call.rows = std::min((shape.rows + parts - 1) / parts, shape.rows - r);
        call.channel_begin = c;
        call.channel_end = parts == 1 ? shape.channels : std::min(c + panel, shape.channels);
        call.row_taps = row_taps.empty() ? nullptr : row_taps.data() + r;
        call.x = x.data() + r * call.x_row_stride;
        call.y = y.data() + r * y_row;
        call.epilogue = epilogue.view((in_place ? y.data() : epilogue.b.data()) + r * y_row, y_pixel, y_row);
        kernels.conv_u8s8(call);
      }
    return y;
  }

  ConvCase shape;
  Random random;
  size_t pixel, row;
  std::vector<uint8_t> x;
  std::vector<int8_t> weights;
  LayerConstants constants;
  std::vector<int32_t> taps;
  std::vector<TapRange> row_taps;
  size_t y_pixel, y_row;
  TestEpilogue epilogue;
};

void check(const ConvCase& c, uint32_t seed) {
  const ConvData data(c, seed);
  INFO(c.channels << " channels, " << c.taps << " taps of " << c.depth << ", " << c.rows << " x " << c.width
                  << ", stride " << c.stride << ", flavour " << static_cast<int>(c.flavour) << ", epilogue "
                  << c.epilogue);
  const std::vector<uint8_t> expected = data.run(scalar_kernels(), false, 1);
  for_each_isa([&](const KernelTable& kernels) {
    CHECK(same_bytes(data.run(kernels, false, 1), expected));
    CHECK(same_bytes(data.run(kernels, false, 2), expected));
  });
  if (!data.epilogue.adds || c.gap != 0) return;
  const std::vector<uint8_t> in_place = data.run(scalar_kernels(), true, 1);
  for_each_isa([&](const KernelTable& kernels) { CHECK(same_bytes(data.run(kernels, true, 1), in_place)); });
}

}  // namespace

TEST_CASE("conv_u8s8: every number of channels and every width") {
  uint32_t seed = 1;
  for (size_t channels : {1, 3, 5, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 100, 130})
    for (size_t width : {1, 2, 3, 6, 7, 8, 13, 14, 15, 20}) {
      check({channels, 1 + seed % 3, 1 + seed % 9, 2, width, 1 + seed % 2, kFlavours[seed % 5],
             static_cast<int>(seed % kEpilogues), seed % 3 == 0 ? size_t{7} : 0},
            seed);
      ++seed;
    }
}

TEST_CASE("conv_u8s8: every flavour of constants with every epilogue") {
  uint32_t seed = 1000;
  for (Flavour flavour : kFlavours)
    for (int epilogue = 0; epilogue < kEpilogues; ++epilogue)
      for (size_t channels : {12, 24, 64, 80}) check({channels, 9, 16, 3, 9, 1, flavour, epilogue}, seed++);
}

TEST_CASE("conv_u8s8: pixels that fill tiles, in rows and across them") {
  uint32_t seed = 5000;
  for (size_t width : {4, 7, 14, 17, 28, 33})
    for (size_t depth : {32, 65, 68, 128})
      for (size_t channels : {16, 32, 72}) {
        check({channels, 1 + 8 * (seed % 2), depth, 1 + seed % 5, width, 1 + seed % 2, kFlavours[seed % 5],
               static_cast<int>(seed % kEpilogues), seed % 3 == 0 ? size_t{7} : 0},
              seed);
        ++seed;
      }
}

TEST_CASE("conv_u8s8: long sums and depths that no vector divides") {
  uint32_t seed = 2000;
  for (size_t depth : {1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 27, 64, 130, 1000})
    for (Flavour flavour : {Flavour::kPlain, Flavour::kExtreme})
      check({40, 3, depth, 2, 5, 1, flavour, 0}, seed++);
}

TEST_CASE("conv_u8s8: channels of small and of large weights side by side") {
  for (size_t channels : {48, 130}) {
    ConvData data({channels, 9, 700, 2, 7, 1, Flavour::kExtreme, 1}, 6000);
    for (size_t c = 0; c < channels; c += c % 16 == 15 ? 17 : 1)
      for (size_t k = 0; k < 9 * 700; ++k) data.weights[c * 9 * 700 + k] /= 2;
    const std::vector<uint8_t> expected = data.run(scalar_kernels(), false, 1);
    for_each_isa(
        [&](const KernelTable& kernels) { CHECK(same_bytes(data.run(kernels, false, 2), expected)); });
  }
}

TEST_CASE("conv_u8s8: weights larger than the cache") {
  check({256, 9, 256, 3, 7, 1, Flavour::kPlain, 1}, 3000);
}

TEST_CASE("conv_u8s8: real results are the products") {
  for (size_t channels : {1, 10, 20, 64, 70}) {
    const ConvData data({channels, 1, 33, 1, 9}, 4000);
    std::vector<std::vector<float>> results;
    for_each_isa([&](const KernelTable& kernels) {
      AlignedBytes packed(kernels.conv_u8s8_bytes(data.source()));
      kernels.conv_u8s8_pack(data.source(), packed.get());
      std::vector<float> y(9 * channels);
      ConvU8S8 call;
      call.packed = packed.get();
      call.x = data.x.data();
      call.tap_offsets = data.taps.data();
      call.x_pixel_stride = data.pixel;
      call.real = y.data();
      call.y_pixel_stride = channels;
      call.rows = 1;
      call.width = 9;
      call.channel_end = channels;
      kernels.conv_u8s8(call);
      results.push_back(y);
      CHECK(same_bytes(y, results.front()));
    });
  }
}
