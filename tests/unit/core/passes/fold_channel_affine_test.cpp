// BatchNormalization and constant arithmetic folded into weights: what has to fold, and what must not.
#include <limits>

#include "core/passes/passes.h"
#include "tests/support/check_same.h"

using namespace quantize;
using namespace quantize::test;

namespace {

using Ints = std::vector<int64_t>;

ValueId batch_normalization(GraphBuilder& b, ValueId x, int64_t channels, float epsilon = 1e-3f) {
  const ValueId scale = b.random("bn_scale", {channels}), bias = b.random("bn_bias", {channels});
  const ValueId mean = b.random("bn_mean", {channels}), variance = b.random("bn_var", {channels}, 0.1f, 2.0f);
  return b.node("BatchNormalization", {x, scale, bias, mean, variance}, {{"epsilon", epsilon}});
}

void check_folds(const Graph& graph, size_t nodes_left) {
  const Graph result = after_pass(graph, fold_channel_affine);
  CHECK(result.nodes.size() == nodes_left);
  check_same(graph, result);
}

void check_stays(const Graph& graph) {
  check_folds(graph, graph.nodes.size());
}

}  // namespace

TEST_CASE("BatchNormalization folds into Conv, with and without a bias", "[passes]") {
  for (const bool with_bias : {false, true})
    for (const int64_t group : {1, 2, 4}) {
      GraphBuilder b;
      std::vector<ValueId> inputs = {b.input("x", {2, 4, 6, 5}), b.random("w", {8, 4 / group, 3, 3})};
      if (with_bias) inputs.push_back(b.random("b", {8}));
      const ValueId y = b.node("Conv", inputs, {{"group", group}, {"pads", Ints{1, 1, 1, 1}}});
      check_folds(b.build({b.node("Relu", {batch_normalization(b, y, 8)})}), 2);
    }
}

TEST_CASE("BatchNormalization folds into ConvTranspose of any group", "[passes]") {
  for (const int64_t group : {1, 2, 4}) {
    GraphBuilder b;
    const ValueId x = b.input("x", {1, 4, 3, 3});
    const ValueId y = b.node("ConvTranspose", {x, b.random("w", {4, 3, 2, 2}), b.random("b", {3 * group})},
                             {{"group", group}, {"strides", Ints{2, 2}}});
    check_folds(b.build({batch_normalization(b, y, 3 * group)}), 1);
  }
}

TEST_CASE("BatchNormalization folds into Gemm in all its forms", "[passes]") {
  for (const int64_t transposed : {0, 1})
    for (const Shape& bias : {Shape{5}, Shape{1, 5}, Shape{1}, Shape{}}) {
      GraphBuilder b;
      const ValueId x = b.input("x", {3, 4});
      const ValueId y =
          b.node("Gemm", {x, b.random("w", transposed ? Shape{5, 4} : Shape{4, 5}), b.random("c", bias)},
                 {{"transB", transposed}, {"alpha", 0.5f}, {"beta", 2.0f}});
      check_folds(b.build({batch_normalization(b, y, 5)}), 1);
    }
  GraphBuilder b;
  const ValueId y = b.node("Gemm", {b.input("x", {3, 4}), b.random("w", {4, 5})});
  check_folds(b.build({batch_normalization(b, y, 5)}), 1);
}

TEST_CASE("arithmetic with constants per channel folds into Conv", "[passes]") {
  const std::vector<Shape> operands = {{}, {1}, {1, 1, 1}, {6, 1, 1}, {1, 6, 1, 1}};
  for (const std::string op : {"Add", "Sub", "Mul", "Div"})
    for (const Shape& shape : operands)
      for (const bool x_first : {true, false}) {
        GraphBuilder b;
        const ValueId x = b.input("x", {1, 3, 5, 5});
        const ValueId y = b.node("Conv", {x, b.random("w", {6, 3, 3, 3})});
        const ValueId constant = b.random("k", shape, 0.5f, 1.5f);
        const ValueId z = x_first ? b.node(op, {y, constant}) : b.node(op, {constant, y});
        INFO(op << " " << to_string(shape) << " " << x_first);
        check_folds(b.build({z}), op == "Div" && !x_first ? 2 : 1);
      }
}

TEST_CASE("a chain of affines folds at once and keeps the name of its output", "[passes]") {
  GraphBuilder b;
  ValueId y = b.node("Conv", {b.input("x", {1, 2, 4, 4}), b.random("w", {3, 2, 1, 1})});
  y = batch_normalization(b, y, 3);
  y = b.node("Mul", {y, b.random("m", {1})});
  y = b.node("Add", {b.random("a", {3, 1, 1}), y});
  const Graph graph = b.build({y});
  const Graph result = after_pass(graph, fold_channel_affine);
  CHECK(result.nodes.size() == 1);
  CHECK(result.nodes[0].name == "conv_0");
  CHECK(graph.value(graph.nodes[0].inputs[1]).name == result.value(result.nodes[0].inputs[1]).name);
  check_same(graph, result);
}

