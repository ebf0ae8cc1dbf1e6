// Removal of what does nothing, constants, names, and the whole pipeline.
#include <set>

#include "core/integer/lowering.h"
#include "core/passes/passes.h"
#include "tests/support/check_same.h"

using namespace quantize;
using namespace quantize::test;

namespace {

using Ints = std::vector<int64_t>;

void check_no_ops(const Graph& graph, size_t nodes_left) {
  const Graph result = after_pass(graph, remove_no_ops);
  CHECK(result.nodes.size() == nodes_left);
  check_same(graph, result, 0);
}

}  // namespace

TEST_CASE("Identity and Dropout are removed, and graph outputs keep their names", "[passes]") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2, 3});
  SECTION("between nodes") {
    const ValueId y = b.node("Identity", {b.node("Relu", {x})});
    check_no_ops(b.build({b.node("Neg", {b.node("Dropout", {y})})}), 2);
  }
  SECTION("at a graph output") {
    check_no_ops(b.build({b.node("Identity", {b.node("Relu", {x})})}), 1);
  }
  SECTION("at a graph output that has another reader") {
    const ValueId y = b.node("Relu", {x});
    check_no_ops(b.build({b.node("Neg", {y}), b.node("Identity", {y})}), 2);
  }
  SECTION("between two graph outputs") {
    const ValueId y = b.node("Relu", {x});
    check_no_ops(b.build({y, b.node("Identity", {y})}), 2);
  }
  SECTION("twice at graph outputs") {
    const ValueId y = b.node("Relu", {x});
    check_no_ops(b.build({b.node("Identity", {y}), b.node("Identity", {y})}), 2);
  }
  SECTION("between a graph input and a graph output") {
    check_no_ops(b.build({b.node("Identity", {x})}), 1);
  }
  SECTION("a chain") {
    const ValueId y = b.node("Identity", {b.node("Identity", {b.node("Relu", {x})})});
    check_no_ops(b.build({b.node("Identity", {y})}), 1);
  }
}

TEST_CASE("a Dropout that trains, or whose mask is read, stays", "[passes]") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2, 3});
  SECTION("mask") {
    check_no_ops(b.build(b.nodes("Dropout", {b.node("Relu", {x})}, 2)), 2);
  }
  SECTION("an unused mask") {
    check_no_ops(b.build({b.nodes("Dropout", {b.node("Relu", {x})}, 2)[0]}), 1);
  }
  SECTION("training") {
    const ValueId training = b.constant("training", Tensor::scalar(true));
    Graph graph = b.build({b.node("Neg", {b.node("Dropout", {x, kNoValue, training})})});
    remove_no_ops(graph);
    CHECK(graph.nodes.size() == 2);
  }
  SECTION("not training") {
    const ValueId training = b.constant("training", Tensor::scalar(false));
    check_no_ops(b.build({b.node("Neg", {b.node("Dropout", {x, kNoValue, training})})}), 1);
  }
}

TEST_CASE("nodes whose parameters make them do nothing are removed", "[passes]") {
  GraphBuilder b;
  const ValueId x = b.node("Relu", {b.input("x", {kUnknownDim, 3, 4})});
  const auto check = [&](ValueId y, bool removed) {
    const Graph graph = b.build({b.node("Neg", {y})});
    check_no_ops(graph, removed ? 2 : 3);
  };
  SECTION("Cast to the same type") {
    check(b.node("Cast", {x}, {{"to", int64_t{1}}}), true);
  }
  SECTION("Transpose that keeps the order") {
    check(b.node("Transpose", {x}, {{"perm", Ints{0, 1, 2}}}), true);
  }
  SECTION("Transpose") {
    check(b.node("Transpose", {x}, {{"perm", Ints{0, 2, 1}}}), false);
  }
  SECTION("Pad with nothing") {
    check(b.node("Pad", {x, b.ints("pads", {0, 0, 0, 0, 0, 0})}), true);
  }
  SECTION("Pad") {
    check(b.node("Pad", {x, b.ints("pads", {0, 0, 0, 0, 0, 1})}), false);
  }
  SECTION("Concat of one") {
    check(b.node("Concat", {x}, {{"axis", int64_t{1}}}), true);
  }
  SECTION("Reshape to the same shape") {
    check(b.node("Reshape", {x, b.ints("shape", {-1, 3, 4})}), true);
  }
  SECTION("Reshape") {
    check(b.node("Reshape", {x, b.ints("shape", {-1, 4, 3})}), false);
  }
}

