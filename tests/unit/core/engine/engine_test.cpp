#include "core/engine/engine.h"

#include <catch2/catch.hpp>
#include <map>

#include "core/error.h"
#include "core/parallel.h"
#include "core/passes/passes.h"
#include "tests/support/graph_builder.h"

using namespace quantize;
using namespace quantize::test;
using Catch::Contains;

namespace {

/// Relu(x) + x for x of Nx3: several steps, any batch.
Graph relu_plus(GraphBuilder& b) {
  const ValueId x = b.input("x", {kUnknownDim, 3});
  return b.build({b.node("Add", {b.node("Relu", {x}), x})});
}

Tensor expected_relu_plus(const Tensor& x) {
  Tensor y(DataType::kF32, x.shape());
  for (int64_t i = 0; i < x.size(); ++i) {
    const float value = x.data<float>()[i];
    y.mutable_data<float>()[i] = std::max(value, 0.0f) + value;
  }
  return y;
}

class Recorder : public ExecutionObserver {
 public:
  void on_value(ValueId id, const TensorView& value) override {
    order.push_back(id);
    seen[id] = {value.as<float>(), value.as<float>() + value.size()};
  }
  std::vector<ValueId> order;
  std::map<ValueId, std::vector<float>> seen;
};

}  // namespace

TEST_CASE("one engine runs any input shape the model allows, more than it keeps programs for") {
  GraphBuilder b;
  Engine engine(relu_plus(b), {});
  for (int round = 0; round < 2; ++round)
    for (int64_t batch = 1; batch <= 12; ++batch) {
      const Tensor x = random_tensor({batch, 3}, static_cast<uint32_t>(batch));
      CHECK(equal(engine.run({x})[0], expected_relu_plus(x)));
    }
}

TEST_CASE("wrong inputs are refused by name") {
  GraphBuilder b;
  Engine engine(relu_plus(b), {});
  CHECK_THROWS_WITH(engine.run({random_tensor({2, 4}, 1)}), Contains("'x'") && Contains("?x3"));
  CHECK_THROWS_AS(engine.run({random_tensor({2}, 1)}), Error);
  CHECK_THROWS_AS(engine.run({}), Error);
  CHECK_THROWS_WITH(engine.run({Tensor(DataType::kS32, Shape{2, 3})}), Contains("f32"));
}

TEST_CASE("an engine runs on several threads at once, each with its own memory") {
  GraphBuilder b;
  Engine engine(relu_plus(b), {});
  std::vector<char> right(64, 0);
  parallel_for(right.size(), 4, [&](size_t i, int) {
    const Tensor x = random_tensor({static_cast<int64_t>(i % 3 + 1), 3}, static_cast<uint32_t>(i));
    right[i] = equal(engine.run({x})[0], expected_relu_plus(x)) ? 1 : 0;
  });
  CHECK(std::count(right.begin(), right.end(), 1) == 64);
}

TEST_CASE("outputs may be inputs, constants, or one value twice") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2}), unused = b.input("unused", {1000});
  const ValueId c = b.constant("c", Tensor::of<float>({2}, {5, 6})), y = b.node("Relu", {x});
  const Graph graph = b.build({x, c, y, y});
  const Tensor in = Tensor::of<float>({2}, {-1, 1});
  const auto outputs = run_graph(graph, {in, random_tensor({1000}, 1)});
  CHECK(equal(outputs[0], in));
  CHECK(equal(outputs[1], Tensor::of<float>({2}, {5, 6})));
  CHECK(equal(outputs[2], Tensor::of<float>({2}, {0, 1})));
  CHECK(equal(outputs[3], outputs[2]));
  CHECK(unused != kNoValue);
}

TEST_CASE("tensors without elements pass through") {
  GraphBuilder b;
  const ValueId x = b.input("x", {kUnknownDim, 3});
  const Graph graph = b.build({b.node("Relu", {x}), b.node("ReduceSum", {x, b.ints("axes", {0})})});
  const auto outputs = run_graph(graph, {Tensor(DataType::kF32, Shape{0, 3})});
  CHECK(outputs[0].shape() == Shape{0, 3});
  CHECK(equal(outputs[1], Tensor::of<float>({1, 3}, {0, 0, 0})));
}

TEST_CASE("a clamp is fused into the product before it unless somebody wants to see that") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 6, 6});
  const ValueId conv = b.node("Conv", {x, b.random("w", {4, 3, 3, 3})}), y = b.node("Relu", {conv});
  const Graph graph = b.build({y});
  const Tensor input = random_tensor({1, 3, 6, 6}, 3);

  const Program fused = compile(specialize(graph, {input.shape()}), {});
  CHECK(fused.steps().size() == 1);

  CompileOptions options;
  options.keep.assign(graph.values.size(), false);
  for (ValueId id : {x, conv, y}) options.keep[static_cast<size_t>(id)] = true;
  Engine watched(graph, options);
  Recorder recorder;
  const Tensor output = watched.run({input}, &recorder)[0];
  CHECK(recorder.order == std::vector<ValueId>{x, conv, y});
  CHECK(recorder.seen[x] == input.to_vector<float>());
  CHECK(recorder.seen[y] == output.to_vector<float>());
  CHECK(*std::min_element(recorder.seen[conv].begin(), recorder.seen[conv].end()) < 0);
  CHECK(relative_difference(run_graph(graph, {input})[0], output) < 1e-6);
}

TEST_CASE("the arena is smaller than all tensors together") {
  GraphBuilder b;
  ValueId value = b.input("x", {1000});
  for (int i = 0; i < 20; ++i) value = b.node("Neg", {value});
  const Program program = compile(specialize(b.build({value}), {{1000}}), {});
  CHECK(program.arena_bytes() < 4 * 1000 * 5);
}

TEST_CASE("an error while running says which node it was") {
  GraphBuilder b;
  const ValueId index = b.input("index", {1}, DataType::kS64);
  Engine engine(b.build({b.node("Gather", {b.random("table", {4, 2}), index})}), {});
  CHECK(engine.run({int_tensor({3})})[0].shape() == Shape{1, 2});
  CHECK_THROWS_WITH(engine.run({int_tensor({4})}), Contains("gather_0") && Contains("index 4"));
  CHECK(engine.run({int_tensor({-4})})[0].shape() == Shape{1, 2});
}

TEST_CASE("a model that cannot be compiled says so each time") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1});
  Engine engine(b.build({b.node("Expand", {x, b.ints("shape", {1 << 20, 1 << 21})})}), {});
  for (int i = 0; i < 3; ++i)
    CHECK_THROWS_WITH(engine.run({Tensor(DataType::kF32, {1})}), Contains("too large"));
}
