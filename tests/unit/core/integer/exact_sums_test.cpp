// Sums that could leave s32: the bound against sums of 64 bits, and layers that stay float because of it.
#include "core/integer/exact_sums.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/integer/lowering.h"
#include "core/ops/op.h"
#include "core/passes/passes.h"
#include "core/quantization/insert_qdq.h"
#include "core/quantization/plan_quantization.h"
#include "tests/support/measured_ranges.h"
#include "tests/support/quantized_graph.h"

namespace quantize {

using test::GraphBuilder;

namespace {

/// Inputs of one sign at which codes of 127 times 255 pass 2^31 - 1.
constexpr int64_t kMost = 2147483647 / (255 * 127);

Tensor filled(const Shape& shape, float value) {
  Tensor tensor(DataType::kF32, shape);
  std::fill_n(tensor.mutable_data<float>(), tensor.size(), value);
  return tensor;
}

template <typename T>
Tensor codes(const Shape& shape, DataType dtype, int value) {
  Tensor tensor(dtype, shape);
  std::fill_n(tensor.mutable_data<T>(), tensor.size(), static_cast<T>(value));
  return tensor;
}

double sqnr(const Tensor& expected, const Tensor& actual) {
  double signal = 0, noise = 1e-30;
  for (int64_t i = 0; i < expected.size(); ++i) {
    const double e = expected.data<float>()[i], a = actual.data<float>()[i];
    signal += e * e;
    noise += (e - a) * (e - a);
  }
  return 10 * std::log10(signal / noise);
}

struct Planned : PlannedModel {
  Graph qdq;
};

Planned planned(const Graph& graph, const char* target = "native") {
  QuantizationScheme scheme;
  scheme.max_noise = 1e30;
  Planned result{plan_quantization(graph, test::measured_ranges(graph), scheme, find_target(target)), {}};
  result.qdq = insert_qdq(result);
  infer_shapes(result.qdq);
  return result;
}

/// `inputs` weights of `value` behind an input that is positive, as each kind of layer.
Graph layer(const std::string& op_type, int64_t inputs, float value, float bias = 0) {
  GraphBuilder b;
  const bool is_image = op_type == "Conv" || op_type == "ConvTranspose";
  const ValueId x = b.input("x", is_image ? Shape{1, inputs, 1, 2} : Shape{2, inputs});
  const ValueId positive = b.node("Sigmoid", {x});
  std::vector<ValueId> operands{positive};
  if (is_image) {
    operands.push_back(
        b.constant("w", filled(op_type == "Conv" ? Shape{2, inputs, 1, 1} : Shape{inputs, 2, 1, 1}, value)));
  } else {
    operands.push_back(b.constant("w", filled({inputs, 2}, value)));
  }
  if (bias != 0) operands.push_back(b.constant("b", filled({2}, bias)));
  Graph graph = b.build({b.node(op_type, operands)});
  infer_shapes(graph);
  return graph;
}

}  // namespace

TEST_CASE("exact sums: the bound is the largest sum that codes can make", "[sums]") {
  const WeightLayout layout = [] {
    WeightLayout l;
    l.outputs = 2;
    l.inputs = 40000;
    l.output_stride = 40000;
    l.input_stride = 1;
    return l;
  }();
  Tensor w(DataType::kS8, {2, 40000});
  for (int64_t i = 0; i < w.size(); ++i)
    w.mutable_data<int8_t>()[i] = static_cast<int8_t>(i % 2 == 0 ? -100 : i < 40000 ? 5 : 120);
  const SumBound bound = bound_of_sums(w, {0}, layout, {7, -9});
  CHECK(bound.codes == 20000.0 * 220);
  CHECK(bound.bias == 9);
  CHECK(bound.most == 255.0 * 20000 * 220 + 9);
  CHECK(bound.fits());
  CHECK_FALSE(bound_of_sums(w, {0}, layout, {0, 2.0e9}).fits());
  CHECK_FALSE(bound_of_sums(w, {0}, layout, {NAN, NAN}).fits());
  // Zero points per channel count.
  CHECK(bound_of_sums(w, {0, -128}, layout, {}).codes == 20000.0 * (28 + 248));
  // 2^31 / 255^2 products of any codes fit, one more does not.
  WeightLayout any = layout;
  any.inputs = 33025;
  CHECK(bound_of_any_codes(any, {}).fits());
  any.inputs = 33026;
  CHECK_FALSE(bound_of_any_codes(any, {}).fits());
}

TEST_CASE("exact sums: products of two activations count by their zero points", "[sums]") {
  CHECK(bound_of_products(33025, DataType::kU8, 0, DataType::kU8, 255).fits());
  CHECK_FALSE(bound_of_products(33026, DataType::kU8, 0, DataType::kU8, 255).fits());
  CHECK(bound_of_products(131071, DataType::kU8, 128, DataType::kS8, 0).fits());
  CHECK_FALSE(bound_of_products(131072, DataType::kU8, 128, DataType::kS8, 0).fits());
}

TEST_CASE("exact sums: a layer stays float just beyond the bound, with the numbers", "[sums]") {
  const std::string op_type = GENERATE("MatMul", "Gemm", "Conv", "ConvTranspose");
  INFO(op_type);
  for (bool fits : {true, false}) {
    const Graph graph = layer(op_type, fits ? kMost : kMost + 1, 0.25f);
    const Planned result = planned(graph);
    const PlannedNode& node = result.plan.nodes.back();
    CHECK((node.placement == Placement::kInteger) == fits);
    if (!fits) CHECK_THAT(node.reason, Catch::Contains("could leave s32") && Catch::Contains("8421"));
    const auto inputs = test::random_inputs(graph);
    const Tensor expected = test::run_graph(graph, inputs)[0];
    CHECK(sqnr(expected, test::run_graph(result.qdq, inputs)[0]) > 40);
    CHECK(sqnr(expected, test::run_graph(lower_to_qoperator(result.qdq, {}, Runtime::kAny), inputs)[0]) > 40);
  }
}

TEST_CASE("exact sums: weights of both signs, and smaller ones, may be more", "[sums]") {
  GraphBuilder b;
  const ValueId x = b.node("Sigmoid", {b.input("x", {1, 3 * kMost})});
  Graph graph = b.build({b.node("MatMul", {x, b.random("w", {3 * kMost / 2 * 2 + 3 * kMost % 2, 1})})});
  infer_shapes(graph);
  // A mean magnitude of 64 codes: three times as many would pass, twice as many would not.
  CHECK(planned(graph).plan.nodes.back().placement == Placement::kFloat);
  GraphBuilder c;
  const ValueId y = c.node("Sigmoid", {c.input("x", {1, 3 * kMost / 2})});
  graph = c.build({c.node("MatMul", {y, c.random("w", {3 * kMost / 2, 1})})});
  infer_shapes(graph);
  CHECK(planned(graph).plan.nodes.back().placement == Placement::kInteger);
}

TEST_CASE("exact sums: the bias is a part of the sum", "[sums]") {
  // A scale is widened until the bias needs 2^30 codes, which leaves half of s32 to the products; a small
  // bias widens nothing, and passes where the products alone nearly do.
  const Graph small = layer("Gemm", kMost / 2 - 100, 1e-6f, 4000), large = layer("Gemm", kMost, 0.25f, -1);
  CHECK(planned(small).plan.nodes.back().placement == Placement::kInteger);
  CHECK(planned(large).plan.nodes.back().placement == Placement::kFloat);
}

TEST_CASE("exact sums: QDQ files of other tools run in float where integers could wrap", "[sums]") {
  const std::string op_type = GENERATE("MatMul", "Gemm", "Conv", "ConvTranspose");
  INFO(op_type);
  const int64_t inputs = 90000;
  const bool is_image = op_type == "Conv" || op_type == "ConvTranspose";
  GraphBuilder b;
  const ValueId x = b.input("x", is_image ? Shape{1, inputs, 1, 1} : Shape{1, inputs});
  const ValueId scale = b.constant("s", Tensor::scalar(1 / 255.0f)),
                zero = b.constant("z", Tensor::scalar(uint8_t{0})),
                w_scale = b.constant("ws", Tensor::scalar(1e-5f)),
                w_zero = b.constant("wz", Tensor::scalar(int8_t{0})),
                y_scale = b.constant("ys", Tensor::scalar(1.0f));
  const Shape shape = op_type == "Conv"            ? Shape{1, inputs, 1, 1}
                      : op_type == "ConvTranspose" ? Shape{inputs, 1, 1, 1}
                                                   : Shape{inputs, 1};
  const ValueId w = b.constant("w", codes<int8_t>(shape, DataType::kS8, 127));
  const ValueId xd = b.node("DequantizeLinear", {b.node("QuantizeLinear", {x, scale, zero}), scale, zero});
  const ValueId y = b.node(op_type, {xd, b.node("DequantizeLinear", {w, w_scale, w_zero})});
  const ValueId yd =
      b.node("DequantizeLinear", {b.node("QuantizeLinear", {y, y_scale, zero}), y_scale, zero});
  Graph graph = b.build({yd});
  infer_shapes(graph);
  const Tensor input = filled(*graph.value(x).shape, 1);
  const float expected = std::nearbyint(90000 * 127 * 1e-5f);
  CHECK(test::run_graph(graph, {input})[0].data<float>()[0] == expected);
}

TEST_CASE("exact sums: integer operators in files add up in 64 bits where 32 are too few", "[sums]") {
  const int64_t inputs = 90000;
  const std::string op_type = GENERATE("QLinearMatMul", "QLinearConv", "QGemm", "MatMulIntegerToFloat");
  const bool is_constant = GENERATE(true, false);
  INFO(op_type << ", constant weights " << is_constant);
  GraphBuilder b;
  b.graph().info.opsets["com.microsoft"] = 1;
  const bool is_image = op_type == "QLinearConv";
  const ValueId x = b.input("x", is_image ? Shape{1, inputs, 1, 1} : Shape{1, inputs}, DataType::kU8);
  const ValueId s = b.constant("s", Tensor::scalar(1 / 255.0f)),
                z = b.constant("z", Tensor::scalar(uint8_t{0})), ws = b.constant("ws", Tensor::scalar(1e-5f)),
                wz = b.constant("wz", Tensor::scalar(int8_t{0})), ys = b.constant("ys", Tensor::scalar(1.0f));
  const Shape shape = is_image ? Shape{1, inputs, 1, 1} : Shape{inputs, 1};
  const Tensor weights = codes<int8_t>(shape, DataType::kS8, 127);
  const ValueId w = is_constant ? b.constant("w", weights) : b.input("w", shape, DataType::kS8);
  std::vector<ValueId> operands;
  if (op_type == "MatMulIntegerToFloat")
    operands = {x, w, s, ws, z, wz};
  else if (op_type == "QGemm")
    operands = {x, s, z, w, ws, wz, kNoValue, ys, z};
  else
    operands = {x, s, z, w, ws, wz, ys, z};
  const ValueId y = b.node(op_type, operands);
  if (op_type == "MatMulIntegerToFloat" || op_type == "QGemm")
    b.graph().nodes.back().domain = "com.microsoft";
  Graph graph = b.build({y});
  infer_shapes(graph);
  std::vector<Tensor> inputs_of{codes<uint8_t>(*graph.value(x).shape, DataType::kU8, 255)};
  if (!is_constant) inputs_of.push_back(weights);
  const Tensor result = test::run_graph(graph, inputs_of)[0];
  if (result.dtype() == DataType::kF32)
    CHECK(result.data<float>()[0] == Approx(114.3));
  else
    CHECK(int{result.data<uint8_t>()[0]} == 114);
}

TEST_CASE("exact sums: means of more codes than s32 holds are right, and planned in float", "[sums]") {
  const int64_t side = 3000;  // 9 million codes of 255 pass 2^31
  GraphBuilder b;
  b.graph().info.opsets["com.microsoft"] = 1;
  const ValueId x = b.input("x", {1, 1, side, side}, DataType::kU8);
  const ValueId s = b.constant("s", Tensor::scalar(1.0f)), z = b.constant("z", Tensor::scalar(uint8_t{0}));
  const ValueId y = b.node("QLinearGlobalAveragePool", {x, s, z, s, z});
  b.graph().nodes.back().domain = "com.microsoft";
  const Graph graph = b.build({y});
  const Tensor image = codes<uint8_t>({1, 1, side, side}, DataType::kU8, 254);
  CHECK(int{test::run_graph(graph, {image})[0].data<uint8_t>()[0]} == 254);

  Node pool;
  CHECK_FALSE(bound_of_pool(pool, Shape{1, 1, side, side}).fits());
  CHECK(bound_of_pool(pool, Shape{1, 64, 2000, 2000}).fits());
  CHECK(bound_of_pool(pool, Shape{1, 64, kUnknownDim, kUnknownDim}).fits());
  pool.attributes["kernel_shape"] = std::vector<int64_t>{side, side};
  CHECK_FALSE(bound_of_pool(pool, Shape{1, 1, side, side}).fits());
}

}  // namespace quantize
