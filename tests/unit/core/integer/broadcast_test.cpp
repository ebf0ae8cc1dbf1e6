// Every element-wise operator with constants of every shape, between convolutions: whatever is fused, made a
// table or lowered computes what the float operators between Q and DQ do.
#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.h"
#include "core/fusion/patterns.h"
#include "core/integer/lowering.h"
#include "tests/support/quantized_graph.h"

namespace quantize {

using test::GraphBuilder;

namespace {

constexpr int64_t kChannels = 6;

struct Operator {
  const char* op_type;
  float low, high;  // of its constants
  bool constant_first = false;
  size_t constants = 1;
};

const Operator kOperators[] = {
    {"Add", -1, 1},
    {"Add", -1, 1, true},
    {"Sub", -1, 1},
    {"Sub", -1, 1, true},
    {"Mul", -2, 2},
    {"Mul", -2, 2, true},
    {"Div", 0.5f, 2},
    {"PRelu", 0.1f, 0.5f},
    {"Max", -0.5f, 0.5f},
    {"Max", -0.5f, 0.5f, true},
    {"Min", -0.5f, 0.5f},
    {"Min", -0.5f, 0.5f, true},
    {"Sum", -1, 1},
    {"Mean", -1, 1},
    {"Clip", -1, 0, false, 2},
};
// Continuous ones: a code that is rounded the other way stays a small difference.
const char* kUnary[] = {"Relu", "LeakyRelu", "Sigmoid", "HardSigmoid", "HardSwish", "Elu", "Celu", "Selu",
                        "Tanh", "Gelu",      "Mish",    "Softplus",    "Softsign",  "Abs", "Neg",  "Erf"};

/// Shapes that a constant beside an image [1, kChannels, 4, 4] could have; the last ones have more axes.
const Shape kShapes[] = {{},
                         {1},
                         {1, 1},
                         {1, 1, 1},
                         {1, 1, 1, 1},
                         {kChannels, 1, 1},
                         {1, kChannels, 1, 1},
                         {4},
                         {4, 1},
                         {1, 1, 4, 4},
                         {1, 1, 1, 1, 1},
                         {1, 1, kChannels, 1, 1}};

ValueId rounded(GraphBuilder& b, ValueId x, float scale, uint8_t zero_point) {
  const std::string name = std::to_string(b.graph().nodes.size());
  const ValueId s = b.constant("s" + name, Tensor::scalar(scale)),
                z = b.constant("z" + name, Tensor::scalar(zero_point));
  return b.node("DequantizeLinear", {b.node("QuantizeLinear", {x, s, z}), s, z});
}

ValueId weights(GraphBuilder& b, const Shape& shape) {
  const std::string name = std::to_string(b.graph().nodes.size());
  Tensor codes(DataType::kS8, shape);
  const Tensor reals = test::random_tensor(shape, static_cast<uint32_t>(b.graph().nodes.size()), -127, 127);
  for (int64_t i = 0; i < codes.size(); ++i)
    codes.mutable_data<int8_t>()[i] = static_cast<int8_t>(reals.data<float>()[i]);
  return b.node("DequantizeLinear",
                {b.constant("w" + name, codes), b.constant("ws" + name, Tensor::scalar(0.01f)),
                 b.constant("wz" + name, Tensor::scalar(int8_t{0}))});
}

/// image -> convolution -> Q, DQ -> what `apply` makes -> Q, DQ -> convolution, if `is_image` says, once
/// `apply` is done, that it is still one.
Graph island(GraphBuilder& b, bool rounds_before, const std::function<ValueId(ValueId)>& apply,
             const bool& is_image) {
  const ValueId x = rounded(b, b.input("x", {1, 3, 4, 4}), 1 / 64.0f, 128);
  ValueId y = b.node("Conv", {x, weights(b, {kChannels, 3, 1, 1})});
  if (rounds_before) y = rounded(b, y, 1 / 32.0f, 128);
  y = rounded(b, apply(y), 1 / 30.0f, 127);
  if (is_image) y = b.node("Conv", {y, weights(b, {2, kChannels, 1, 1})});
  return b.build({y});
}

/// The largest difference between the engine, which fuses, and the reference, which does not, in units of
/// the output's range.
double difference(const Graph& graph) {
  const auto inputs = test::random_inputs(graph);
  Graph known = graph;
  infer_shapes(known);
  validate(lower_to_qoperator(known));
  return test::relative_difference(test::run_graph(graph, inputs)[0],
                                   test::reference_outputs(graph, inputs)[0]);
}

}  // namespace

TEST_CASE("broadcasting: operators with constants of every shape, fused as they are computed",
          "[broadcast]") {
  for (const Operator& op : kOperators)
    for (const Shape& shape : kShapes)
      for (bool rounds_before : {true, false}) {
        INFO(op.op_type << " by a constant of shape " << to_string(shape) << ", first " << op.constant_first
                        << ", rounded before " << rounds_before);
        const std::string type = op.op_type;
        const bool is_longer = shape.size() > 4, is_clip = type == "Clip";
        if (is_longer && type == "PRelu") continue;  // the slope must not have more axes
        if (is_clip && element_count(shape) != 1) continue;
        GraphBuilder b(20);
        const Graph graph = island(
            b, rounds_before,
            [&](ValueId y) {
              std::vector<ValueId> operands{y, b.random("c", shape, op.low, op.high)};
              if (op.constant_first) std::swap(operands[0], operands[1]);
              if (op.constants == 2) operands.push_back(b.random("c2", shape, 0.25f, 1));
              return b.node(type, operands);
            },
            !is_longer || is_clip);
        CHECK(difference(graph) < 0.02);
      }
}

TEST_CASE("broadcasting: chains of operators with constants of several shapes", "[broadcast]") {
  std::mt19937 random(5);
  const auto pick = [&](size_t n) { return static_cast<size_t>(random()) % n; };
  for (int round = 0; round < 150; ++round) {
    GraphBuilder b(20);
    std::string text;
    bool is_image = true;
    const Graph graph = island(
        b, pick(2) == 0,
        [&](ValueId y) {
          for (size_t i = 0, count = 1 + pick(4); i < count; ++i) {
            if (pick(2) == 0) {
              text += std::string(" ") + kUnary[pick(std::size(kUnary))];
              y = b.node(text.substr(text.rfind(' ') + 1), {y});
              continue;
            }
            const Operator& op = kOperators[pick(std::size(kOperators))];
            const Shape& shape = kShapes[pick(std::size(kShapes))];
            const std::string type = op.op_type;
            if ((type == "PRelu" && (shape.size() > 4 || !is_image)) ||
                (type == "Clip" && element_count(shape) != 1))
              continue;
            is_image = is_image && (shape.size() <= 4 || type == "Clip");
            text += " " + type + to_string(shape);
            const std::string name = "c" + std::to_string(i);
            std::vector<ValueId> operands{y, b.random(name, shape, op.low, op.high)};
            if (op.constant_first) std::swap(operands[0], operands[1]);
            if (op.constants == 2) operands.push_back(b.random(name + "_high", shape, 0.25f, 1));
            y = b.node(type, operands);
          }
          return b.node("Identity", {y});
        },
        is_image);
    INFO("round " << round << ":" << text);
    CHECK(difference(graph) < 0.02);
  }
}

TEST_CASE("broadcasting: a PRelu of one slope between convolutions is a table, whatever its slope's shape",
          "[broadcast]") {
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{1, 1}, Shape{1, 1, 1}, Shape{1, 1, 1, 1}}) {
    INFO(to_string(shape));
    GraphBuilder b(20);
    const Graph graph = island(
        b, true,
        [&](ValueId y) {
          return b.node("PRelu", {y, b.random("slope", shape, 0.2f, 0.3f)});
        },
        true);
    const auto inputs = test::random_inputs(graph);
    CHECK(test::relative_difference(test::run_graph(graph, inputs)[0],
                                    test::reference_outputs(lower_to_qoperator(graph), inputs)[0]) < 1e-5);
    Engine engine(graph, {});
    size_t slopes = 0;
    for (const Step& step : engine.program({Shape{1, 3, 4, 4}})->steps())
      slopes += step.node.op_type == "PRelu" ? 1 : 0;
    CHECK(slopes == 0);
  }
}

TEST_CASE("broadcasting: a constant of one element broadcasts as a scalar unless it has more axes",
          "[broadcast]") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2, 3});
  Graph graph = b.build({b.node("Relu", {x})});
  for (size_t rank = 0; rank < 5; ++rank)
    CHECK(broadcasts_as_scalar(graph, test::random_tensor(Shape(rank, 1), 1), x) == (rank <= 2));
  CHECK_FALSE(broadcasts_as_scalar(graph, test::random_tensor({3}, 1), x));
  graph.value(x).shape.reset();
  CHECK(broadcasts_as_scalar(graph, Tensor::scalar(1.0f), x));
  CHECK_FALSE(broadcasts_as_scalar(graph, test::random_tensor({1}, 1), x));
}

}  // namespace quantize
