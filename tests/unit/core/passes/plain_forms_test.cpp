// Forms of newer opsets in the older ones: what is left of them, and that they compute what the form written
// by hand computes.
#include "core/passes/passes.h"
#include "tests/support/check_same.h"

using namespace quantize;
using namespace quantize::test;

namespace {

using Ints = std::vector<int64_t>;
using Attributes = std::map<std::string, Attribute>;

Graph plain(const Graph& graph) {
  Graph result = graph;
  infer_shapes(result);
  plain_forms(result);
  infer_and_fold(result);
  REQUIRE_NOTHROW(validate(result));
  return result;
}

const Node& only_node(const Graph& graph) {
  REQUIRE(graph.nodes.size() == 1);
  return graph.nodes[0];
}

ValueId floats(GraphBuilder& b, const std::string& name, const std::vector<float>& values) {
  return b.constant(name, Tensor::of<float>({static_cast<int64_t>(values.size())}, values));
}

Graph pad(const Shape& x, const Ints& pads, const Ints& axes, const Attributes& attributes, bool value) {
  GraphBuilder b(18);
  std::vector<ValueId> inputs{b.input("x", x), b.ints("pads", pads),
                              value ? b.constant("value", Tensor::scalar(-3.0f)) : kNoValue};
  if (!axes.empty()) inputs.push_back(b.ints("axes", axes));
  return b.build({b.node("Pad", inputs, attributes)});
}

/// Operands that are empty are left out.
struct ResizeOperands {
  std::vector<float> roi, scales;
  Ints sizes;
};

Graph resize(const ResizeOperands& operands, const Attributes& attributes) {
  GraphBuilder b(19);
  std::vector<ValueId> inputs{b.input("x", {1, 2, 6, 5}), kNoValue, kNoValue, kNoValue};
  if (!operands.roi.empty()) inputs[1] = floats(b, "roi", operands.roi);
  if (!operands.scales.empty()) inputs[2] = floats(b, "scales", operands.scales);
  if (!operands.sizes.empty()) inputs[3] = b.ints("sizes", operands.sizes);
  while (inputs.back() == kNoValue) inputs.pop_back();
  return b.build({b.node("Resize", inputs, attributes)});
}

}  // namespace

TEST_CASE("pads of some axes become pads of all", "[plain]") {
  const auto check = [](const Ints& pads, const Ints& axes, const Ints& full, const char* mode) {
    for (const bool value : {false, true}) {
      const Attributes attributes{{"mode", std::string(mode)}};
      const Graph result = plain(pad({1, 2, 4, 5}, pads, axes, attributes, value));
      INFO(mode << ", value " << value);
      CHECK(only_node(result).inputs.size() == (value ? 3 : 2));
      CHECK(result.constant(only_node(result).inputs[1])->to_vector<int64_t>() == full);
      check_same(pad({1, 2, 4, 5}, full, {}, attributes, value), result, 0);
    }
  };
  for (const char* mode : {"constant", "reflect", "edge"}) {
    check({2, 1}, {3}, {0, 0, 0, 2, 0, 0, 0, 1}, mode);
    check({2, 1, 0, 3}, {-1, 2}, {0, 0, 1, 2, 0, 0, 3, 0}, mode);
  }
  check({1, -1, 0, 2}, {1, -2}, {0, 1, -1, 0, 0, 0, 2, 0}, "constant");
}

TEST_CASE("the shape of some axes becomes that of all", "[plain]") {
  const auto crop = [](const Ints& shape, const Ints& axes) {
    GraphBuilder b(18);
    const Attributes attributes = axes.empty() ? Attributes() : Attributes{{"axes", axes}};
    return b.build(
        {b.node("CenterCropPad", {b.input("x", {1, 2, 6, 5}), b.ints("shape", shape)}, attributes)});
  };
  const Graph result = plain(crop({4, 9}, {-1, 1}));
  CHECK(only_node(result).attributes.empty());
  CHECK(result.constant(only_node(result).inputs[1])->to_vector<int64_t>() == Ints{1, 9, 6, 4});
  check_same(crop({4, 9}, {-1, 1}), result, 0);
  check_same(crop({1, 9, 6, 4}, {}), result, 0);
}

