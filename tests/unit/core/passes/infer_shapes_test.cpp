#include <catch2/catch.hpp>

#include "core/passes/passes.h"
#include "tests/support/graph_builder.h"

using namespace quantize;
using namespace quantize::test;
using Catch::Contains;

namespace {

std::string inferred(GraphBuilder& b, ValueId id) {
  Graph graph = b.build({id});
  infer_shapes(graph);
  const auto& shape = graph.value(id).shape;
  return shape ? to_string(*shape) : "no rank";
}

}  // namespace

TEST_CASE("an unknown batch goes through a network and no further") {
  GraphBuilder b;
  const ValueId x = b.input("x", {kUnknownDim, 3, 8, 8});
  const ValueId conv = b.node("Conv", {x, b.random("w", {4, 3, 3, 3})});
  const ValueId pool =
      b.node("MaxPool", {conv},
             {{"kernel_shape", std::vector<int64_t>{2, 2}}, {"strides", std::vector<int64_t>{2, 2}}});
  const ValueId flat = b.node("Flatten", {pool});
  const ValueId y = b.node("Gemm", {flat, b.random("v", {36, 10})});
  CHECK(inferred(b, conv) == "?x4x6x6");
  CHECK(inferred(b, flat) == "?x36");
  CHECK(inferred(b, y) == "?x10");
}

TEST_CASE("a shape chain is followed element by element with the batch unknown") {
  GraphBuilder b;
  const ValueId x = b.input("x", {kUnknownDim, 16, 5, 5});
  const ValueId shape = b.node("Shape", {x});
  const ValueId batch = b.node("Gather", {shape, b.constant("zero", Tensor::scalar<int64_t>(0))});
  const ValueId batches = b.node("Unsqueeze", {batch, b.ints("axes", {0})});
  const ValueId target = b.node("Concat", {batches, b.ints("rest", {-1})}, {{"axis", int64_t{0}}});
  CHECK(inferred(b, b.node("Reshape", {x, target})) == "?x?");
  // Arithmetic on the known part: channels * 25.
  const ValueId channels = b.node("Gather", {shape, b.constant("one", Tensor::scalar<int64_t>(1))});
  const ValueId size = b.node("Mul", {channels, b.constant("area", Tensor::scalar<int64_t>(25))});
  const ValueId flat =
      b.node("Concat", {batches, b.node("Unsqueeze", {size, b.ints("axes2", {0})})}, {{"axis", int64_t{0}}});
  CHECK(inferred(b, b.node("Reshape", {x, flat})) == "?x400");
}

TEST_CASE("nothing is invented from an unknown element that steers instead of being moved") {
  GraphBuilder b;
  const ValueId x = b.input("x", {kUnknownDim, 3});
  const ValueId batch = b.node("Slice", {b.node("Shape", {x}), b.ints("s", {0}), b.ints("e", {1})});
  const ValueId ten = b.ints("ten", {0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  CHECK(inferred(b, b.node("Slice", {ten, batch, b.ints("end", {10})})) == "?");
  const ValueId picked = b.node("Gather", {ten, batch});
  const ValueId zeros = b.node("ConstantOfShape", {picked});
  CHECK(inferred(b, zeros) == "?");
}

TEST_CASE("what the file says of values between is replaced by what follows") {
  GraphBuilder b;
  const ValueId y = b.node("Relu", {b.input("x", {kUnknownDim, 2})});
  b.graph().value(y).shape = Shape{7, 7, 7};
  b.graph().value(y).dtype = DataType::kS8;
  b.graph().value(y).dim_names = {"a", "b", "c"};
  Graph graph = b.build({y});
  infer_shapes(graph);
  CHECK(*graph.value(y).shape == Shape{kUnknownDim, 2});
  CHECK(graph.value(y).dtype == DataType::kF32);
  CHECK(graph.value(y).dim_names.empty());
}

TEST_CASE("names of extents stay where the extent is unknown") {
  GraphBuilder b;
  const ValueId y = b.node("Relu", {b.input("x", {kUnknownDim, 2})});
  b.graph().value(y).shape = Shape{kUnknownDim, kUnknownDim};
  b.graph().value(y).dim_names = {"N", "C"};
  Graph graph = b.build({y});
  infer_shapes(graph);
  CHECK(graph.value(y).dim_names == std::vector<std::string>{"N", ""});
}

TEST_CASE("errors name the node, its operator and its opset") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2});
  SECTION("unknown operator") {
    Graph graph = b.build({b.node("Wavelet", {x})});
    CHECK_THROWS_WITH(infer_shapes(graph),
                      Contains("wavelet_0") && Contains("Wavelet") && Contains("opset 13"));
  }
  SECTION("operator of another opset") {
    Graph graph = b.build({b.node("Upsample", {x})});
    CHECK_THROWS_WITH(infer_shapes(graph), Contains("not supported at opset 13"));
  }
  SECTION("impossible shapes") {
    Graph graph = b.build({b.node("Add", {x, b.random("c", {3})})});
    CHECK_THROWS_WITH(infer_shapes(graph), Contains("add_0") && Contains("do not broadcast"));
  }
}

TEST_CASE("folding evaluates constants and shapes, and stops where data begins") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2, 3});
  const ValueId shape = b.node("Shape", {x});
  const ValueId twice = b.node("Mul", {shape, b.ints("two", {2, 2})});
  const ValueId data = b.node("Relu", {x});
  Graph graph = b.build({twice, data});
  infer_shapes(graph);
  fold_constants(graph);
  CHECK(graph.nodes.size() == 1);
  CHECK(graph.nodes[0].op_type == "Relu");
  CHECK(graph.value(twice).initializer.to_vector<int64_t>() == std::vector<int64_t>{4, 6});
  CHECK_NOTHROW(validate(graph));
}

TEST_CASE("folding leaves results alone that are too large to keep") {
  GraphBuilder b;
  Graph graph = b.build({b.node("ConstantOfShape", {b.ints("shape", {1 << 13, 1 << 12})})});
  infer_shapes(graph);
  fold_constants(graph);
  CHECK(graph.nodes.size() == 1);
}

TEST_CASE("specialize fixes the inputs and whatever follows from them") {
  GraphBuilder b;
  const ValueId x = b.input("x", {kUnknownDim, 4});
  const ValueId shape = b.node("Shape", {x});
  const ValueId ones = b.node("ConstantOfShape", {shape}, {{"value", Tensor::of<float>({1}, {1})}});
  const Graph graph = b.build({b.node("Add", {x, ones})});
  const Graph fixed = specialize(graph, {{3, 4}});
  CHECK(*fixed.value(fixed.outputs[0]).shape == Shape{3, 4});
  CHECK(fixed.nodes.size() == 1);
  CHECK(fixed.value(ones).is_constant());
  CHECK(fixed.values.size() == graph.values.size());
  CHECK_THROWS_WITH(specialize(graph, {{3, 5}}), Contains("?x4") && Contains("3x5"));
  CHECK_THROWS_AS(specialize(graph, {{3}}), Error);
  CHECK_THROWS_AS(specialize(graph, {{3, kUnknownDim}}), Error);
  CHECK_THROWS_AS(specialize(graph, {}), Error);
}

TEST_CASE("a shape that depends on data is refused by name") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2}), shape = b.input("shape", {1}, DataType::kS64);
  const Graph graph = b.build({b.node("Reshape", {x, shape})});
  CHECK_THROWS_WITH(specialize(graph, {{2}, {1}}), Contains("reshape_0_out") && Contains("depends on data"));
}
