#include <catch2/catch.hpp>

#include "core/passes/passes.h"
#include "tests/support/graph_builder.h"

using namespace quantize;
using namespace quantize::test;

namespace {

/// The opset of a model of opset 28 after the pass.
int64_t lowered(const std::string& op_type, std::map<std::string, Attribute> attributes = {},
                Shape shape = {1, 4, 2, 2}) {
  GraphBuilder b(28);
  Graph graph = b.build({b.node(op_type, {b.input("x", std::move(shape))}, std::move(attributes))});
  infer_shapes(graph);
  lower_opset(graph);
  infer_shapes(graph);
  return graph.opset();
}

}  // namespace

TEST_CASE("a model keeps the opset that its newest operator or form needs", "[lower_opset]") {
  CHECK(lowered("Relu") == 21);
  CHECK(lowered("Swish") == 24);
  CHECK(lowered("SpaceToDepth", {{"blocksize", int64_t{2}}}) == 21);
  CHECK(lowered("SpaceToDepth", {{"blocksize", int64_t{2}}, {"mode", std::string("CRD")}}) == 28);
  CHECK(lowered("Cast", {{"to", static_cast<int64_t>(DataType::kF8E4M3FN)}}) == 21);
  CHECK(lowered("Cast", {{"to", static_cast<int64_t>(DataType::kF4E2M1)}}) == 23);
  CHECK(lowered("Cast", {{"to", static_cast<int64_t>(DataType::kS2)}}) == 25);
}

TEST_CASE("a model keeps the opset that an operator in a body needs", "[lower_opset]") {
  GraphBuilder inner(28);
  const Body body = std::make_shared<const Graph>(
      inner.build({inner.node("Swish", {inner.constant("c", Tensor::scalar(1.0f))})}));
  GraphBuilder b(28);
  Graph graph = b.build({b.node("If", {b.constant("condition", Tensor::scalar(true))},
                                {{"then_branch", body}, {"else_branch", body}})});
  lower_opset(graph);
  CHECK(graph.opset() == 24);
}

TEST_CASE("a model of opset 21 or below stays as it is", "[lower_opset]") {
  for (const int64_t opset : {int64_t{13}, int64_t{21}}) {
    GraphBuilder b(opset);
    Graph graph = b.build({b.node("Relu", {b.input("x", {2})})});
    lower_opset(graph);
    CHECK(graph.opset() == opset);
  }
}
