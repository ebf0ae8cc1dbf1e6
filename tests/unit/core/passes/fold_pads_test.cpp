// Pad moved into the pads of what reads it: where it computes the same, and where it would not.
#include <limits>

#include "core/passes/passes.h"
#include "tests/support/check_same.h"

using namespace quantize;
using namespace quantize::test;

namespace {

using Ints = std::vector<int64_t>;
using Attributes = std::map<std::string, Attribute>;

struct Case {
  std::string op_type = "Conv";
  Ints pads = {0, 0, 0, 1, 0, 0, 1, 2};
  float value = 0;
  Attributes attributes = {};
  Attributes pad_attributes = {};
};

/// x -> Pad -> op -> y.
Graph padded(const Case& c) {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 8, 7});
  const ValueId y = b.node("Pad", {x, b.ints("pads", c.pads), b.constant("value", Tensor::scalar(c.value))},
                           c.pad_attributes);
  if (c.op_type == "Conv") return b.build({b.node("Conv", {y, b.random("w", {4, 3, 3, 3})}, c.attributes)});
  Attributes attributes = c.attributes;
  attributes["kernel_shape"] = Ints{3, 3};
  return b.build({b.node(c.op_type, {y}, attributes)});
}

void check(const Case& c, bool folds) {
  const Graph graph = padded(c), result = after_pass(graph, fold_pads);
  INFO(c.op_type);
  CHECK(count_nodes(result, "Pad") == (folds ? 0 : 1));
  check_same(graph, result);
}

}  // namespace

TEST_CASE("zeros around a Conv become its pads", "[passes]") {
  check({}, true);
  check({.attributes = {{"pads", Ints{1, 0, 2, 1}}, {"strides", Ints{2, 2}}, {"dilations", Ints{1, 2}}}},
        true);
  check({.attributes = {{"auto_pad", std::string("VALID")}}}, true);
  const Graph result = after_pass(padded({.attributes = {{"pads", Ints{1, 0, 2, 1}}}}), fold_pads);
  CHECK(result.nodes[0].ints_attribute("pads", {}) == Ints{1, 1, 3, 3});
}

TEST_CASE("a Pad that a Conv cannot do itself stays", "[passes]") {
  check({.value = 1}, false);
  check({.attributes = {{"auto_pad", std::string("SAME_UPPER")}}}, false);
  check({.pad_attributes = {{"mode", std::string("edge")}}}, false);
  check({.pad_attributes = {{"mode", std::string("reflect")}}}, false);
  check({.pads = {0, 0, -1, 0, 0, 0, 1, 1}}, false);
  check({.pads = {1, 0, 0, 0, 0, 0, 0, 0}}, false);
}

TEST_CASE("a Pad of channels stays", "[passes]") {
  GraphBuilder b;
  const ValueId y = b.node("Pad", {b.input("x", {1, 2, 5, 5}), b.ints("pads", {0, 0, 0, 0, 0, 1, 0, 0})});
  const Graph graph = b.build({b.node("Conv", {y, b.random("w", {4, 3, 3, 3})})}),
              result = after_pass(graph, fold_pads);
  CHECK(count_nodes(result, "Pad") == 1);
  check_same(graph, result);
}

TEST_CASE("pools pad with what does not count", "[passes]") {
  const float lowest = -std::numeric_limits<float>::infinity();
  check({.op_type = "MaxPool", .value = lowest}, true);
  check({.op_type = "MaxPool"}, false);
  check({.op_type = "AveragePool"}, true);  // nothing else is padding, so it may count
  check({.op_type = "AveragePool",
         .attributes = {{"count_include_pad", int64_t{1}}, {"pads", Ints{0, 0, 1, 0}}}},
        true);
  check({.op_type = "AveragePool", .attributes = {{"pads", Ints{0, 0, 1, 0}}}}, false);
  check({.op_type = "AveragePool", .value = 0.5f}, false);
}

TEST_CASE("pools do not take pads as wide as their window, nor with a rounded up size", "[passes]") {
  check({.op_type = "AveragePool", .pads = {0, 0, 0, 3, 0, 0, 0, 0}}, false);
  check({.op_type = "AveragePool", .attributes = {{"ceil_mode", int64_t{1}}, {"strides", Ints{2, 2}}}},
        false);
}

TEST_CASE("a Pad with further readers stays for them", "[passes]") {
  GraphBuilder b;
  const ValueId y = b.node("Pad", {b.input("x", {1, 3, 5, 5}), b.ints("pads", {0, 0, 1, 1, 0, 0, 1, 1})});
  const ValueId first = b.node("Conv", {y, b.random("w", {4, 3, 3, 3})});
  const ValueId second = b.node("Conv", {y, b.random("v", {4, 3, 3, 3})});
  SECTION("a Relu") {
    const Graph graph = b.build({first, second, b.node("Relu", {y})}), result = after_pass(graph, fold_pads);
    CHECK(count_nodes(result, "Pad") == 1);
    check_same(graph, result);
  }
  SECTION("convolutions only") {
    const Graph graph = b.build({first, second}), result = after_pass(graph, fold_pads);
    CHECK(count_nodes(result, "Pad") == 0);
    check_same(graph, result);
  }
}

TEST_CASE("a Pad of some axes, as of opset 18", "[passes]") {
  GraphBuilder b(18);
  const ValueId value = b.constant("value", Tensor::scalar(0.0f));
  const ValueId y = b.node(
      "Pad", {b.input("x", {1, 3, 5, 6}), b.ints("pads", {1, 2, 0, 1}), value, b.ints("axes", {-1, 2})});
  const Graph graph = b.build({b.node("Conv", {y, b.random("w", {4, 3, 3, 3})})}),
              result = after_pass(graph, fold_pads);
  REQUIRE(count_nodes(result, "Pad") == 0);
  CHECK(result.nodes[0].ints_attribute("pads", {}) == Ints{2, 1, 1, 0});
  check_same(graph, result);
}