TEST_CASE("operands that vary along another axis do not fold", "[passes]") {
  for (const Shape& shape :
       {Shape{4}, Shape{4, 4}, Shape{1, 1, 4, 1}, Shape{2, 1, 1, 1}, Shape{1, 1, 3, 4, 4}}) {
    GraphBuilder b;
    const ValueId x = b.input("x", {2, 3, 4, 4});
    const ValueId y = b.node("Conv", {x, b.random("w", {3, 3, 1, 1})});
    INFO(to_string(shape));
    check_stays(b.build({b.node("Add", {y, b.random("k", shape)})}));
  }
}

TEST_CASE("what others read does not change", "[passes]") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 4, 4});
  SECTION("the convolution's output has a second reader") {
    const ValueId y = b.node("Conv", {x, b.random("w", {4, 3, 1, 1})});
    check_stays(b.build({batch_normalization(b, y, 4), b.node("Relu", {y})}));
  }
  SECTION("the convolution's output is a graph output") {
    const ValueId y = b.node("Conv", {x, b.random("w", {4, 3, 1, 1})});
    check_stays(b.build({batch_normalization(b, y, 4), y}));
  }
  SECTION("both operands of the Add are the convolution's output") {
    const ValueId y = b.node("Conv", {x, b.random("w", {4, 3, 1, 1})});
    check_stays(b.build({b.node("Add", {y, y})}));
  }
  SECTION("two convolutions share their weights and their bias") {
    const ValueId w = b.random("w", {4, 3, 1, 1}), bias = b.random("b", {4});
    const ValueId y = b.node("Conv", {x, w, bias}), z = b.node("Conv", {x, w, bias});
    check_folds(b.build({batch_normalization(b, y, 4), z}), 2);
  }
  SECTION("both of two convolutions that share their weights are folded into") {
    const ValueId w = b.random("w", {4, 3, 1, 1});
    const ValueId y = batch_normalization(b, b.node("Conv", {x, w}), 4);
    const ValueId z = batch_normalization(b, b.node("Conv", {x, w}), 4);
    check_folds(b.build({y, z}), 2);
  }
  SECTION("the weights are a graph output") {
    const ValueId w = b.random("w", {4, 3, 1, 1});
    check_folds(b.build({batch_normalization(b, b.node("Conv", {x, w}), 4), w}), 1);
  }
  SECTION("the bias is also a BatchNormalization's") {
    const ValueId bias = b.random("b", {4}), variance = b.random("v", {4}, 0.5f, 1.0f);
    const ValueId y = b.node("Conv", {x, b.random("w", {4, 3, 1, 1}), bias});
    check_folds(b.build({b.node("BatchNormalization", {y, bias, bias, bias, variance})}), 1);
  }
}

TEST_CASE("operands that are computed do not fold", "[passes]") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 4, 4}), w = b.input("w", {4, 3, 1, 1}), k = b.input("k", {1});
  SECTION("weights") {
    check_stays(b.build({b.node("Add", {b.node("Conv", {x, w}), b.random("c", {1})})}));
  }
  SECTION("bias") {
    const ValueId bias = b.input("b", {4});
    check_stays(b.build(
        {b.node("Add", {b.node("Conv", {x, b.random("v", {4, 3, 1, 1}), bias}), b.random("c", {1})})}));
  }
  SECTION("operand") {
    check_stays(b.build({b.node("Mul", {b.node("Conv", {x, b.random("v", {4, 3, 1, 1})}), k})}));
  }
}

TEST_CASE("a Gemm whose bias differs from row to row does not fold", "[passes]") {
  GraphBuilder b;
  const ValueId y = b.node("Gemm", {b.input("x", {3, 4}), b.random("w", {4, 5}), b.random("c", {3, 5})});
  check_stays(b.build({batch_normalization(b, y, 5)}));
}

TEST_CASE("a fold that would not give finite weights is left alone", "[passes]") {
  GraphBuilder b;
  const ValueId y = b.node("Conv", {b.input("x", {1, 3, 4, 4}), b.random("w", {4, 3, 1, 1})});
  SECTION("a negative variance") {
    const ValueId one = b.constant("one", Tensor::of<float>({4}, {1, 1, 1, 1}));
    const ValueId variance = b.constant("v", Tensor::of<float>({4}, {1, 1, -1, 1}));
    const Graph graph = b.build({b.node("BatchNormalization", {y, one, one, one, variance})});
    CHECK(after_pass(graph, fold_channel_affine).nodes.size() == 2);
  }
  SECTION("an overflow") {
    const float huge = std::numeric_limits<float>::max();
    const ValueId scale = b.constant("huge", Tensor::of<float>({1}, {huge}));
    const Graph graph = b.build({b.node("Mul", {b.node("Mul", {y, scale}), scale})});
    CHECK(after_pass(graph, fold_channel_affine).nodes.size() == 3);
  }
  SECTION("a division by zero") {
    const Graph graph = b.build({b.node("Div", {y, b.constant("zero", Tensor::of<float>({1}, {0}))})});
    CHECK(after_pass(graph, fold_channel_affine).nodes.size() == 2);
  }
}
