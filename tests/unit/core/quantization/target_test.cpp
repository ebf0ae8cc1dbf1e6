// Wishes that a TargetProfile can state and no target of the program has: each on a target made for it.
#include "core/quantization/target.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "core/engine/engine.h"
#include "core/quantization/check_scheme.h"
#include "core/quantization/insert_qdq.h"
#include "tests/support/planned_graph.h"

using namespace quantize;
using test::conv;
using test::GraphBuilder;
using test::plan_of;
using test::Planned;

namespace {

constexpr IntegerOperator kLayersInReals[] = {{.op_type = "Conv", .output = OutputForm::kReals},
                                              {.op_type = "Gemm", .output = OutputForm::kReals}};
constexpr IntegerOperator kSharing[] = {{.op_type = "Conv"},
                                        {.op_type = "Concat", .scales = ScaleSharing::kAlways}};
constexpr TypePair kSignedAlone[] = {{DataType::kS8, DataType::kS8, true}};
constexpr TypePair kBoth[] = {{DataType::kU8, DataType::kS8}, {DataType::kS8, DataType::kS8}};
constexpr IntegerOperator kUnsignedConv[] = {
    {.op_type = "Conv", .type_pairs = std::span<const TypePair>(kBoth, 1)},
    {.op_type = "Gemm", .output = OutputForm::kCodesOrReals}};

TargetProfile target_of(std::span<const IntegerOperator> operators) {
  return {.name = "a-runtime",
          .description = "a runtime",
          .operators = operators,
          .type_pairs = kBoth,
          .opsets = {13, 17}};
}

size_t count(const Graph& graph, const std::string& op_type) {
  return static_cast<size_t>(std::count_if(graph.nodes.begin(), graph.nodes.end(),
                                           [&](const Node& node) { return node.op_type == op_type; }));
}

/// The operator behind which a value is made; "" for an input or a constant.
std::string maker(const Graph& graph, ValueId id) {
  const NodeId n = GraphIndex(graph).producer(id);
  return n == kNoNode ? "" : graph.nodes[static_cast<size_t>(n)].op_type;
}

void check_near(const Planned& p) {
  Graph qdq = insert_qdq(p);
  infer_shapes(qdq);
  validate(qdq);
  const Tensor x = test::random_tensor(*p.graph.value(p.graph.inputs[0]).shape, 7);
  const std::vector<Tensor> exact = Engine(p.graph, {}).run({x}), rounded = Engine(qdq, {}).run({x});
  double signal = 0, noise = 0;
  for (int64_t i = 0; i < exact[0].size(); ++i) {
    const double a = double{exact[0].data<float>()[i]}, b = double{rounded[0].data<float>()[i]};
    signal += a * a;
    noise += (a - b) * (a - b);
  }
  CHECK(10 * std::log10(signal / noise) > 25);
}

}  // namespace

TEST_CASE("target: operators that return reals have QuantizeLinear in front alone") {
  GraphBuilder b;
  const ValueId y = conv(b, b.input("x", {1, 3, 8, 8}), 3, 4);
  const ValueId z = b.node("Add", {conv(b, y, 4, 4), y});  // a reader of reals beside one of codes
  const TargetProfile target = target_of(kLayersInReals);
  const Planned p = plan_of(b, {conv(b, z, 4, 2)}, {}, {}, target);
  const Graph qdq = insert_qdq(p);
  CHECK(p.placement("Add") == Placement::kFloat);
  for (size_t n = 0; n < 3; ++n) CHECK(p.node("Conv", n).returns_reals);
  CHECK(count(qdq, "QuantizeLinear") == 3);
  for (const Node& node : qdq.nodes)
    if (node.op_type == "Add")
      for (ValueId id : node.inputs) CHECK(maker(qdq, id) == "Conv");
  check_near(p);
}

TEST_CASE("target: the residual of layers in reals is codes, the other operand of the addition is not") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 8, 8});
  const ValueId skip = b.node("Relu", {conv(b, x, 3, 4)});
  const ValueId sum = b.node("Add", {conv(b, b.node("Sigmoid", {conv(b, skip, 4, 4)}), 4, 4), skip});
  const ValueId end = conv(b, b.node("Relu", {sum}), 4, 2);
  const TargetProfile& target = find_target("tensorrt");
  QuantizationScheme scheme;
  take_types(scheme, target, target.choose_types({}, {}));
  const Planned p = plan_of(b, {end}, scheme, {}, target);
  const Graph qdq = insert_qdq(p);
  for (const char* op_type : {"Add", "Sigmoid", "Relu"}) CHECK(p.placement(op_type) == Placement::kFused);
  for (const Node& node : qdq.nodes)
    if (node.op_type == "Add") {
      CHECK(maker(qdq, node.inputs[0]) == "Conv");
      CHECK(maker(qdq, node.inputs[1]) == "DequantizeLinear");
    }
  CHECK(count(qdq, "QuantizeLinear") == 4);  // of x and what Relu, Sigmoid and Relu make
  CHECK(count(qdq, "Relu") == 2);
  for (const PlannedValue& value : p.plan.values)
    if (value.params) CHECK(value.params->zero_point[0] == 0);
  check_near(p);
}

