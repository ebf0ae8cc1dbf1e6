// QLinearWhere: its reference by hand, its way from Where, and its step.
#include <catch2/catch.hpp>

#include "core/integer/lowering.h"
#include "tests/support/check_engine.h"
#include "tests/support/planned_graph.h"
#include "tests/support/reference.h"

namespace quantize {

using test::GraphBuilder;

namespace {

/// A Where of two convolutions in front of a third; the condition is a constant of this shape.
struct Chosen {
  explicit Chosen(const Shape& condition) {
    const ValueId x = b.input("x", {2, 3, 7, 9});
    Tensor holds(DataType::kBool, condition);
    for (int64_t i = 0; i < holds.size(); ++i) holds.mutable_data<bool>()[i] = i * 7 % 3 == 0;
    const ValueId z =
        b.node("Where", {b.constant("condition", holds), test::conv(b, x, 3, 5), test::conv(b, x, 3, 5)});
    graph = b.build({test::conv(b, z, 5, 4)});
  }
  GraphBuilder b;
  Graph graph;
};

}  // namespace

TEST_CASE("QLinearWhere: codes of both operands are rounded to the scale of the result", "[where]") {
  GraphBuilder b;
  const ValueId condition = b.input("condition", {2, 1}, DataType::kBool);
  const ValueId x = b.input("x", {2, 3}, DataType::kU8), y = b.input("y", {3}, DataType::kU8);
  const auto scale = [&](float value) { return b.constant("scale", Tensor::scalar(value)); };
  const auto zero = [&](uint8_t code) { return b.constant("zero", Tensor::of<uint8_t>({}, {code})); };
  const ValueId z = b.node("QLinearWhere",
                           {condition, x, scale(0.5f), zero(10), y, scale(2), zero(0), scale(1), zero(100)});
  b.graph().nodes[0].domain = "com.microsoft";
  b.graph().info.opsets["com.microsoft"] = 1;
  Tensor holds(DataType::kBool, {2, 1});
  holds.mutable_data<bool>()[0] = true;
  holds.mutable_data<bool>()[1] = false;
  const Tensor result = test::evaluate_reference(
      b.build({z}),
      {holds, Tensor::of<uint8_t>({2, 3}, {10, 13, 255, 1, 2, 3}), Tensor::of<uint8_t>({3}, {0, 3, 200})});
  // (13 - 10) / 2 = 1.5 and (255 - 10) / 2 = 122.5 are halves, which go to the even code; 2 * 200 saturates.
  CHECK(equal(result, Tensor::of<uint8_t>({2, 3}, {100, 102, 222, 100, 106, 255})));
}

TEST_CASE("Where of two activations becomes QLinearWhere on every target that has it", "[where]") {
  for (const TargetProfile* target : all_targets()) {
    INFO(target->name);
    const Chosen chosen({7, 9});
    if (std::none_of(chosen.graph.nodes.begin(), chosen.graph.nodes.end(), [&](const Node& node) {
          return node.op_type == "Where" && target->find(chosen.graph, node) != nullptr;
        }))
      continue;
    const Graph lowered =
        lower_to_qoperator(test::quantized_graph(chosen.graph, target->name), {}, Runtime::kAny);
    CHECK(test::count_nodes(lowered, "QLinearWhere") == 1);
    CHECK(test::count_nodes(lowered, "Where") == 0);
  }
}

TEST_CASE("Where of a constant, or excluded, stays float", "[where]") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 7, 9});
  const ValueId y = test::conv(b, x, 3, 5);
  const ValueId condition = b.node("Greater", {y, b.constant("limit", Tensor::scalar(0.2f))});
  const ValueId z = b.node("Where", {condition, y, b.constant("other", Tensor::scalar(-3.0f))});
  const test::Planned planned = test::plan_of(b, {test::conv(b, z, 5, 4)});
  CHECK(planned.placement("Where") == Placement::kFloat);
  CHECK(planned.node("Where").reason == "reads the constant 'other'");
  QuantizationScheme scheme;
  scheme.exclude_op_types = {"Where"};
  Chosen chosen({7, 9});
  CHECK(test::plan_of(chosen.b, chosen.graph.outputs, scheme).placement("Where") == Placement::kFloat);
}

TEST_CASE("QLinearWhere: the step computes what the reference does, whatever the condition's shape",
          "[where]") {
  for (const Shape& condition :
       {Shape{2, 5, 7, 9}, Shape{7, 9}, Shape{1, 1, 7, 9}, Shape{}, Shape{1, 5, 1, 1}, Shape{2, 1, 7, 1}}) {
    INFO(to_string(condition));
    const Chosen chosen(condition);
    test::check_engine(test::quantized_graph(chosen.graph), test::random_inputs(chosen.graph));
  }
}

TEST_CASE("QLinearWhere: a condition that is computed", "[where]") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 16, 9});
  const ValueId y = test::conv(b, x, 3, 5), other = test::conv(b, x, 3, 5);
  const ValueId condition = b.node("Greater", {x, b.constant("limit", Tensor::scalar(0.0f))});
  const ValueId one =
      b.node("Slice", {condition, b.ints("from", {0}), b.ints("to", {1}), b.ints("axis", {1})});
  const Graph graph = b.build({test::conv(b, b.node("Where", {one, y, other}), 5, 4)});
  const Graph qdq = test::quantized_graph(graph);
  CHECK(test::count_nodes(lower_to_qoperator(qdq), "QLinearWhere") == 1);
  test::check_engine(qdq, test::random_inputs(graph));
}

}  // namespace quantize
