// Convolutions of floats as the engine runs them: Winograd's way, and additions that move into them.
#include <catch2/catch.hpp>

#include "core/engine/steps/winograd_conv.h"
#include "core/passes/passes.h"
#include "tests/support/graph_builder.h"

using namespace quantize;
using namespace quantize::test;

namespace {

using Ints = std::vector<int64_t>;

struct Layer {
  Shape image, weights;
  int64_t group = 1;
  Ints pads = {1, 1, 1, 1}, strides = {1, 1}, dilations = {1, 1};

  std::map<std::string, Attribute> attributes() const {
    return {{"group", group}, {"pads", pads}, {"strides", strides}, {"dilations", dilations}};
  }
};

Graph conv_graph(const Layer& layer) {
  GraphBuilder b;
  const ValueId x = b.input("x", layer.image);
  return b.build({b.node("Conv", {x, b.random("w", layer.weights), b.random("bias", {layer.weights[0]})},
                         layer.attributes())});
}

Tensor run_once(const Graph& graph, const std::vector<Tensor>& inputs, const CompileOptions& options) {
  return Engine(graph, options).run(inputs)[0];
}

std::vector<bool> keep_all(const Graph& graph) {
  return std::vector<bool>(graph.values.size(), true);
}

int tile_of(const Layer& layer) {
  const Graph graph = specialize(conv_graph(layer), {layer.image});
  const Node& node = graph.nodes[0];
  return winograd_tile(FloatConvShape(
      {.graph = graph, .node = node, .opset = graph.opset_of(node), .kernels = best_kernels()}));
}

/// Within 2e-6 of the largest output of a direct sum, and the same bytes at every level and for any number of threads.
void check_winograd(const Layer& layer) {
  const Graph graph = conv_graph(layer);
  const std::vector<Tensor> inputs = random_inputs(graph);
  INFO("Conv of " << to_string(layer.image) << " by " << to_string(layer.weights));
  const Tensor expected = run_once(graph, inputs, {.kernels = &kernels_for(Isa::kScalar)});
  const Tensor direct = run_once(graph, inputs, {.kernels = &kernels_for(Isa::kScalar, true)});
  CHECK(!equal(expected, direct));
  CHECK(relative_difference(expected, direct) < 2e-6);
  for (const Isa isa : supported_isas())
    for (const int threads : {1, 2, 7}) {
      INFO("isa " << name_of(isa) << " threads " << threads);
      CHECK(equal(run_once(graph, inputs, {.kernels = &kernels_for(isa), .threads = threads}), expected));
      CHECK(equal(run_once(graph, inputs, {.kernels = &kernels_for(isa, true), .threads = threads}), direct));
    }
}

/// Conv, Add, Relu in one step, of the same bytes as in three.
void check_addition(const Layer& layer, bool residual_first) {
  GraphBuilder b;
  const ValueId x = b.input("x", layer.image);
  const ValueId conv = b.node("Conv", {x, b.random("w", layer.weights)}, layer.attributes());
  Shape shape = layer.image;
  shape[1] = layer.weights[0];
  const ValueId residual = b.input("residual", shape);
  const ValueId sum =
      b.node("Add", residual_first ? std::vector{residual, conv} : std::vector{conv, residual});
  const Graph graph = b.build({b.node("Relu", {sum})});
  const std::vector<Tensor> inputs = random_inputs(graph);
  INFO("Conv of " << to_string(layer.image) << " by " << to_string(layer.weights));
  CHECK(compile(specialize(graph, {layer.image, shape}), {}).steps().size() == 1);
  for (const Isa isa : supported_isas())
    for (const int threads : {1, 3}) {
      CompileOptions options{.kernels = &kernels_for(isa), .threads = threads};
      const Tensor fused = run_once(graph, inputs, options);
      options.keep = keep_all(graph);
      CHECK(compile(specialize(graph, {layer.image, shape}), options).steps().size() == 3);
      CHECK(equal(run_once(graph, inputs, options), fused));
    }
}

}  // namespace