TEST_CASE("pads that the graph computes are spread over all axes by the graph", "[plain]") {
  const auto build = [](bool axes) {
    GraphBuilder b(18);
    const ValueId x = b.input("x", {1, 2, 4, kUnknownDim});
    const ValueId width = b.node("Gather", {b.node("Shape", {x}), b.ints("last", {3})});
    const ValueId zero = b.ints("zero", {0});
    const ValueId pads =
        axes ? b.node("Concat", {width, zero}, {{"axis", int64_t{0}}})
             : b.node("Concat", {zero, zero, zero, width, zero, zero, zero, zero}, {{"axis", int64_t{0}}});
    std::vector<ValueId> inputs{x, pads};
    if (axes) inputs.insert(inputs.end(), {kNoValue, b.ints("axes", {-1})});
    return b.build({b.node("Pad", inputs)});
  };
  const Graph result = plain(build(true));
  for (const Node& node : result.nodes)
    if (node.op_type == "Pad") CHECK(node.inputs.size() == 2);
  check_same(build(false), result, 0);
}

TEST_CASE("scales, sizes and regions of some axes become those of all", "[plain]") {
  for (const char* mode : {"nearest", "linear", "cubic"}) {
    INFO(mode);
    Attributes all{{"mode", std::string(mode)}};
    const auto check = [&](const Ints& axes, const ResizeOperands& some, const ResizeOperands& full) {
      Attributes attributes = all;
      attributes["axes"] = axes;
      const Graph result = plain(resize(some, attributes));
      CHECK_FALSE(only_node(result).has_attribute("axes"));
      check_same(resize(full, all), result, 0);
    };
    check({2, 3}, {{}, {2, 0.5f}, {}}, {{}, {1, 1, 2, 0.5f}, {}});
    check({-1, 2}, {{}, {}, {7, 9}}, {{}, {}, {1, 2, 9, 7}});
    check({3}, {{}, {}, {11}}, {{}, {}, {1, 2, 6, 11}});
    all["coordinate_transformation_mode"] = std::string("tf_crop_and_resize");
    all["extrapolation_value"] = -2.0f;
    check({3, 2}, {{0.1f, -0.3f, 1.2f, 0.9f}, {}, {9, 7}},
          {{0, 0, -0.3f, 0.1f, 1, 1, 0.9f, 1.2f}, {}, {1, 2, 7, 9}});
  }
}

TEST_CASE("sizes that keep the aspect ratio become scales where these lead to them", "[plain]") {
  const auto attributes = [](const char* policy) {
    return Attributes{{"axes", Ints{2, 3}}, {"keep_aspect_ratio_policy", std::string(policy)}};
  };
  const Graph smaller = plain(resize({{}, {}, {12, 20}}, attributes("not_larger")));  // twice
  CHECK_FALSE(only_node(smaller).has_attribute("axes"));
  check_same(resize({{}, {1, 1, 2, 2}, {}}, {}), smaller, 0);
  const Graph larger = plain(resize({{}, {}, {12, 20}}, attributes("not_smaller")));  // four times
  check_same(resize({{}, {1, 1, 4, 4}, {}}, {}), larger, 0);
  // 5 x 7/5 in float is just below 7: the next scale is not.
  CHECK_FALSE(only_node(plain(resize({{}, {}, {100, 7}}, attributes("not_larger")))).has_attribute("axes"));
  // 6 x 4/5 is 4.8, which sizes round up and scales down.
  CHECK(only_node(plain(resize({{}, {}, {9, 4}}, attributes("not_larger")))).has_attribute("axes"));
}

TEST_CASE("a MaxPool has no ceil_mode where its last window would start behind the image", "[plain]") {
  const auto pool = [](int64_t extent) {
    GraphBuilder b(18);
    const Attributes attributes = {
        {"kernel_shape", Ints{2}}, {"strides", Ints{3}}, {"ceil_mode", int64_t{1}}};
    return only_node(plain(b.build({b.node("MaxPool", {b.input("x", {1, 2, extent})}, attributes)})));
  };
  CHECK_FALSE(pool(6).has_attribute("ceil_mode"));  // windows at 0 and 3; ONNX counts one at 6 too
  CHECK(pool(7).has_attribute("ceil_mode"));
}

