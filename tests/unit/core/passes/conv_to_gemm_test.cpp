// A Conv over its whole image as a Gemm: where it is one and makes results, and where it stays.
#include "core/passes/passes.h"
#include "tests/support/check_same.h"

using namespace quantize;
using namespace quantize::test;

namespace {

using Ints = std::vector<int64_t>;
using Attributes = std::map<std::string, Attribute>;

struct Case {
  Shape input = {2, 3, 1, 1};
  Shape weights = {5, 3, 1, 1};
  Attributes attributes = {};
  bool has_bias = true;
  bool another_layer = false;
};

/// x -> Conv -> (Conv ->) Relu -> y.
Graph network(const Case& c) {
  GraphBuilder b;
  const auto conv = [&](ValueId x, const Shape& weights, const std::string& name,
                        const Attributes& attributes) {
    std::vector<ValueId> inputs = {x, b.random(name, weights)};
    if (c.has_bias) inputs.push_back(b.random(name + "_bias", {weights[0]}));
    return b.node("Conv", inputs, attributes);
  };
  ValueId y = conv(b.input("x", c.input), c.weights, "w", c.attributes);
  if (c.another_layer) y = conv(y, {4, c.weights[0], 1, 1}, "v", {});
  return b.build({b.node("Relu", {y})});
}

void check(const Case& c, size_t products, size_t convolutions) {
  const Graph graph = network(c), result = after_pass(graph, conv_to_gemm);
  CHECK(count_nodes(result, "Gemm") == products);
  CHECK(count_nodes(result, "Conv") == convolutions);
  check_same(graph, result);
}

}  // namespace

TEST_CASE("a Conv over its whole image that makes results becomes a Gemm", "[passes]") {
  check({}, 1, 0);
  check({.has_bias = false}, 1, 0);
  check({.attributes = {{"auto_pad", std::string("SAME_UPPER")}, {"strides", Ints{2, 2}}}}, 1, 0);
  check({.input = {1, 3, 4, 2}, .weights = {5, 3, 4, 2}}, 1, 0);
  check({.input = {2, 3, 6}, .weights = {5, 3, 6}}, 1, 0);
  check({.input = {1, 2, 2, 3, 2}, .weights = {3, 2, 2, 3, 2}}, 1, 0);
}

TEST_CASE("before another layer of weights only the last one becomes a Gemm", "[passes]") {
  check({.another_layer = true}, 1, 1);
}

TEST_CASE("a Conv that moves over its image, pads it or has groups stays", "[passes]") {
  check({.input = {1, 3, 2, 1}}, 0, 1);
  check({.attributes = {{"pads", Ints{0, 1, 0, 1}}}}, 0, 1);
  check({.weights = {5, 3, 3, 3}, .attributes = {{"pads", Ints{1, 1, 1, 1}}}}, 0, 1);
  check({.input = {1, 3, 3, 3}, .weights = {5, 3, 2, 2}, .attributes = {{"dilations", Ints{2, 2}}}}, 0, 1);
  check({.weights = {6, 1, 1, 1}, .attributes = {{"group", int64_t{3}}}}, 0, 1);
}
