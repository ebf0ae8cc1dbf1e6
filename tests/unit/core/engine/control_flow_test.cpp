// If, Loop and Scan. tests/conformance/control_flow.py compares networks of them with ONNX Runtime.
#include <catch2/catch.hpp>
#include <numeric>

#include "core/error.h"
#include "core/passes/passes.h"
#include "tests/support/graph_builder.h"

using namespace quantize;
using namespace quantize::test;
using Catch::Matchers::Contains;

namespace {

using Floats = std::vector<float>;

Floats floats_of(const Tensor& tensor) {
  return {tensor.data<float>(), tensor.data<float>() + tensor.size()};
}

Attribute body(GraphBuilder& builder, const std::vector<ValueId>& results) {
  return std::make_shared<const Graph>(builder.build(results));
}

/// y = captured + addend.
Attribute branch(float addend) {
  GraphBuilder b;
  const ValueId x = b.input("x", {2});
  return body(b, {b.node("Add", {x, b.constant("addend", Tensor::of<float>({1}, {addend}))})});
}

/// y = x + 1 or x - 1, by a condition that is an input of the graph or a constant.
Graph choice(std::optional<bool> constant = {}) {
  GraphBuilder b;
  const ValueId condition =
      constant ? b.constant("c", Tensor::scalar(*constant)) : b.input("c", {}, DataType::kBool);
  const ValueId x = b.input("x", {2});
  const ValueId y = b.node("If", {condition, x}, {{"then_branch", branch(1)}, {"else_branch", branch(-1)}});
  b.graph().nodes.back().captures = 1;
  return b.build({b.node("Relu", {y})});
}

/// state = state * 2 while `go_on(state)`, and every state stacked. The body reads the limit from the graph around.
Graph doubling(int64_t trips, float limit, bool ends = true) {
  GraphBuilder inner;
  inner.input("i", {}, DataType::kS64);
  const ValueId go = inner.input("go", {}, DataType::kBool);
  const ValueId state = inner.input("state", {1});
  const ValueId high = inner.input("limit", {});
  const ValueId next = inner.node("Add", {state, state});
  const ValueId sum = inner.node("ReduceSum", {next}, {{"keepdims", int64_t{0}}});
  const ValueId less = inner.node("Less", {sum, high});
  const ValueId again = ends ? less : inner.node("Identity", {go});
  GraphBuilder b;
  const ValueId x = b.input("x", {1});
  const auto y =
      b.nodes("Loop",
              {b.constant("trips", Tensor::scalar<int64_t>(trips)), b.constant("yes", Tensor::scalar(true)),
               x, b.constant("limit", Tensor::scalar(limit))},
              2, {{"body", body(inner, {again, next, next})}});
  b.graph().nodes.back().captures = 1;
  return b.build(y);
}

}  // namespace

TEST_CASE("if: the branch of the condition runs, with what it captures", "[control flow]") {
  const Tensor x = Tensor::of<float>({2}, {0.5f, 3});
  Engine engine(choice(), {});
  CHECK(floats_of(engine.run({Tensor::scalar(true), x})[0]) == Floats{1.5f, 4});
  CHECK(floats_of(engine.run({Tensor::scalar(false), x})[0]) == Floats{0, 2});
}

TEST_CASE("if: a constant condition leaves the nodes of its branch", "[control flow]") {
  for (const bool condition : {true, false}) {
    const Graph opened = open_model(choice(condition));
    for (const Node& node : opened.nodes) CHECK_FALSE(node.has_bodies());
    CHECK(floats_of(run_graph(opened, {Tensor::of<float>({2}, {0.5f, 3})})[0]) ==
          (condition ? Floats{1.5f, 4} : Floats{0, 2}));
  }
}

TEST_CASE("loop: ends by its condition, by its trip count, or before it began", "[control flow]") {
  const Tensor one = Tensor::of<float>({1}, {1});
  const auto run = [&](int64_t trips, float limit) { return run_graph(doubling(trips, limit), {one}); };
  CHECK(floats_of(run(100, 20)[0]) == Floats{32});
  CHECK(run(100, 20)[1].shape() == Shape{5, 1});
  CHECK(floats_of(run(100, 20)[1]) == Floats{2, 4, 8, 16, 32});
  CHECK(floats_of(run(3, 20)[0]) == Floats{8});
  CHECK(floats_of(run(0, 20)[0]) == Floats{1});
  CHECK(run(0, 20)[1].shape() == Shape{0, 1});
}