TEST_CASE(
    "a pool that needs ceil_mode on one axis alone is padded where ONNX would count one window more on "
    "another",
    "[plain]") {
  const auto pool = [](const char* op_type, const Ints& extents, Attributes attributes) {
    GraphBuilder b(18);
    attributes["kernel_shape"] = Ints{2, 2};
    attributes["ceil_mode"] = int64_t{1};
    return b.build({b.node(op_type, {b.input("x", {1, 2, extents[0], extents[1]})}, attributes)});
  };
  for (const char* op_type : {"MaxPool", "AveragePool"}) {
    for (const Ints& strides : {Ints{2, 2}, Ints{3, 2}, Ints{2, 3}})
      for (const Ints& extents : {Ints{8, 9}, Ints{9, 8}, Ints{6, 9}, Ints{7, 7}}) {
        const Graph graph = pool(op_type, extents, {{"strides", strides}, {"pads", Ints{0, 0, 1, 0}}});
        check_same(graph, plain(graph), 0);
      }
    const Graph mixed = pool(op_type, {8, 9}, {{"strides", Ints{2, 2}}, {"pads", Ints{0, 0, 1, 0}}});
    const Node padded = only_node(plain(mixed));  // windows at 0, 2, 4, 6, and on the other axis at 8 too
    CHECK_FALSE(padded.has_attribute("ceil_mode"));
    CHECK(padded.ints_attribute("pads", {}) == Ints{0, 0, 0, 1});
  }
  const auto both = [&](int64_t counted, const Ints& pads) {
    return only_node(plain(pool("AveragePool", {8, 9},
                                {{"strides", Ints{2, 2}}, {"pads", pads}, {"count_include_pad", counted}})));
  };
  CHECK(both(0, {0, 0, 0, 0}).has_attribute("ceil_mode"));  // counted alike: left as it is
  CHECK(both(1, {0, 0, 1, 0}).has_attribute("ceil_mode"));  // its mean would count the padding
}

TEST_CASE("a pool that is dilated or leaves elements out has pads in place of auto_pad", "[plain]") {
  const std::string op_type = GENERATE("MaxPool", "AveragePool"),
                    mode = GENERATE("SAME_UPPER", "SAME_LOWER", "VALID");
  const int64_t stride = GENERATE(1, 2, 3, 4), dilation = GENERATE(1, 2);
  GraphBuilder b(19);
  const Graph graph = b.build({b.node(op_type, {b.input("x", {1, 2, 7, 6})},
                                      {{"kernel_shape", Ints{2, 3}},
                                       {"strides", Ints{stride, 1}},
                                       {"dilations", Ints{1, dilation}},
                                       {"auto_pad", mode}})});
  const Graph changed = plain(graph);
  CHECK(only_node(changed).has_attribute("auto_pad") == (dilation == 1 && stride <= 2));
  check_same(graph, changed, 0);
}

TEST_CASE("pools lose the attributes that change nothing", "[plain]") {
  const auto pool = [](int64_t extent, Attributes attributes) {
    GraphBuilder b(19);
    attributes["kernel_shape"] = Ints{3};
    attributes["strides"] = Ints{2};
    attributes["count_include_pad"] = int64_t{1};
    return only_node(plain(b.build({b.node("AveragePool", {b.input("x", {1, 2, extent})}, attributes)})));
  };
  CHECK_FALSE(pool(8, {{"dilations", Ints{1}}}).has_attribute("dilations"));
  CHECK(pool(8, {{"dilations", Ints{2}}}).has_attribute("dilations"));
  CHECK(pool(8, {{"ceil_mode", int64_t{1}}}).has_attribute("ceil_mode"));
  CHECK_FALSE(pool(7, {{"ceil_mode", int64_t{1}}}).has_attribute("ceil_mode"));
  CHECK_FALSE(pool(8, {{"ceil_mode", int64_t{1}}, {"pads", Ints{0, 1}}}).has_attribute("ceil_mode"));
  CHECK(pool(8, {{"ceil_mode", int64_t{1}}, {"pads", Ints{1, 1}}}).has_attribute("ceil_mode"));
  CHECK_FALSE(pool(8, {{"ceil_mode", int64_t{1}}, {"auto_pad", std::string("SAME_LOWER")}})
                  .has_attribute("ceil_mode"));
  CHECK(pool(kUnknownDim, {{"ceil_mode", int64_t{1}}}).has_attribute("ceil_mode"));
}

TEST_CASE("weights of a MatMul lose the axes of 1 in front that its result does not need", "[plain]") {
  const auto weights = [](const Shape& x, const Shape& w) {
    GraphBuilder b;
    const Graph graph = b.build({b.node("MatMul", {b.input("x", x), b.random("w", w)})});
    const Graph result = plain(graph);
    check_same(graph, result);
    return to_string(result.constant(only_node(result).inputs[1])->shape());
  };
  CHECK(weights({2, 5, 3}, {1, 3, 4}) == "3x4");
  CHECK(weights({2, 2, 5, 3}, {1, 1, 3, 4}) == "3x4");
  CHECK(weights({2, 2, 5, 3}, {1, 3, 4}) == "3x4");
  CHECK(weights({5, 3}, {1, 3, 4}) == "1x3x4");     // the result has three axes
  CHECK(weights({2, 5, 3}, {2, 3, 4}) == "2x3x4");  // a matrix for each of two
}
