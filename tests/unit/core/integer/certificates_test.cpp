// Certificates against all that codes can do.
#include "core/integer/certificates.h"

#include <catch2/catch.hpp>

#include "tests/support/quantized_graph.h"

using namespace quantize;
using namespace quantize::test;

namespace {

/// A QLinearConv of 1x1 weights [2, 3].
Graph qlinear_conv(const std::vector<int8_t>& weights, const std::vector<int32_t>& bias) {
  GraphBuilder b(13);
  const ValueId x = b.input("x", {1, 3, 2, 2}, DataType::kU8);
  const auto scale = [&](const char* name, float value) { return b.constant(name, Tensor::scalar(value)); };
  const auto zero = [&](const char* name, DataType dtype) {
    return b.constant(name, dtype == DataType::kU8 ? Tensor::of<uint8_t>({}, std::vector<uint8_t>{7})
                                                   : Tensor::of<int8_t>({}, std::vector<int8_t>{0}));
  };
  return b.build({b.node("QLinearConv",
                         {x, scale("x_scale", 0.5f), zero("x_zero", DataType::kU8),
                          b.constant("w", Tensor::of<int8_t>({2, 3, 1, 1}, weights)), scale("w_scale", 0.25f),
                          zero("w_zero", DataType::kS8), scale("y_scale", 1), zero("y_zero", DataType::kU8),
                          b.constant("bias", Tensor::of<int32_t>({2}, bias))})});
}

}  // namespace

TEST_CASE("certificates: the worst sum, pair and real of a layer", "[certificates]") {
  const auto found = certificates_of(qlinear_conv({100, -3, 29, -128, 5, 2}, {10, -1000}));
  REQUIRE(found.size() == 1);
  CHECK(found[0].worst_sum == 255 * 135 + 1000);
  CHECK(found[0].worst_pair == 255 * (100 + 29));  // of one sign, wherever they stand
  CHECK(found[0].worst_real == (255 * 135 + 1000) * 0.125);
  CHECK(found[0].accumulator_bits() == 17);  // 2^15 < 35425 < 2^16
  CHECK(found[0].fits_s32());
  CHECK_FALSE(found[0].fits_s16_pairs());
  CHECK(found[0].fits_f16());
  CHECK(certificates_of(qlinear_conv({100, -3, 28, -100, 5, 2}, {0, 0}))[0].fits_s16_pairs());  // 255 * 128
}

TEST_CASE("certificates: the borders of the types", "[certificates]") {
  Certificate worst;
  for (const auto& [sum, bits] :
       {std::pair(32767.0, 16), std::pair(32768.0, 17), std::pair(2147483647.0, 32)}) {
    worst.worst_sum = sum;
    CHECK(worst.accumulator_bits() == bits);
    CHECK(worst.fits_s32());
  }
  worst.worst_sum = 2147483648.0;
  CHECK_FALSE(worst.fits_s32());
}

TEST_CASE("certificates: every layer of a QDQ graph, none of a float graph", "[certificates]") {
  GraphBuilder b(13);
  const ValueId x = b.input("x", {1, 4, 8, 8});
  const ValueId y = b.node("Conv", {x, b.random("w", {6, 4, 3, 3})});
  const ValueId flat = b.node("Flatten", {y});
  const Graph graph = b.build({b.node("Gemm", {flat, b.random("v", {216, 5})})});
  CHECK(certificates_of(graph).empty());
  const auto found = certificates_of(quantized_graph(graph, "ort-x86"));
  REQUIRE(found.size() == 2);
  CHECK(found[0].worst_sum > 255 * 127);
  CHECK(found[0].worst_sum < 255.0 * 127 * 36 + (1 << 30));
}

TEST_CASE("certificates: products of codes alone, with the constant behind them; their reals are not known",
          "[certificates]") {
  GraphBuilder b(13);
  const ValueId x = b.input("x", {1, 3, 2, 2}, DataType::kU8),
                zero = b.constant("x_zero", Tensor::of<uint8_t>({}, std::vector<uint8_t>{7}));
  const ValueId w =
      b.constant("w", Tensor::of<int8_t>({2, 3, 1, 1}, std::vector<int8_t>{100, -3, 29, -128, 5, 2}));
  const ValueId sums = b.node("ConvInteger", {x, w, zero});
  const ValueId bias = b.constant("bias", Tensor::of<int32_t>({2, 1, 1}, std::vector<int32_t>{10, -1000}));
  const auto found = certificates_of(b.build({b.node("Add", {sums, bias})}));
  REQUIRE(found.size() == 1);
  CHECK(found[0].op_type == "ConvInteger");
  CHECK(found[0].worst_sum == 255 * 135 + 1000);
  CHECK(found[0].worst_pair == 255 * (100 + 29));
  CHECK_FALSE(found[0].worst_real.has_value());
  CHECK_FALSE(found[0].fits_f16());

  GraphBuilder c(13);
  const ValueId a = c.input("a", {4, 2}, DataType::kU8),
                none = c.constant("a_zero", Tensor::scalar(uint8_t{0}));
  const ValueId v = c.constant("v", Tensor::of<uint8_t>({2, 2}, std::vector<uint8_t>{10, 0, 4, 255})),
                middle = c.constant("v_zero", Tensor::of<uint8_t>({2}, std::vector<uint8_t>{4, 128}));
  const auto product = certificates_of(c.build({c.node("MatMulInteger", {a, v, none, middle})}));
  REQUIRE(product.size() == 1);
  CHECK(product[0].worst_sum == 255 * (128 + 127));
}