TEST_CASE("Winograd's tiles are for 3x3 taps without stride and dilation that are worth it", "[steps]") {
  CHECK(tile_of({{1, 64, 56, 56}, {64, 64, 3, 3}}) == 4);
  CHECK(tile_of({{1, 256, 14, 14}, {256, 256, 3, 3}}) == 2);
  CHECK(tile_of({{1, 64, 1, 1}, {64, 64, 3, 3}}) == 0);
  CHECK(tile_of({{1, 64, 56, 56}, {64, 64, 1, 1}, 1, {0, 0, 0, 0}}) == 0);
  CHECK(tile_of({{1, 64, 56, 56}, {64, 64, 3, 3}, 1, {1, 1, 1, 1}, {2, 2}}) == 0);
  CHECK(tile_of({{1, 64, 56, 56}, {64, 64, 3, 3}, 1, {1, 1, 1, 1}, {1, 1}, {2, 2}}) == 0);
}

TEST_CASE("convolutions by Winograd's way are near direct sums, and exact sums are to be had", "[steps]") {
  check_winograd({{1, 16, 37, 41}, {24, 16, 3, 3}});                   // bands of rows
  check_winograd({{2, 32, 14, 14}, {70, 32, 3, 3}});                   // images
  check_winograd({{1, 64, 12, 13}, {130, 64, 3, 3}});                  // panels of output channels
  check_winograd({{1, 48, 19, 30}, {48, 24, 3, 3}, 2, {0, 2, 1, 0}});  // groups, paddings that differ
}

TEST_CASE("an addition and a clamp move into the convolution before them", "[steps]") {
  for (const bool residual_first : {false, true}) {
    check_addition({{1, 24, 28, 28}, {40, 24, 1, 1}, 1, {0, 0, 0, 0}}, residual_first);
    check_addition({{1, 300, 7, 7}, {40, 300, 1, 1}, 1, {0, 0, 0, 0}}, residual_first);
    check_addition({{2, 32, 14, 14}, {64, 32, 3, 3}}, residual_first);
    check_addition({{1, 12, 9, 9}, {10, 6, 3, 3}, 2}, residual_first);
  }
}

TEST_CASE("an addition of two convolutions moves into the later one", "[steps]") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 8, 10, 10});
  const ValueId first = b.node("Conv", {x, b.random("w1", {8, 8, 1, 1})});
  const ValueId second = b.node("Conv", {x, b.random("w2", {8, 8, 1, 1})});
  const Graph graph = b.build({b.node("Add", {first, second})});
  const std::vector<Tensor> inputs = random_inputs(graph);
  CHECK(compile(specialize(graph, {{1, 8, 10, 10}}), {}).steps().size() == 2);
  CHECK(equal(run_once(graph, inputs, {}), run_once(graph, inputs, {.keep = keep_all(graph)})));
}

TEST_CASE("an addition whose other operand is computed behind the convolution moves into it", "[steps]") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 8, 10, 10});
  const ValueId conv = b.node("Conv", {x, b.random("w1", {8, 8, 1, 1})});
  const Graph graph = b.build({b.node("Add", {b.node("Neg", {x}), conv})});
  const std::vector<Tensor> inputs = random_inputs(graph);
  CHECK(compile(specialize(graph, {{1, 8, 10, 10}}), {}).steps().size() == 2);
  CHECK(equal(run_once(graph, inputs, {}), run_once(graph, inputs, {.keep = keep_all(graph)})));
}

TEST_CASE("an addition stays behind a depthwise convolution, and one that repeats its operand too",
          "[steps]") {
  const auto steps = [](const Shape& weights, int64_t group, const Shape& other) {
    GraphBuilder b;
    const ValueId x = b.input("x", {1, 8, 10, 10}), addend = b.input("addend", other);
    const ValueId conv = b.node("Conv", {x, b.random("w", weights)}, {{"group", group}});
    return compile(specialize(b.build({b.node("Add", {conv, addend})}), {{1, 8, 10, 10}, other}), {})
        .steps()
        .size();
  };
  CHECK(steps({8, 8, 1, 1}, 1, {1, 8, 10, 10}) == 1);
  CHECK(steps({8, 1, 1, 1}, 8, {1, 8, 10, 10}) == 2);
  CHECK(steps({8, 8, 1, 1}, 1, {1, 8, 1, 1}) == 2);
}
