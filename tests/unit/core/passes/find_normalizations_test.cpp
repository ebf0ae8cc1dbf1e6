// Normalizations that are spelled out: each spelling becomes one node that computes the same.
#include "core/passes/passes.h"
#include "tests/support/check_same.h"

using namespace quantize;
using namespace quantize::test;

namespace {

enum class Root { kSqrt, kPow, kReciprocal, kOneOver, kPowMinusHalf };
enum class Square { kPow, kMul, kMulOfAnother };

/// Writes a normalization of x over `axes` into a graph.
struct Spelling {
  Root root = Root::kSqrt;
  Square square = Square::kPow;
  Shape scale = {}, bias = {};  // empty: none
  bool constants_first = false;
  bool factor_first = false;  // x * factor + (bias - mean * factor)

  ValueId number(GraphBuilder& b, float value) const {
    return b.constant("number", Tensor::of<float>({}, std::vector<float>{value}));
  }

  ValueId pair(GraphBuilder& b, const char* op, ValueId computed, ValueId constant) const {
    return constants_first ? b.node(op, {constant, computed}) : b.node(op, {computed, constant});
  }

  ValueId mean(GraphBuilder& b, ValueId x, const std::vector<int64_t>& axes) const {
    return b.node("ReduceMean", {x}, {{"axes", axes}});
  }

  ValueId inverse(GraphBuilder& b, ValueId raised) const {
    if (root == Root::kPowMinusHalf) return b.node("Pow", {raised, number(b, -0.5f)});
    const ValueId deviation = root_of(b, raised);
    return root == Root::kReciprocal ? b.node("Reciprocal", {deviation})
                                     : b.node("Div", {number(b, 1), deviation});
  }

  ValueId root_of(GraphBuilder& b, ValueId raised) const {
    return root == Root::kPow ? b.node("Pow", {raised, number(b, 0.5f)}) : b.node("Sqrt", {raised});
  }

  ValueId write(GraphBuilder& b, ValueId x, const std::vector<int64_t>& axes) const {
    const ValueId m = mean(b, x, axes), d = b.node("Sub", {x, m});
    const ValueId e = square == Square::kMulOfAnother ? b.node("Sub", {x, mean(b, x, axes)}) : d;
    const ValueId squares = square == Square::kPow ? b.node("Pow", {e, number(b, 2)}) : b.node("Mul", {e, e});
    const ValueId raised = pair(b, "Add", mean(b, squares, axes), number(b, 1e-3f));
    if (factor_first) {
      ValueId factor = inverse(b, raised);
      if (!scale.empty()) factor = pair(b, "Mul", factor, b.random("scale", scale));
      const ValueId shift = b.node("Sub", {b.random("bias", bias), b.node("Mul", {m, factor})});
      return pair(b, "Add", b.node("Mul", {x, factor}), shift);
    }
    ValueId y = root == Root::kSqrt || root == Root::kPow ? b.node("Div", {d, root_of(b, raised)})
                                                          : pair(b, "Mul", d, inverse(b, raised));
    if (!scale.empty()) y = pair(b, "Mul", y, b.random("scale", scale));
    if (!bias.empty()) y = pair(b, "Add", y, b.random("bias", bias));
    return y;
  }
};

/// The graph becomes one node of this type and computes the same; nullptr: it stays as it is.
void check(const Spelling& spelling, const Shape& x, const std::vector<int64_t>& axes, const char* op_type,
           size_t nodes_left = 1) {
  GraphBuilder b(13);
  const Graph graph = b.build({spelling.write(b, b.input("x", x), axes)});
  const Graph after = after_pass(graph, find_normalizations);
  if (op_type == nullptr) {
    CHECK(after.nodes.size() == graph.nodes.size());
    CHECK(after.opset() == 13);
    return;
  }
  CHECK(count_nodes(after, op_type) == 1);
  CHECK(after.nodes.size() == nodes_left);
  CHECK(after.opset() == (std::string(op_type) == "LayerNormalization" ? 17 : 13));
  check_same(graph, after, 1e-5);
}

}  // namespace

TEST_CASE("normalizations: every spelling is found", "[normalization]") {
  for (const Root root : {Root::kSqrt, Root::kPow, Root::kReciprocal, Root::kOneOver, Root::kPowMinusHalf})
    for (const Square square : {Square::kPow, Square::kMul, Square::kMulOfAnother})
      for (const bool first : {false, true}) {
        INFO(static_cast<int>(root) << ' ' << static_cast<int>(square) << ' ' << first);
        check({root, square, {6}, {6}, first}, {2, 5, 6}, {-1}, "LayerNormalization");
        check({root, square, {4, 1, 1}, {1, 4, 1, 1}, first}, {2, 4, 5, 6}, {2, 3}, "InstanceNormalization");
      }
  for (const Root root : {Root::kReciprocal, Root::kOneOver, Root::kPowMinusHalf})
    for (const bool first : {false, true}) {
      check({root, Square::kMul, {6}, {6}, first, true}, {2, 5, 6}, {2}, "LayerNormalization");
      check({root, Square::kMul, {}, {6}, first, true}, {2, 5, 6}, {2}, "LayerNormalization");
      check({root, Square::kPow, {4, 1}, {4, 1}, first, true}, {2, 4, 6}, {2}, "InstanceNormalization");
    }
}

TEST_CASE("normalizations: scale and bias where they fit", "[normalization]") {
  check({}, {2, 5, 6}, {2}, "LayerNormalization");
  check({}, {2, 5, 6}, {1, 2}, "LayerNormalization");
  check({.scale = {5, 6}, .bias = {6}}, {2, 5, 6}, {2, 1}, "LayerNormalization");
  check({.bias = {1, 1, 6}}, {2, 5, 6}, {2}, "LayerNormalization");
  check({.bias = {4, 1, 1}}, {2, 4, 5, 6}, {2, 3}, "InstanceNormalization");
  check({.scale = {1}, .bias = {6}}, {2, 5, 6}, {2}, "LayerNormalization");
  check({.scale = {6}, .bias = {5, 1}}, {2, 5, 6}, {2}, "LayerNormalization",
        2);  // the bias is no part of it
  check({.scale = {5, 6}, .bias = {6}}, {2, 5, 6}, {2}, "LayerNormalization", 3);
  check({.bias = {3, 2, 5, 6}}, {1, 2, 5, 6}, {3}, "LayerNormalization", 2);  // it makes the result larger
}

TEST_CASE("normalizations: all else stays", "[normalization]") {
  check({}, {2, 5, 6}, {1}, nullptr);
  check({}, {2, 5, 6, 7}, {1, 2}, nullptr);
  check(
      {.root = Root::kReciprocal, .square = Square::kMul, .scale = {5, 1}, .bias = {6}, .factor_first = true},
      {2, 5, 6}, {2}, nullptr);
  check({}, {2, kUnknownDim, kUnknownDim}, {2}, nullptr);
  GraphBuilder b(13);  // the deviation of another value
  const ValueId x = b.input("x", {2, 6}), z = b.input("z", {2, 6});
  const Spelling plain;
  const ValueId d = b.node("Sub", {x, plain.mean(b, x, {1})}), e = b.node("Sub", {z, plain.mean(b, z, {1})});
  const ValueId variance = plain.mean(b, b.node("Mul", {e, e}), {1});
  const ValueId root = b.node("Sqrt", {b.node("Add", {variance, plain.number(b, 1e-5f)})});
  const Graph graph = b.build({b.node("Div", {d, root})});
  CHECK(count_nodes(after_pass(graph, find_normalizations), "LayerNormalization") == 0);
}
