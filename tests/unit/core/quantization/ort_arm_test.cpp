// The target ort-arm: products of s8.
#include <catch2/catch.hpp>

#include "core/quantization/insert_qdq.h"
#include "tests/support/planned_graph.h"

using namespace quantize;
using test::conv;
using test::GraphBuilder;
using test::plan_of;

TEST_CASE("ort-arm: s8 by s8, a scale per output channel, no code for a Relu") {
  const TargetProfile& target = find_target("ort-arm");
  const TypePair& types = target.choose_types({}, {});
  QuantizationScheme scheme;
  scheme.activations.dtype = types.activation;
  scheme.weights.dtype = types.weight;

  GraphBuilder b;
  const ValueId left = b.node("Relu", {conv(b, b.input("x", {1, 3, 8, 8}), 3, 4)});
  const ValueId right = conv(b, left, 4, 4), sum = b.node("Add", {left, right});
  const auto p = plan_of(b, {conv(b, sum, 4, 2)}, scheme, {}, target);
  for (const char* op_type : {"Conv", "Add"}) CHECK(p.placement(op_type) == Placement::kInteger);
  CHECK(p.placement("Relu") == Placement::kAbsorbed);
  const QuantParams& weights = p.node("Conv").weights->params;
  CHECK(weights.dtype == DataType::kS8);
  CHECK(weights.scale.size() == 4);
  CHECK(weights.zero_point == std::vector<int32_t>(4, 0));
  CHECK(p.value("relu_1_out").params->zero_point[0] == -128);
  CHECK(p.plan.target == "ort-arm");
  for (const Node& node : insert_qdq(p).nodes) CHECK(node.op_type != "Relu");

  scheme.activations.symmetric = true;  // if asked for: then the Relu cuts codes, and stays
  CHECK(plan_of(b, {conv(b, sum, 4, 2)}, scheme, {}, target).placement("Relu") == Placement::kFloat);
}
