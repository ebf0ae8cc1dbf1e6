#include "core/fusion/constant_doubts.h"

#include <catch2/catch.hpp>
#include <limits>

#include "tests/support/graph_builder.h"

using namespace quantize;
using Catch::Contains;
using test::GraphBuilder;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity(),
                kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<std::string> doubts_of_scale(float scale) {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 2});
  const ValueId s = b.constant("step", Tensor::of<float>({2}, {0.5f, scale}));
  return doubts_about_constants(b.build({b.node("QuantizeLinear", {x, s})}), false);
}

}  // namespace

TEST_CASE("constants: scales that are not positive and finite are doubted") {
  CHECK(doubts_of_scale(0.25f).empty());
  const std::vector<std::pair<float, std::string>> wrong = {{kNan, "holds NaN"},
                                                            {kInfinity, "holds infinite"},
                                                            {-kInfinity, "holds infinite"},
                                                            {-0.5f, "negative"},
                                                            {0, "holds 0"}};
  for (const auto& [scale, says] : wrong) {
    const std::vector<std::string> doubts = doubts_of_scale(scale);
    REQUIRE(doubts.size() == 1);
    CHECK_THAT(doubts[0], Contains("scale 'step'") && Contains("QuantizeLinear") && Contains(says));
  }
}

TEST_CASE("constants: every scale of an integer operator is looked at, and no other operand is a scale") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 1, 2, 2}, DataType::kU8);
  const auto scale = [&](const char* name) { return b.constant(name, Tensor::scalar(-1.0f)); };
  const ValueId zero = b.constant("zero", Tensor::scalar<uint8_t>(0));
  const ValueId weights = b.constant("w", Tensor::of<uint8_t>({1, 1, 1, 1}, {1}));
  const ValueId y =
      b.node("QLinearConv", {x, scale("sx"), zero, weights, scale("sw"), zero, scale("sy"), zero});
  const ValueId z = b.node("DequantizeLinear", {y, scale("sz"), zero});
  const std::vector<std::string> doubts = doubts_about_constants(
      b.build({b.node("Add", {z, b.constant("offset", Tensor::scalar(-1.0f))})}), true);
  REQUIRE(doubts.size() == 4);
  for (size_t i = 0; const char* name : {"'sw'", "'sx'", "'sy'", "'sz'"})
    CHECK_THAT(doubts[i++], Contains(name));
}

TEST_CASE("constants: infinity is doubted in weights, elsewhere on wish; NaN always") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 1});
  const ValueId low = b.constant("low", Tensor::scalar(-kInfinity));
  const ValueId clip = b.node("Clip", {x, low});
  const ValueId product = b.node("MatMul", {clip, b.constant("w", Tensor::of<float>({1, 1}, {kInfinity}))});
  const Graph graph = b.build({b.node("Add", {product, b.constant("bias", Tensor::scalar(kNan))})});
  const std::vector<std::string> doubts = doubts_about_constants(graph, false);
  REQUIRE(doubts.size() == 2);
  CHECK_THAT(doubts[0], Contains("'bias' holds NaN"));
  CHECK_THAT(doubts[1], Contains("'w' holds infinite"));
  CHECK(doubts_about_constants(graph, true).size() == 3);
}

TEST_CASE("constants: scales of ONNX Runtime's own quantizers are scales too") {
  GraphBuilder b;
  b.graph().info.opsets["com.microsoft"] = 1;
  const ValueId s = b.constant("step", Tensor::scalar(0.0f));
  const ValueId y = b.node("QuantizeLinear", {b.input("x", {1, 2}), s});
  b.graph().nodes.back().domain = "com.microsoft";
  CHECK(doubts_about_constants(b.build({y}), false).size() == 1);
}

TEST_CASE("constants: those of Constant nodes count as initializers do") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 2});
  const ValueId s = b.node("Constant", {}, {{"value", Tensor::scalar(0.0f)}});
  CHECK(doubts_about_constants(b.build({b.node("QuantizeLinear", {x, s})}), false).size() == 1);
}