TEST_CASE("target: scales that are fixed, and results that are rounded") {
  GraphBuilder b;
  const ValueId y = b.node("Sigmoid", {conv(b, b.input("x", {1, 3, 8, 8}), 3, 4)});
  const ValueId z = b.node("Softmax", {conv(b, y, 4, 2)}, {{"axis", int64_t{1}}});
  const TargetProfile& target = find_target("tflite");
  QuantizationScheme scheme;
  scheme.max_noise = 1;
  take_types(scheme, target, target.choose_types({}, {}));
  const Planned p = plan_of(b, {z}, scheme, {}, target);
  for (const char* name : {"sigmoid_1_out", "softmax_3_out"}) {
    REQUIRE(p.value(name).params);
    CHECK(p.value(name).params->scale[0] == 1.0f / 256);
    CHECK(p.value(name).params->zero_point[0] == -128);
  }
  CHECK(p.value("sigmoid_1_out").reason == "fixed by tflite for the result of every Sigmoid");
  CHECK(maker(insert_qdq(p), insert_qdq(p).outputs[0]) == "DequantizeLinear");
  scheme.overrides["sigmoid_1_out"].amax = 1.0f;
  CHECK_THROWS_WITH(plan_of(b, {z}, scheme, {}, target), Catch::Contains("fixes the scale"));
}

TEST_CASE("target: an operator that our engine has in float alone is codes where the runtime has it") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 8, 8});
  const ValueId y = b.node("Sub", {conv(b, x, 3, 4), conv(b, x, 3, 4)});
  const Planned p = plan_of(b, {conv(b, y, 4, 2)}, {}, {}, find_target("qnn"));
  CHECK(p.placement("Sub") == Placement::kInteger);
  check_near(p);
  CHECK(plan_of(b, {conv(b, y, 4, 2)}).placement("Sub") == Placement::kFloat);
}

TEST_CASE("target: all scales are powers of two, and weights have one each") {
  GraphBuilder b;
  const ValueId y = b.node("Relu", {conv(b, b.input("x", {1, 3, 8, 8}), 3, 4)});
  const ValueId z = conv(b, y, 4, 2);
  const TargetProfile& target = find_target("vitis");
  QuantizationScheme scheme;
  scheme.activations = {.dtype = DataType::kS8, .symmetric = true};
  CHECK_THROWS_WITH(plan_of(b, {z}, scheme, {}, target), Catch::Contains("powers of two alone"));
  take_types(scheme, target, target.choose_types({}, {}));
  const Planned p = plan_of(b, {z}, scheme, {}, target);
  const auto is_power = [](float scale) { return std::exp2(std::nearbyint(std::log2(scale))) == scale; };
  size_t values = 0;
  for (const PlannedValue& value : p.plan.values)
    if (value.params) {
      ++values;
      CHECK(is_power(value.params->scale[0]));
    }
  CHECK(values == 3);
  for (size_t n = 0; n < 2; ++n) {
    CHECK(p.node("Conv", n).weights->params.per_tensor());
    CHECK(is_power(p.node("Conv", n).weights->params.scale[0]));
  }
}

TEST_CASE("target: biases are reals where the runtime takes them so") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 8, 8});
  const ValueId y = b.node("Conv", {x, b.random("w", {4, 3, 3, 3}), b.random("bias", {4})});
  TargetProfile target = target_of(kLayersInReals);
  for (BiasForm form : {BiasForm::kCodes, BiasForm::kReals}) {
    target.bias = form;
    const Planned p = plan_of(b, {y}, {}, {}, target);
    const Graph qdq = insert_qdq(p);
    const Node& layer = qdq.nodes.back();
    REQUIRE(layer.op_type == "Conv");
    CHECK(maker(qdq, layer.inputs[2]) == (form == BiasForm::kCodes ? "DequantizeLinear" : ""));
    CHECK(qdq.value(layer.inputs[2]).dtype == DataType::kF32);
    check_near(p);
  }
}

