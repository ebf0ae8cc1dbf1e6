// Older opsets rewritten: every change has a node of the old form, which must compute the same in the new
// one.
#include "core/passes/passes.h"
#include "tests/support/check_same.h"

using namespace quantize;
using namespace quantize::test;

namespace {

using Ints = std::vector<int64_t>;
using Floats = std::vector<float>;
using Attributes = std::map<std::string, Attribute>;

Graph upgraded(const Graph& graph, int64_t opset) {
  Graph result = graph;
  infer_and_fold(result);
  upgrade_opset(result, opset);
  CHECK(result.opset() == opset);
  REQUIRE_NOTHROW(validate(result));
  return result;
}

/// One node on x [2, 3, 4, 4], upgraded; returns the node of the new form.
Graph check_node(int64_t from, int64_t to, const std::string& op_type, const Attributes& attributes,
                 size_t outputs = 1) {
  GraphBuilder b(from);
  const Graph graph = b.build(b.nodes(op_type, {b.input("x", {2, 3, 4, 4})}, outputs, attributes));
  const Graph result = upgraded(graph, to);
  INFO(op_type << " from " << from << " to " << to);
  check_same(graph, result, 1e-6);
  return result;
}

void check_inputs(const Graph& graph, size_t count) {
  REQUIRE(graph.nodes.size() == 1);
  CHECK(graph.nodes[0].inputs.size() == count);
}

}  // namespace

TEST_CASE("attributes become inputs", "[upgrade]") {
  check_inputs(check_node(7, 13, "Clip", {{"min", -0.25f}, {"max", 0.5f}}), 3);
  check_inputs(check_node(10, 13, "Clip", {{"max", 0.5f}}), 3);
  check_inputs(check_node(9, 13, "Clip", {}), 1);
  check_inputs(
      check_node(7, 13, "Slice", {{"starts", Ints{1, 0}}, {"ends", Ints{3, -1}}, {"axes", Ints{1, 3}}}), 4);
  check_inputs(check_node(9, 13, "Slice", {{"starts", Ints{0, 1}}, {"ends", Ints{1, 1000}}}), 3);
  check_inputs(check_node(10, 13, "Pad", {{"pads", Ints{0, 0, 1, 2, 0, 0, 0, 1}}, {"value", 0.5f}}), 3);
  check_inputs(
      check_node(7, 13, "Pad", {{"pads", Ints{0, 0, 1, 1, 0, 0, 1, 1}}, {"mode", std::string("edge")}}), 2);
  check_inputs(check_node(11, 13, "Unsqueeze", {{"axes", Ints{0, 3}}}), 2);
  check_inputs(check_node(12, 13, "Split", {{"axis", int64_t{1}}, {"split", Ints{1, 2}}}, 2), 2);
  check_inputs(check_node(12, 13, "Split", {{"axis", int64_t{2}}}, 2), 1);
  check_inputs(check_node(11, 13, "ReduceSum", {{"axes", Ints{2, 3}}, {"keepdims", int64_t{0}}}), 2);
  check_inputs(check_node(12, 13, "ReduceMean", {{"axes", Ints{2, 3}}}), 1);
  check_inputs(check_node(13, 18, "ReduceMean", {{"axes", Ints{2, 3}}}), 2);
  check_inputs(check_node(17, 21, "ReduceMax", {{"axes", Ints{1}}, {"keepdims", int64_t{0}}}), 2);
  check_inputs(check_node(7, 13, "Dropout", {{"ratio", 0.5f}}), 2);
}

TEST_CASE("Squeeze takes its axes as an input", "[upgrade]") {
  GraphBuilder b(7);
  const Graph graph = b.build({b.node("Squeeze", {b.input("x", {2, 1, 3, 1})}, {{"axes", Ints{1, 3}}})});
  const Graph result = upgraded(graph, 13);
  check_inputs(result, 2);
  check_same(graph, result, 0);
}