TEST_CASE("a Slice that turns the order around is not taken for one that does nothing", "[passes]") {
  for (const int64_t step : {1, -1}) {
    GraphBuilder b;
    const ValueId x = b.node("Relu", {b.input("x", {2, 3})});
    const ValueId from = b.ints("from", {step > 0 ? 0 : 2}), to = b.ints("to", {step > 0 ? 3 : -4});
    const ValueId y = b.node("Slice", {x, from, to, b.ints("axes", {1}), b.ints("steps", {step})});
    check_no_ops(b.build({b.node("Neg", {y})}), step > 0 ? 2 : 3);
  }
}

TEST_CASE("equal constants become one, others stay", "[passes]") {
  GraphBuilder b;
  const ValueId x = b.input("x", {3});
  const ValueId one = b.constant("one", Tensor::of<float>({3}, {1, 2, 3}));
  const ValueId same = b.constant("same", Tensor::of<float>({3}, {1, 2, 3}));
  const ValueId row = b.constant("row", Tensor::of<float>({1, 3}, {1, 2, 3}));
  const ValueId other = b.constant("other", Tensor::of<float>({3}, {1, 2, 4}));
  ValueId y = x;
  for (ValueId constant : {one, same, row, other}) y = b.node("Add", {y, constant});
  const Graph graph = b.build({y, same});
  Graph result = graph;
  merge_constants(result);
  CHECK(result.nodes[1].inputs[1] == one);
  CHECK(result.nodes[2].inputs[1] == row);
  CHECK(result.nodes[3].inputs[1] == other);
  CHECK(result.outputs[1] == same);
  check_same(graph, result, 0);
}

TEST_CASE("equal operands of one node stay different values", "[passes]") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2, 3, 4});
  const ValueId starts = b.ints("starts", {1}), ends = b.ints("ends", {2}), axes = b.ints("axes", {2});
  const ValueId first = b.node("Slice", {x, starts, ends, axes});
  const ValueId again = b.ints("again", {2});
  const Graph graph = b.build({first, b.node("Slice", {x, starts, again, b.ints("other", {1})})});
  Graph result = graph;
  merge_constants(result);
  CHECK(result.nodes[0].inputs == std::vector<ValueId>{x, starts, ends, axes});
  CHECK(result.nodes[1].inputs[2] == ends);
  check_same(graph, result, 0);
}

TEST_CASE("unused values go, and what is left means the same", "[passes]") {
  GraphBuilder b;
  b.random("unused_1", {2});
  const ValueId x = b.input("x", {2, 3});
  b.random("unused_2", {2});
  const Graph graph = b.build({b.node("Clip", {x, kNoValue, b.constant("high", Tensor::scalar(0.5f))})});
  Graph result = graph;
  remove_unused_values(result);
  CHECK(result.values.size() == 3);
  check_same(graph, result, 0);
}

TEST_CASE("every node gets a name of its own", "[passes]") {
  GraphBuilder b;
  ValueId y = b.input("x", {2});
  for (int i = 0; i < 4; ++i) y = b.node("Relu", {y});
  Graph graph = b.build({y});
  for (Node& node : graph.nodes) node.name.clear();
  graph.nodes[1].name = graph.nodes[2].name = "twin";
  graph.nodes[3].name = "relu_0_out";
  name_nodes(graph);
  CHECK(graph.nodes[0].name == "relu_0_out_1");
  CHECK(graph.nodes[1].name == "twin");
  CHECK(graph.nodes[2].name == "twin_1");
  CHECK(graph.nodes[3].name == "relu_0_out");
}

TEST_CASE("open_model: an old model with everything that is folded becomes three nodes", "[passes]") {
  GraphBuilder b(9);
  ValueId y = b.input("x", {kUnknownDim, 3, 8, 8});
  y = b.node("Pad", {y}, {{"pads", Ints{0, 0, 1, 1, 0, 0, 1, 1}}});
  y = b.node("Conv", {y, b.random("w", {4, 3, 3, 3})}, {{"strides", Ints{2, 2}}});
  y = b.node("Identity", {y});
  const std::vector<ValueId> norm = {y, b.random("scale", {4}), b.random("bias", {4}), b.random("mean", {4}),
                                     b.random("var", {4}, 0.5f, 1.0f)};
  y = b.node("BatchNormalization", norm, {{"spatial", int64_t{1}}});
  y = b.node("Dropout", {y}, {{"ratio", 0.5f}});
  y = b.node("Clip", {y}, {{"min", 0.0f}, {"max", 0.5f}});
  const ValueId two =
      b.node("Add", {b.constant("one", Tensor::scalar(1.0f)), b.constant("uno", Tensor::scalar(1.0f))});
  const Graph graph = b.build({b.node("Mul", {y, two})});
  const Graph result = open_model(graph, kMinOutputOpset);
  CHECK(result.opset() == 13);
  CHECK(result.nodes.size() == 3);
  check_same(graph, result);
  std::set<std::string> names;
  for (const Node& node : result.nodes) CHECK(names.insert(node.name).second);
  for (const Value& value : result.values) CHECK(value.dtype != DataType::kUndefined);
}