TEST_CASE("target: one scale for all that a Concat reads and makes") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 8, 8});
  const ValueId left = conv(b, x, 3, 4), right = conv(b, x, 3, 4);
  const ValueId both = b.node("Concat", {left, right}, {{"axis", int64_t{1}}});
  const ValueId z = b.node("Concat", {conv(b, both, 8, 4), conv(b, left, 4, 4)}, {{"axis", int64_t{1}}});
  const ValueId end = conv(b, z, 8, 2);
  const TargetProfile target = target_of(kSharing);
  const auto wide = [&](RangeTable& ranges) { ranges.values.at("conv_0_out").ranges = {{-50, 50}}; };
  SECTION("that of others, too, and for the widest range") {
    QuantizationScheme scheme;
    scheme.max_noise = 1;
    const Planned p = plan_of(b, {end}, scheme, wide, target);
    REQUIRE(p.placement("Concat") == Placement::kInteger);
    CHECK(*p.value("conv_0_out").params == *p.value("concat_2_out").params);
    CHECK(*p.value("conv_1_out").params == *p.value("concat_2_out").params);
    CHECK(p.value("conv_1_out").params->scale[0] * 255 > 99);
  }
  SECTION("where that cannot be, the Concat stays float") {
    QuantizationScheme scheme;
    scheme.overrides["conv_1_out"].amax = 1.0f;
    const Planned p = plan_of(b, {end}, scheme, {}, target);
    CHECK(p.placement("Concat", 0) == Placement::kFloat);
    CHECK(p.node("Concat", 0).reason.find("'conv_1_out' cannot have the scale") != std::string::npos);
    CHECK(p.placement("Concat", 1) == Placement::kInteger);
  }
}

TEST_CASE("target: types of one operator, symmetric activations") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 4, 4});
  const ValueId y = b.node("Flatten", {conv(b, x, 3, 4)});
  const ValueId z = b.node("Gemm", {y, b.random("w", {64, 2})});
  QuantizationScheme scheme;
  scheme.activations = {.dtype = DataType::kS8};
  TargetProfile target = target_of(kUnsignedConv);
  const Planned p = plan_of(b, {z}, scheme, {}, target);
  CHECK(p.placement("Conv") == Placement::kFloat);
  CHECK(p.placement("Gemm") == Placement::kInteger);
  CHECK(plan_of(b, {z}, {}, {}, target).placement("Conv") == Placement::kInteger);

  target.type_pairs = kSignedAlone;
  CHECK_THROWS_WITH(plan_of(b, {z}, scheme, {}, target), Catch::Contains("zero point"));
  CHECK_THROWS_WITH(plan_of(b, {z}, {}, {}, target),
                    Catch::Contains("does not multiply u8 activations by s8 weights"));
  scheme.activations.symmetric = true;
  const Planned symmetric = plan_of(b, {z}, scheme, {}, target);
  REQUIRE(symmetric.value("flatten_1_out").params);
  CHECK(symmetric.value("flatten_1_out").params->zero_point[0] == 0);
}

TEST_CASE("target: models of other opsets are refused") {
  GraphBuilder b;
  const ValueId y = conv(b, b.input("x", {1, 3, 4, 4}), 3, 4);
  TargetProfile target = target_of(kSharing);
  CHECK_NOTHROW(plan_of(b, {y}, {}, {}, target));
  target.opsets = {18, 20};
  CHECK_THROWS_WITH(plan_of(b, {y}, {}, {}, target), Catch::Contains("opset 18 to 20"));
}

TEST_CASE("target: weights of u8 have their zero point in the middle and compute the same") {
  GraphBuilder b;
  const ValueId y = b.node("Relu", {conv(b, b.input("x", {1, 3, 8, 8}), 3, 4)});
  const ValueId z = conv(b, y, 4, 2);
  QuantizationScheme scheme;
  for (const char* name : {"ort-x86", "native"}) {
    scheme.weights.dtype = DataType::kU8;
    const Planned p = plan_of(b, {z}, scheme, {}, find_target(name));
    const QuantParams& params = p.node("Conv").weights->params;
    CHECK(params.dtype == DataType::kU8);
    CHECK(params.zero_point == std::vector<int32_t>(4, 128));
    check_near(p);
  }
  scheme.weights.num_bits = 4;
  CHECK_THROWS_WITH(plan_of(b, {z}, scheme), Catch::Contains("held as s8"));
}
