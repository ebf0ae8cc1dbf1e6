#include "core/fusion/function_pattern.h"

#include <catch2/catch.hpp>

#include "core/passes/passes.h"
#include "tests/support/graph_builder.h"

namespace quantize {

using test::GraphBuilder;

namespace {

/// The function behind the graph's input.
std::optional<FunctionPattern> behind_input(GraphBuilder& b, std::vector<ValueId> outputs) {
  Graph graph = b.build(std::move(outputs));
  infer_shapes(graph);
  return function_behind(graph, GraphIndex(graph), graph.inputs[0]);
}

ValueId scalar(GraphBuilder& b, const std::string& name, float x) {
  return b.constant(name, Tensor::scalar(x));
}

void check_is(const std::optional<FunctionPattern>& found, Function function, size_t nodes) {
  REQUIRE(found);
  CHECK(found->function == function);
  CHECK(found->nodes.size() == nodes);
}

}  // namespace

TEST_CASE("function_behind: one function in its spellings") {
  GraphBuilder b(20);
  const ValueId x = b.input("x", {1, 4, 3, 3});
  SECTION("SiLU as Sigmoid and Mul") {
    check_is(behind_input(b, {b.node("Mul", {b.node("Sigmoid", {x}), x})}), Function::kSilu, 2);
  }
  SECTION("HardSwish") {
    check_is(behind_input(b, {b.node("HardSwish", {x})}), Function::kHardSwish, 1);
  }
  SECTION("HardSwish as HardSigmoid and Mul") {
    const ValueId gate = b.node("HardSigmoid", {x}, {{"alpha", 1.0f / 6}, {"beta", 0.5f}});
    check_is(behind_input(b, {b.node("Mul", {x, gate})}), Function::kHardSwish, 2);
  }
  SECTION("HardSwish as Add, Clip, Mul, Div") {
    const ValueId shifted = b.node("Add", {x, scalar(b, "three", 3)});
    const ValueId clipped = b.node("Clip", {shifted, scalar(b, "low", 0), scalar(b, "high", 6)});
    const ValueId product = b.node("Mul", {x, clipped});
    check_is(behind_input(b, {b.node("Div", {product, scalar(b, "six", 6)})}), Function::kHardSwish, 4);
  }
  SECTION("GELU around Erf") {
    const ValueId erf = b.node("Erf", {b.node("Div", {x, scalar(b, "root", 1.41421356f)})});
    const ValueId product = b.node("Mul", {x, b.node("Add", {erf, scalar(b, "one", 1)})});
    check_is(behind_input(b, {b.node("Mul", {product, scalar(b, "half", 0.5f)})}), Function::kGelu, 5);
  }
  SECTION("GELU around tanh") {
    check_is(behind_input(b, {b.node("Gelu", {x}, {{"approximate", std::string("tanh")}})}),
             Function::kGeluTanh, 1);
  }
  SECTION("Mish as Softplus, Tanh, Mul") {
    check_is(behind_input(b, {b.node("Mul", {x, b.node("Tanh", {b.node("Softplus", {x})})})}),
             Function::kMish, 3);
  }
  SECTION("LeakyRelu with its slope") {
    const auto found = behind_input(b, {b.node("LeakyRelu", {x}, {{"alpha", 0.3f}})});
    check_is(found, Function::kLeakyRelu, 1);
    CHECK(found->alpha == Approx(0.3f));
  }
}

TEST_CASE("function_behind: what is none") {
  GraphBuilder b(20);
  const ValueId x = b.input("x", {1, 4, 3, 3});
  SECTION("an unknown function") {
    CHECK(!behind_input(b, {b.node("Tanh", {x})}));
  }
  SECTION("another slope of the sigmoid") {
    const ValueId steeper = b.node("Sigmoid", {b.node("Mul", {x, scalar(b, "c", 1.1f)})});
    CHECK(!behind_input(b, {b.node("Mul", {x, steeper})}));
  }
  SECTION("another reader of the value") {
    const ValueId silu = b.node("Mul", {b.node("Sigmoid", {x}), x});
    CHECK(!behind_input(b, {silu, b.node("MaxPool", {x}, {{"kernel_shape", std::vector<int64_t>{1, 1}}})}));
  }
  SECTION("a part that is a result, too") {
    const ValueId gate = b.node("HardSigmoid", {x}, {{"alpha", 1.0f / 6}, {"beta", 0.5f}});
    CHECK(!behind_input(b, {b.node("Mul", {x, gate}), gate}));
  }
  SECTION("a constant per channel") {
    const ValueId gate = b.node("Sigmoid", {x});
    CHECK(!behind_input(b, {b.node("Mul", {b.node("Mul", {x, b.random("c", {4, 1, 1})}), gate})}));
  }
}

}  // namespace quantize