TEST_CASE("loop: a state keeps the extents that no iteration changes", "[control flow]") {
  GraphBuilder inner;
  inner.input("i", {}, DataType::kS64);
  const ValueId go = inner.input("go", {}, DataType::kBool), state = inner.input("state", {1, 4});
  const ValueId longer = inner.node("Concat", {state, state}, {{"axis", int64_t{0}}});
  GraphBuilder b;
  const ValueId y = b.node("Loop",
                           {b.constant("trips", Tensor::scalar<int64_t>(3)),
                            b.constant("yes", Tensor::scalar(true)), b.input("x", {1, 4})},
                           {{"body", body(inner, {inner.node("Identity", {go}), longer})}});
  Graph graph = b.build({y});
  infer_shapes(graph);
  CHECK(*graph.value(y).shape == Shape{kUnknownDim, 4});
  const Graph& inferred = graph.nodes[0].body("body");
  CHECK(*inferred.value(inferred.inputs[2]).shape == Shape{kUnknownDim, 4});
  CHECK(run_graph(graph, {Tensor(DataType::kF32, {1, 4})})[0].shape() == Shape{8, 4});
}

TEST_CASE("loop: one that does not end is an error", "[control flow]") {
  GraphBuilder inner;
  inner.input("i", {}, DataType::kS64);
  const ValueId go = inner.input("go", {}, DataType::kBool);
  const ValueId state = inner.input("state", {1 << 20});
  GraphBuilder b;
  const auto y = b.nodes("Loop",
                         {b.constant("trips", Tensor::scalar<int64_t>(int64_t{1} << 40)),
                          b.constant("yes", Tensor::scalar(true)), b.input("x", {1 << 20})},
                         2,
                         {{"body", body(inner, {inner.node("Identity", {go}), inner.node("Neg", {state}),
                                                inner.node("Relu", {state})})}});
  const Graph graph = b.build(y);
  CHECK_THROWS_WITH(run_graph(graph, random_inputs(graph)), Contains("2 GiB"));
}

TEST_CASE("scan: slices along an axis, forward and backward, and stacks along another", "[control flow]") {
  GraphBuilder inner;
  const ValueId state = inner.input("state", {2});
  const ValueId column = inner.input("column", {2});
  const ValueId sum = inner.node("Add", {state, column});
  const Attribute step = body(inner, {sum, sum});
  const auto run = [&](int64_t backward, int64_t reversed) {
    GraphBuilder b;
    const auto y =
        b.nodes("Scan", {b.constant("zero", Tensor::of<float>({2}, {0, 0})), b.input("x", {2, 3})}, 2,
                {{"body", step},
                 {"num_scan_inputs", int64_t{1}},
                 {"scan_input_axes", std::vector<int64_t>{-1}},
                 {"scan_input_directions", std::vector<int64_t>{backward}},
                 {"scan_output_axes", std::vector<int64_t>{1}},
                 {"scan_output_directions", std::vector<int64_t>{reversed}}});
    return run_graph(b.build(y), {Tensor::of<float>({2, 3}, {1, 2, 3, 10, 20, 30})});
  };
  CHECK(floats_of(run(0, 0)[0]) == Floats{6, 60});
  CHECK(run(0, 0)[1].shape() == Shape{2, 3});
  CHECK(floats_of(run(0, 0)[1]) == Floats{1, 3, 6, 10, 30, 60});
  CHECK(floats_of(run(1, 0)[1]) == Floats{3, 5, 6, 30, 50, 60});
  CHECK(floats_of(run(0, 1)[1]) == Floats{6, 3, 1, 60, 30, 10});
}

TEST_CASE("control flow: what does not fit is named", "[control flow]") {
  Graph graph = choice();
  graph.nodes[0].attributes.erase("else_branch");
  CHECK_THROWS_WITH(infer_shapes(graph), Contains("else_branch") && Contains("missing"));
  graph = doubling(3, 20);
  graph.nodes[0].captures = 0;
  CHECK_NOTHROW(infer_shapes(graph));  // the captured value is a state then, whose result is the last one
  graph.nodes[0].inputs.pop_back();
  CHECK_THROWS_WITH(infer_shapes(graph), Contains("the body takes 4 values, not 3"));
}
