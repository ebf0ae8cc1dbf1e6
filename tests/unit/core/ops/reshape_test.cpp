#include <catch2/catch.hpp>

#include "core/passes/passes.h"
#include "tests/support/graph_builder.h"

using namespace quantize;
using namespace quantize::test;

namespace {

/// The inferred shape of a Reshape of x to `target`.
std::string reshape(const Shape& x, const std::vector<int64_t>& target, int64_t allowzero = 0) {
  GraphBuilder b(14);
  const ValueId y = b.node("Reshape", {b.input("x", x), b.ints("shape", target)}, {{"allowzero", allowzero}});
  Graph graph = b.build({y});
  infer_shapes(graph);
  return to_string(graph.value(y).shape.value());
}

std::string infer_one(GraphBuilder& b, ValueId y) {
  Graph graph = b.build({y});
  infer_shapes(graph);
  return graph.value(y).shape ? to_string(*graph.value(y).shape) : "no rank";
}

}  // namespace

TEST_CASE("Reshape solves -1, copies 0 and keeps unknown extents unknown") {
  CHECK(reshape({2, 3, 4}, {6, -1}) == "6x4");
  CHECK(reshape({2, 3, 4}, {0, -1}) == "2x12");
  CHECK(reshape({kUnknownDim, 16, 5, 5}, {-1, 400}) == "?x400");
  CHECK(reshape({kUnknownDim, 16, 5, 5}, {0, -1}) == "?x400");
  CHECK(reshape({kUnknownDim, kUnknownDim, 5}, {0, 0, -1}) == "?x?x5");
  CHECK(reshape({0, 3}, {3, 0}, 1) == "3x0");
}

TEST_CASE("Reshape refuses what cannot be") {
  CHECK_THROWS_AS(reshape({2, 3}, {4, -1}), Error);
  CHECK_THROWS_AS(reshape({2, 3}, {7}), Error);
  CHECK_THROWS_AS(reshape({2, 3}, {-1, -1}), Error);
  CHECK_THROWS_AS(reshape({2, 3}, {-2, 3}), Error);
  CHECK_THROWS_AS(reshape({2, 3}, {2, 3, 0}), Error);
  CHECK_THROWS_AS(reshape({0, 3}, {0, -1}, 1), Error);
}

TEST_CASE("Reshape to a computed shape knows the rank at least") {
  GraphBuilder b;
  const ValueId shape = b.input("shape", {3}, DataType::kS64);
  CHECK(infer_one(b, b.node("Reshape", {b.input("x", {2, 3}), shape})) == "?x?x?");
}

TEST_CASE("Flatten splits the shape at its axis") {
  const auto flatten = [](Shape x, int64_t axis) {
    GraphBuilder b;
    return infer_one(b, b.node("Flatten", {b.input("x", std::move(x))}, {{"axis", axis}}));
  };
  CHECK(flatten({2, 3, 4}, 1) == "2x12");
  CHECK(flatten({2, 3, 4}, 0) == "1x24");
  CHECK(flatten({2, 3, 4}, 3) == "24x1");
  CHECK(flatten({2, 3, 4}, -1) == "6x4");
  CHECK(flatten({kUnknownDim, 3, 4}, 1) == "?x12");
  CHECK_THROWS_AS(flatten({2, 3}, 3), Error);
}

TEST_CASE("Squeeze and Unsqueeze take axes as attribute and as input") {
  GraphBuilder old(11);
  const ValueId x = old.input("x", {1, 3, 1});
  CHECK(infer_one(old, old.node("Squeeze", {x}, {{"axes", std::vector<int64_t>{-1}}})) == "1x3");
  CHECK(infer_one(old, old.node("Squeeze", {x})) == "3");
  CHECK(infer_one(old, old.node("Unsqueeze", {x}, {{"axes", std::vector<int64_t>{0, 4}}})) == "1x1x3x1x1");
  GraphBuilder b(13);
  const ValueId z = b.input("z", {1, kUnknownDim, 1});
  CHECK(infer_one(b, b.node("Squeeze", {z, b.ints("axes", {0})})) == "?x1");
  CHECK(infer_one(b, b.node("Squeeze", {z})) == "no rank");
  CHECK_THROWS_AS(infer_one(old, old.node("Squeeze", {x}, {{"axes", std::vector<int64_t>{1}}})), Error);
  CHECK_THROWS_AS(infer_one(b, b.node("Unsqueeze", {z, b.ints("twice", {0, 0})})), Error);
}

TEST_CASE("Reshape moves the bytes of any type") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2, 3}, DataType::kU8);
  const Graph graph = b.build({b.node("Flatten", {x}, {{"axis", int64_t{0}}})});
  const auto outputs = run_graph(graph, {Tensor::of<uint8_t>({2, 3}, {1, 2, 3, 4, 5, 6})});
  CHECK(equal(outputs[0], Tensor::of<uint8_t>({1, 6}, {1, 2, 3, 4, 5, 6})));
}

TEST_CASE("nodes with too many or too few inputs are refused before any operator sees them") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2});
  CHECK_THROWS_AS(infer_one(b, b.node("Relu", {})), Error);
  CHECK_THROWS_AS(infer_one(b, b.node("Relu", {x, x})), Error);
  CHECK_THROWS_AS(infer_one(b, b.node("Reshape", {x, kNoValue})), Error);
}
