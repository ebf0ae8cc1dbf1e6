// Operators of com.microsoft against those of ONNX that they stand for.
#include <catch2/catch.hpp>

#include "core/error.h"
#include "tests/support/graph_builder.h"

using namespace quantize;
using namespace quantize::test;

namespace {

using Ids = std::vector<ValueId>;

/// A node of com.microsoft.
Ids microsoft(GraphBuilder& b, const char* op_type, Ids inputs,
              std::map<std::string, Attribute> attributes = {}, size_t outputs = 1) {
  const Ids made = b.nodes(op_type, std::move(inputs), outputs, std::move(attributes));
  b.graph().nodes.back().domain = "com.microsoft";
  return made;
}

/// Runs a graph of two outputs, which must be alike.
void check_alike(GraphBuilder& b, ValueId one, ValueId other) {
  const Graph graph = b.build({one, other});
  const auto results = run_graph(graph, random_inputs(graph));
  CHECK(relative_difference(results[0], results[1]) < 1e-5);
}

}  // namespace

TEST_CASE("spelled and fused GELU are alike", "[microsoft]") {
  for (const bool fast : {false, true}) {
    GraphBuilder b(20);
    const ValueId x = b.input("x", {3, 5}), bias = b.random("bias", {5});
    const std::map<std::string, Attribute> attributes{{"approximate", std::string(fast ? "tanh" : "none")}};
    const ValueId spelled = b.node("Gelu", {b.node("Add", {x, bias})}, attributes);
    check_alike(b, microsoft(b, fast ? "FastGelu" : "BiasGelu", {x, bias})[0], spelled);
  }
  GraphBuilder b(20);
  const ValueId x = b.input("x", {3, 5});
  check_alike(b, microsoft(b, "Gelu", {x})[0], b.node("Gelu", {x}));
  GraphBuilder quick(24);
  const ValueId z = quick.input("z", {3, 5});
  check_alike(quick, microsoft(quick, "QuickGelu", {z})[0], quick.node("Swish", {z}, {{"alpha", 1.702f}}));
}

TEST_CASE("FusedMatMul transposes and scales", "[microsoft]") {
  for (const bool a : {false, true})
    for (const bool b_too : {false, true}) {
      GraphBuilder b(13);
      const ValueId x = b.input("x", a ? Shape{2, 4, 3} : Shape{2, 3, 4}),
                    w = b.random("w", b_too ? Shape{5, 4} : Shape{4, 5});
      const ValueId fused = microsoft(
          b, "FusedMatMul", {x, w}, {{"alpha", 0.5f}, {"transA", int64_t{a}}, {"transB", int64_t{b_too}}})[0];
      const ValueId left = a ? b.node("Transpose", {x}, {{"perm", std::vector<int64_t>{0, 2, 1}}}) : x;
      const ValueId right = b_too ? b.node("Transpose", {w}) : w;
      check_alike(b, fused,
                  b.node("Mul", {b.node("MatMul", {left, right}), b.constant("half", Tensor::scalar(0.5f))}));
    }
}

TEST_CASE("FusedConv adds and activates", "[microsoft]") {
  GraphBuilder b(13);
  const ValueId x = b.input("x", {1, 2, 5, 5}), w = b.random("w", {3, 2, 3, 3}), bias = b.random("bias", {3}),
                z = b.input("z", {1, 3, 3, 3});
  const ValueId fused = microsoft(
      b, "FusedConv", {x, w, bias, z},
      {{"activation", std::string("LeakyRelu")}, {"activation_params", std::vector<float>{0.2f}}})[0];
  check_alike(b, fused,
              b.node("LeakyRelu", {b.node("Add", {b.node("Conv", {x, w, bias}), z})}, {{"alpha", 0.2f}}));
}

TEST_CASE("SkipLayerNormalization is an addition and a LayerNormalization", "[microsoft]") {
  GraphBuilder b(17);
  const ValueId x = b.input("x", {2, 3, 8}), skip = b.input("skip", {2, 3, 8}),
                gamma = b.random("gamma", {8}), beta = b.random("beta", {8}), bias = b.random("bias", {8});
  const Ids fused =
      microsoft(b, "SkipLayerNormalization", {x, skip, gamma, beta, bias}, {{"epsilon", 1e-5f}}, 4);
  const ValueId sum = b.node("Add", {b.node("Add", {x, skip}), bias});
  const Ids plain = b.nodes("LayerNormalization", {sum, gamma, beta}, 3, {{"epsilon", 1e-5f}});
  const Graph graph = b.build({fused[0], fused[1], fused[2], fused[3], plain[0], plain[1], plain[2], sum});
  const auto results = run_graph(graph, random_inputs(graph));
  for (size_t i = 0; i < 4; ++i) CHECK(relative_difference(results[i], results[i + 4]) < 1e-5);
}

TEST_CASE("forms of com.microsoft that cannot run are refused", "[microsoft]") {
  GraphBuilder b(13);
  const ValueId x = b.input("x", {1, 2, 5, 5}), w = b.random("w", {3, 2, 3, 3});
  const Graph graph = b.build(microsoft(b, "FusedConv", {x, w}, {{"activation", std::string("Sine")}}));
  CHECK_THROWS_AS(run_graph(graph, random_inputs(graph)), Error);
  GraphBuilder c(13);
  const Graph product = c.build(microsoft(c, "FusedMatMul", {c.input("x", {2, 3, 4}), c.random("w", {4, 5})},
                                          {{"transBatchA", int64_t{1}}}));
  CHECK_THROWS_AS(run_graph(product, random_inputs(product)), Error);
}