TEST_CASE("TopK, Scatter, RoiAlign, GridSample and DFT have the form of the newer opset", "[upgrade]") {
  check_inputs(check_node(9, 13, "TopK", {{"k", int64_t{2}}, {"axis", int64_t{1}}}, 2), 2);
  {
    GraphBuilder b(17);
    const Graph graph = b.build({b.node("DFT", {b.input("x", {1, 3, 4, 1})}, {{"axis", int64_t{2}}})});
    check_same(graph, upgraded(graph, 20), 1e-6);
    check_inputs(upgraded(graph, 20), 3);
  }
  {
    GraphBuilder b(9);
    const ValueId places = b.constant("places", Tensor::of<int64_t>({1, 2}, {1, 0}));
    const Graph graph =
        b.build({b.node("Scatter", {b.input("x", {2, 3}), places,
                                    b.constant("updates", Tensor::of<float>({1, 2}, {5, 6}))})});
    check_same(graph, upgraded(graph, 13), 0);
    CHECK(upgraded(graph, 13).nodes[0].op_type == "ScatterElements");
  }
  {
    GraphBuilder b(11);
    const ValueId regions = b.constant("regions", Tensor::of<float>({1, 4}, {0, 0, 3, 2}));
    const Graph graph = b.build({b.node(
        "RoiAlign", {b.input("x", {1, 2, 4, 4}), regions, b.constant("batch", Tensor::of<int64_t>({1}, {0}))},
        {{"output_height", int64_t{2}}, {"output_width", int64_t{2}}})});
    check_same(graph, upgraded(graph, 16), 1e-6);
  }
  GraphBuilder b(16);
  const ValueId grid =
      b.constant("grid", Tensor::of<float>({1, 1, 3, 2}, {-0.9f, 0.3f, 0.1f, -0.2f, 0.8f, 1.1f}));
  const Graph graph =
      b.build({b.node("GridSample", {b.input("x", {1, 2, 4, 4}), grid}, {{"mode", std::string("bicubic")}})});
  check_same(graph, upgraded(graph, 20), 1e-6);
  CHECK(upgraded(graph, 20).nodes[0].string_attribute("mode", "") == "cubic");
}

TEST_CASE("Split says how many parts it makes from opset 18 on", "[upgrade]") {
  const Graph result = check_node(11, 18, "Split", {{"axis", int64_t{2}}}, 2);
  CHECK(result.nodes[0].int_attribute("num_outputs", 0) == 2);
  const Graph uneven = check_node(11, 18, "Split", {{"axis", int64_t{2}}, {"split", Ints{1, 3}}}, 2);
  CHECK_FALSE(uneven.nodes[0].has_attribute("num_outputs"));
}

TEST_CASE("Softmax of before opset 13 flattens its input", "[upgrade]") {
  for (const char* op : {"Softmax", "LogSoftmax"}) {
    for (const int64_t axis : {0, 1, 2, 3}) {
      INFO(op << " axis " << axis);
      const Graph result = check_node(11, 13, op, {{"axis", axis}});
      CHECK(result.nodes.size() == (axis == 3 ? 1 : 4));
    }
    CHECK(check_node(7, 13, op, {}).nodes.size() == 4);  // the default was axis 1
    CHECK(check_node(12, 13, op, {{"axis", int64_t{-1}}}).nodes.size() == 1);
    CHECK(check_node(13, 15, op, {{"axis", int64_t{1}}}).nodes.size() == 1);
  }
}

TEST_CASE("Hardmax of before opset 13 flattens its input", "[upgrade]") {
  check_node(11, 13, "Hardmax", {{"axis", int64_t{1}}});
}

TEST_CASE("Softmax stays one node where only extents of 1 follow its axis", "[upgrade]") {
  GraphBuilder b(9);
  const Graph graph = b.build({b.node("Softmax", {b.input("x", {2, 5, 1, 1})})});
  const Graph result = upgraded(graph, 13);
  REQUIRE(result.nodes.size() == 1);
  CHECK(result.nodes[0].int_attribute("axis", -1) == 1);
  check_same(graph, result, 1e-6);
}

TEST_CASE("Softmax of an input with unknown extents", "[upgrade]") {
  GraphBuilder b(11);
  const Graph graph = b.build({b.node("Softmax", {b.input("x", {kUnknownDim, 3, kUnknownDim})})});
  const Graph result = upgraded(graph, 13);
  CHECK(result.nodes.size() == 4);
  check_same(graph, result, 1e-6);
}

TEST_CASE("BatchNormalization of before opset 9 and 14", "[upgrade]") {
  GraphBuilder b(7);
  const std::vector<ValueId> inputs = {b.input("x", {2, 3, 4, 4}), b.random("scale", {3}),
                                       b.random("bias", {3}), b.random("mean", {3}),
                                       b.random("var", {3}, 0.5f, 1.0f)};
  SECTION("per channel") {
    const Graph graph = b.build({b.node("BatchNormalization", inputs, {{"spatial", int64_t{1}}})});
    const Graph result = upgraded(graph, 13);
    CHECK_FALSE(result.nodes[0].has_attribute("spatial"));
    check_same(graph, result, 1e-6);
  }
  SECTION("per element") {
    Graph graph = b.build({b.node("BatchNormalization", inputs, {{"spatial", int64_t{0}}})});
    CHECK_THROWS_AS(upgrade_opset(graph, 13), Error);
  }
  SECTION("outputs that only training uses") {
    const auto outputs = b.nodes("BatchNormalization", inputs, 5);
    Graph graph = b.build({outputs[0]}), reading = b.build({outputs[0], outputs[1]});
    upgrade_opset(graph, 15);
    CHECK(graph.nodes[0].outputs.size() == 1);
    CHECK_THROWS_AS(upgrade_opset(reading, 15), Error);
  }
}

