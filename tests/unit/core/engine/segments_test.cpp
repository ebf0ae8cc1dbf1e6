// Graphs whose shapes depend on data, run in segments, against what their nodes mean.
#include "core/engine/segments.h"

#include <catch2/catch.hpp>
#include <set>

#include "core/error.h"
#include "tests/support/graph_builder.h"

using namespace quantize;
using namespace quantize::test;

namespace {

/// The positive elements of Relu(x - 0.5), doubled: their number depends on x.
Graph positive_elements() {
  GraphBuilder b;
  const ValueId x = b.input("x", {kUnknownDim});
  const ValueId shifted = b.node("Relu", {b.node("Sub", {x, b.constant("half", Tensor::scalar(0.5f))})});
  const ValueId places = b.node("Transpose", {b.node("NonZero", {shifted})});
  const ValueId found = b.node("GatherND", {shifted, places});
  return b.build({b.node("Mul", {found, b.constant("two", Tensor::scalar(2.0f))}), shifted});
}

class Recorder : public ExecutionObserver {
 public:
  void on_value(ValueId id, const TensorView& value) override {
    CHECK(seen.insert(id).second);
    sizes[id] = value.size();
  }
  std::set<ValueId> seen;
  std::map<ValueId, int64_t> sizes;
};

}  // namespace

TEST_CASE("a shape that depends on data is known when its part has run", "[segments]") {
  Engine engine(positive_elements(), {});
  for (int run = 0; run < 2; ++run) {
    const auto outputs = engine.run({Tensor::of<float>({4}, {1, 0, 2, 0.5f})});
    CHECK(equal(outputs[0], Tensor::of<float>({2}, {1, 3})));
    CHECK(equal(outputs[1], Tensor::of<float>({4}, {0.5f, 0, 1.5f, 0})));
    CHECK(equal(engine.run({Tensor::of<float>({2}, {3, 4})})[0], Tensor::of<float>({2}, {5, 7})));
    CHECK(engine.run({Tensor::of<float>({2}, {0, 0})})[0].shape() == Shape{0});
  }
}

TEST_CASE("the hash of a run in segments does not depend on the level or on threads", "[segments]") {
  const std::vector<Tensor> inputs{Tensor::of<float>({4}, {1, 0, 2, 0.5f})};
  const uint64_t hash = Engine(positive_elements(), {.kernels = &kernels_for(Isa::kScalar)}).hash(inputs);
  for (const Isa isa : supported_isas())
    CHECK(Engine(positive_elements(), {.kernels = &kernels_for(isa), .threads = 3}).hash(inputs) == hash);
  CHECK(Engine(positive_elements(), {}).hash({Tensor::of<float>({4}, {1, 0, 3, 0.5f})}) != hash);
}

TEST_CASE("an observer sees every value of all segments once", "[segments]") {
  const Graph graph = positive_elements();
  Engine engine(graph, {.keep = std::vector<bool>(graph.values.size(), true)});
  Recorder recorder;
  engine.run({Tensor::of<float>({4}, {1, 0, 2, 0.5f})}, &recorder);
  for (const Node& node : graph.nodes) CHECK(recorder.seen.count(node.outputs[0]) == 1);
  CHECK(recorder.seen.count(graph.inputs[0]) == 1);
  CHECK(recorder.sizes.at(graph.outputs[0]) == 2);
}

TEST_CASE("several nodes that decide shapes follow each other", "[segments]") {
  GraphBuilder b;
  const ValueId x = b.input("x", {3});
  const ValueId once =
      b.node("Compress", {x, b.node("Greater", {x, b.constant("zero", Tensor::scalar(0.0f))})});
  const ValueId sorted = b.nodes("Unique", {once}, 1)[0];
  const Graph graph = b.build({b.node("Neg", {sorted})});
  CHECK(equal(run_graph(graph, {Tensor::of<float>({3}, {2, -1, 2})})[0], Tensor::of<float>({1}, {-2})));
  CHECK(equal(run_graph(graph, {Tensor::of<float>({3}, {2, 1, 2})})[0], Tensor::of<float>({2}, {-1, -2})));
}

TEST_CASE("a model whose shapes depend on data has no single program", "[segments]") {
  Engine engine(positive_elements(), {});
  CHECK(engine.program({{4}}) == nullptr);
}

TEST_CASE("a run that is timed has every step of every part, in order, and the same results", "[segments]") {
  const Graph graph = positive_elements();
  Engine engine(graph, {});
  const std::vector<Tensor> inputs{Tensor::of<float>({4}, {1, 0, 2, 0.5f})};
  std::vector<StepTime> times;
  const std::vector<Tensor> results = engine.run(inputs, nullptr, &times);
  CHECK(equal(results[0], engine.run(inputs)[0]));
  std::vector<std::string> timed, expected;
  for (const StepTime& step : times) {
    CHECK(step.milliseconds >= 0);
    CHECK(step.owner != nullptr);
    timed.push_back(step.node->op_type);
  }
  for (const Node& node : graph.nodes) expected.push_back(node.op_type);
  CHECK(timed == expected);
  CHECK(times.back().shape == results[0].shape());
  CHECK(std::count_if(times.begin(), times.end(), [](const StepTime& s) { return s.program == nullptr; }) ==
        1);
}
