// Along which axis channels lie: what layers multiply decides, through everything that keeps channels apart.
#include "core/fusion/channel_axes.h"

#include <catch2/catch.hpp>

#include "core/passes/passes.h"
#include "tests/support/graph_builder.h"

namespace quantize {

using test::GraphBuilder;

namespace {

using List = std::vector<int64_t>;

/// The axis of each of these values in the graph so far.
std::vector<std::optional<size_t>> axes_of(GraphBuilder& b, ValueId output,
                                           const std::vector<ValueId>& values) {
  Graph graph = b.build({output});
  infer_shapes(graph);
  const ChannelAxes axes = channel_axes(graph, GraphIndex(graph));
  std::vector<std::optional<size_t>> result;
  for (ValueId id : values) result.push_back(axes[static_cast<size_t>(id)]);
  return result;
}

using Axes = std::vector<std::optional<size_t>>;

}  // namespace

TEST_CASE("channel axes: a Conv multiplies axis 1 at any rank, a MatMul the last one", "[axes]") {
  for (size_t rank : {3, 4, 5}) {
    GraphBuilder b;
    Shape image(rank, 6), kernel(rank, 1);
    kernel[0] = kernel[1] = 6;
    const ValueId x = b.input("x", image);
    const ValueId y = b.node("Conv", {x, b.random("w", kernel)});
    CHECK(axes_of(b, y, {x, y}) == Axes{1, 1});
  }
  for (size_t rank : {2, 3, 4, 5}) {
    GraphBuilder b;
    const ValueId x = b.input("x", Shape(rank, 6));
    const ValueId y = b.node("MatMul", {x, b.random("w", {6, 6})});
    CHECK(axes_of(b, y, {x, y}) == Axes{rank - 1, rank - 1});
  }
}

TEST_CASE("channel axes: are followed back from a layer and forward from one", "[axes]") {
  GraphBuilder b(17);
  const ValueId x = b.input("x", {1, 8, 4, 6});
  const ValueId conv = b.node("Conv", {x, b.random("dw", {8, 1, 1, 1})}, {{"group", int64_t{8}}});
  const ValueId last = b.node("Transpose", {conv}, {{"perm", List{0, 2, 3, 1}}});
  const ValueId normal =
      b.node("LayerNormalization", {last, b.random("s", {8}), b.random("b", {8})}, {{"axis", int64_t{-1}}});
  const ValueId wide = b.node("MatMul", {normal, b.random("w", {8, 16})});
  const ValueId biased = b.node("Add", {wide, b.random("wb", {16})});
  const ValueId windows = b.node("Reshape", {biased, b.ints("to", {2, 12, 16})});
  const ValueId image = b.node("Transpose", {biased}, {{"perm", List{0, 3, 1, 2}}});
  const ValueId sum = b.node("Add", {b.node("Relu", {image}), b.node("Sigmoid", {image})});
  const ValueId y = b.node(
      "Concat",
      {b.node("Reshape", {sum, b.ints("flat", {-1})}), b.node("Reshape", {windows, b.ints("flat2", {-1})})},
      {{"axis", int64_t{0}}});
  CHECK(axes_of(b, y, {x, conv, last, normal, wide, biased, windows, image, sum}) ==
        Axes{1, 1, 3, 3, 3, 3, 2, 1, 1});
}

TEST_CASE("channel axes: nothing is said where nothing is known", "[axes]") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2, 3, 4, 5});
  const ValueId y = b.node("Relu", {x});
  CHECK(axes_of(b, y, {x, y}) == Axes{std::nullopt, std::nullopt});
  CHECK(default_channel_axis(4) == std::optional<size_t>(1));
  CHECK(default_channel_axis(3) == std::optional<size_t>(2));
  CHECK(default_channel_axis(1) == std::nullopt);
}

}  // namespace quantize