TEST_CASE("Upsample and the Resize of opset 10 become a Resize", "[upgrade]") {
  for (const char* mode : {"nearest", "linear"}) {
    const Attributes with_mode = {{"mode", std::string(mode)}};
    GraphBuilder seven(7), nine(9), ten(10);
    const Floats scales = {1, 1, 2, 1.5f};
    const auto constant = [&](GraphBuilder& b) {
      return b.constant("scales", Tensor::of<float>({4}, scales));
    };
    Attributes with_scales = with_mode;
    with_scales["scales"] = scales;
    const std::vector<Graph> graphs = {
        seven.build({seven.node("Upsample", {seven.input("x", {1, 2, 3, 4})}, with_scales)}),
        nine.build({nine.node("Upsample", {nine.input("x", {1, 2, 3, 4}), constant(nine)}, with_mode)}),
        ten.build({ten.node("Resize", {ten.input("x", {1, 2, 3, 4}), constant(ten)}, with_mode)})};
    for (const Graph& graph : graphs) {
      INFO(mode << " of opset " << graph.opset());
      const Graph result = upgraded(graph, 13);
      REQUIRE(result.nodes.size() == 1);
      CHECK(result.nodes[0].op_type == "Resize");
      CHECK(result.nodes[0].inputs.size() == 3);
      check_same(graph, result, 1e-6);
    }
  }
}

TEST_CASE("a nearest Resize of opset 10 rounds up where it shrinks", "[upgrade]") {
  const auto resize = [](const Floats& scales, const std::string& mode) {
    GraphBuilder b(10);
    const ValueId constant = b.constant("scales", Tensor::of<float>({4}, scales));
    return b.build({b.node("Resize", {b.input("x", {1, 2, 5, 7}), constant}, {{"mode", mode}})});
  };
  for (const Floats& scales : {Floats{1, 1, 0.6f, 0.7f}, Floats{1, 1, 1, 0.4f}, Floats{1, 1, 1.3f, 1}}) {
    const Graph graph = resize(scales, "nearest");
    check_same(graph, upgraded(graph, 13), 0);
  }
  const Graph linear = resize({1, 1, 2, 0.5f}, "linear");
  check_same(linear, upgraded(linear, 13), 1e-6);
  CHECK_THROWS_AS(upgraded(resize({1, 1, 2, 0.5f}, "nearest"), 13), Error);
}

TEST_CASE("a model of the wanted opset, or a newer one, stays as it is", "[upgrade]") {
  for (const int64_t opset : {13, 17}) {
    GraphBuilder b(opset);
    Graph graph = b.build({b.node("Softmax", {b.input("x", {2, 3, 4})}, {{"axis", int64_t{1}}})});
    upgrade_opset(graph, 13);
    CHECK(graph.opset() == opset);
    CHECK(graph.nodes.size() == 1);
  }
}

TEST_CASE("the Resize of opset 11 keeps its mode, and one mode that opset 13 lacks is spelled otherwise",
          "[upgrade]") {
  const auto resize = [](const std::string& mode, const std::string& nearest) {
    GraphBuilder b(11);
    const ValueId scales = b.constant("scales", Tensor::of<float>({4}, {1, 1, 1.5f, 2.5f}));
    return b.build(
        {b.node("Resize", {b.input("x", {1, 2, 5, 4}), b.constant("roi", Tensor::of<float>({0}, {})), scales},
                {{"coordinate_transformation_mode", mode}, {"nearest_mode", nearest}})});
  };
  for (const char* mode : {"half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"}) {
    const Graph graph = resize(mode, "ceil"), result = upgraded(graph, 13);
    CHECK(result.nodes[0].string_attribute("coordinate_transformation_mode", "") == mode);
    check_same(graph, result, 0);
  }
  const Graph result = upgraded(resize("tf_half_pixel_for_nn", "floor"), 13);
  const Tensor x = random_tensor({1, 2, 5, 4}, 1);
  const Tensor y = run_graph(result, {x})[0];
  REQUIRE(y.shape() == Shape{1, 2, 7, 10});
  for (int64_t row = 0; row < 7; ++row)
    for (int64_t column = 0; column < 10; ++column) {
      const auto from_row = static_cast<int64_t>((static_cast<double>(row) + 0.5) / 1.5);
      const auto from_column = static_cast<int64_t>((static_cast<double>(column) + 0.5) / 2.5);
      CHECK(y.data<float>()[row * 10 + column] == x.data<float>()[from_row * 4 + from_column]);
    }
  Graph other = resize("tf_half_pixel_for_nn", "ceil");
  CHECK_THROWS_AS(upgrade_opset(other, 13), Error);
}

TEST_CASE("operators of other domains are not touched", "[upgrade]") {
  GraphBuilder b(11);
  const ValueId y = b.node("Relu", {b.input("x", {2, 3})});
  Graph graph = b.build({b.node("Softmax", {y})});
  graph.nodes[1].domain = "com.example";
  upgrade_opset(graph, 13);
  CHECK(graph.opset() == 13);
  CHECK(graph.nodes.size() == 2);
  CHECK_FALSE(graph.nodes[1].has_attribute("axis"));
}