TEST_CASE("open_model does not change what is open", "[passes]") {
  GraphBuilder b(11);
  const ValueId y = b.node("Conv", {b.input("x", {1, 3, 8, 8}), b.random("w", {4, 3, 3, 3})});
  const Graph graph = b.build({b.node("Add", {y, b.random("a", {4, 1, 1})})});
  const Graph once = open_model(graph), twice = open_model(once);
  CHECK(once.nodes.size() == 1);
  CHECK(twice.nodes.size() == 1);
  CHECK(equal(once.value(once.nodes[0].inputs[1]).initializer,
              twice.value(twice.nodes[0].inputs[1]).initializer));
  CHECK(graph.nodes.size() == 2);
}

TEST_CASE("open_model takes the opset that is asked for, and no older one than the source's", "[passes]") {
  GraphBuilder b(17);
  const Graph graph = b.build({b.node("Relu", {b.input("x", {2})})});
  CHECK(open_model(graph, kMinOutputOpset).opset() == 17);
  CHECK(open_model(graph, 21).opset() == 21);
}

TEST_CASE("open_model: an old model that is only run stays in its opset", "[passes]") {
  const int64_t opset = GENERATE(7, 9, 11, 12);
  GraphBuilder b(opset);
  ValueId y = b.node("Conv", {b.input("x", {2, 3, 4, 4}), b.random("w", {4, 3, 3, 3})});
  y = b.node("BatchNormalization", {y, b.random("scale", {4}), b.random("bias", {4}), b.random("mean", {4}),
                                    b.random("var", {4}, 0.5f, 1.0f)});
  y = b.node("Relu", {b.node("Dropout", {y})});
  y = b.node("Conv", {y, b.random("v", {5, 4, 2, 2})});  // over its whole image
  const Graph graph = b.build({b.node("Softmax", {y}, {{"axis", int64_t{1}}})});
  const Graph result = open_model(graph);
  CHECK(result.opset() == opset);
  CHECK(result.nodes.size() == 4);
  check_same(graph, result);
}

TEST_CASE("open_model: what a model rounds stays, and codes of constants stay codes", "[passes]") {
  GraphBuilder b;
  const auto constant = [&](Tensor tensor) { return b.node("Constant", {}, {{"value", std::move(tensor)}}); };
  const ValueId s = constant(Tensor::scalar(0.02f)), z = constant(Tensor::scalar(uint8_t{100}));
  const auto round = [&](ValueId x) {
    return b.node("Identity", {b.node("DequantizeLinear", {b.node("QuantizeLinear", {x, s, z}), s, z})});
  };
  const auto weights = [&](const std::string& name) {  // reals that are rounded, as some tools leave them
    const ValueId ws = constant(Tensor::scalar(0.01f)), wz = constant(Tensor::scalar(int8_t{0}));
    return b.node("DequantizeLinear",
                  {b.node("QuantizeLinear", {b.random(name, {3, 3, 1, 1}), ws, wz}), ws, wz});
  };
  const ValueId x = round(b.input("x", {1, 3, 5, 5}));
  const Graph graph =
      b.build({round(b.node("Conv", {round(b.node("Conv", {x, weights("w")})), weights("v")}))});
  const Graph result = open_model(graph);
  CHECK(count_nodes(result, "Constant") + count_nodes(result, "Identity") == 0);
  CHECK(count_nodes(result, "QuantizeLinear") == 3);
  CHECK(count_nodes(result, "DequantizeLinear") == 5);
  CHECK(count_nodes(lower_to_qoperator(result), "QLinearConv") == 2);
  // The reference code of the integer operators rounds like the graph of reals, but for ties.
  const auto inputs = random_inputs(graph);
  CHECK(relative_difference(run_graph(result, inputs)[0], run_graph(graph, inputs)[0]) < 0.01);
}
