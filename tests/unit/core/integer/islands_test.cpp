// Islands as a table of small QDQ graphs: what stands behind a convolution on reals, and what an operator on codes could
// take over of it.
#include "core/integer/islands.h"

#include <catch2/catch.hpp>
#include <limits>

#include "core/passes/passes.h"
#include "tests/support/graph_builder.h"

namespace quantize {

using test::GraphBuilder;

namespace {

struct Qdq {
  GraphBuilder b{21};
  ValueId x = dequantize(b.input("x", {1, 4, 6, 6}, DataType::kU8), 0);
  ValueId residual = dequantize(b.input("r", {1, 4, 6, 6}, DataType::kU8), 10);
  ValueId y = b.node("Conv", {x, b.random("w", {4, 4, 1, 1})});

  ValueId zero(uint8_t code) { return b.constant("zero", Tensor::of<uint8_t>({}, {code})); }
  ValueId scalar(float number) { return b.constant("c", Tensor::scalar(number)); }
  ValueId dequantize(ValueId codes, uint8_t code) {
    return b.node("DequantizeLinear", {codes, scalar(0.1f), zero(code)});
  }
  ValueId quantize(ValueId real, uint8_t code = 128) {
    return b.node("QuantizeLinear", {real, scalar(0.1f), zero(code)});
  }
  ValueId quantize_channels(ValueId real) {
    return b.node("QuantizeLinear",
                  {real, b.constant("s", Tensor::of<float>({4}, {0.1f, 0.2f, 0.3f, 0.4f})),
                   b.constant("z", Tensor::of<uint8_t>({4}, {1, 2, 3, 4}))},
                  {{"axis", int64_t{1}}});
  }
  ValueId relu(ValueId id) { return b.node("Relu", {id}); }
  ValueId silu(ValueId id) { return b.node("Mul", {id, b.node("Sigmoid", {id})}); }
  ValueId add(ValueId id) { return b.node("Add", {id, residual}); }
  ValueId shield(ValueId id) { return b.node("Max", {id, scalar(std::numeric_limits<float>::lowest())}); }
};

/// The operators that the island takes over, and the limits of a Clip of codes that must follow; "-": no island.
std::string text(const Graph& graph, const std::optional<IslandResult>& result) {
  if (!result) return "-";
  std::string text;
  for (NodeId n : result->absorbed)
    text += (text.empty() ? "" : " ") + graph.nodes[static_cast<size_t>(n)].op_type;
  if (result->unclamped != kNoValue)
    text += ", " + std::to_string(result->low) + " to " + std::to_string(result->high);
  return text;
}

struct Row {
  const char* name;
  ValueId (*build)(Qdq& q);
  const char* plain;  // for an operator of ONNX
  const char* fused;  // for a FusedConv
};
const Row kRows[] = {
    {"Q", [](Qdq& q) { return q.quantize(q.y); }, "QuantizeLinear", "QuantizeLinear"},
    {"nothing", [](Qdq& q) { return q.y; }, "-", "-"},
    {"a clamp that cuts no code", [](Qdq& q) { return q.quantize(q.relu(q.y), 0); }, "Relu QuantizeLinear",
     "Relu QuantizeLinear"},
    {"a clamp that cuts codes", [](Qdq& q) { return q.quantize(q.relu(q.y)); },
     "Relu QuantizeLinear, 128 to 255", "-"},
    {"two clamps", [](Qdq& q) { return q.quantize(q.relu(q.relu(q.y)), 0); }, "-", "-"},
    {"a shield", [](Qdq& q) { return q.quantize(q.shield(q.y)); }, "-", "Max QuantizeLinear"},
    {"scales per channel", [](Qdq& q) { return q.quantize_channels(q.y); }, "-", "QuantizeLinear"},
    {"a function", [](Qdq& q) { return q.quantize(q.silu(q.y)); }, "-", "Sigmoid Mul QuantizeLinear"},
    {"a clamp behind a function", [](Qdq& q) { return q.quantize(q.relu(q.silu(q.y)), 0); }, "-", "-"},
    {"a residual", [](Qdq& q) { return q.quantize(q.add(q.y)); }, "-", "Add QuantizeLinear"},
    {"a residual to scales per channel", [](Qdq& q) { return q.quantize_channels(q.add(q.y)); }, "-", "-"},
    {"a residual and a clamp", [](Qdq& q) { return q.quantize(q.relu(q.add(q.y)), 0); }, "-",
     "Add Relu QuantizeLinear"},
    {"all parts", [](Qdq& q) { return q.quantize(q.relu(q.add(q.silu(q.y))), 0); }, "-",
     "Sigmoid Mul Add Relu QuantizeLinear"},
    {"a residual of reals",
     [](Qdq& q) {
       return q.quantize(q.b.node("Add", {q.y, q.b.node("Exp", {q.residual})}));
     },
     "-", "-"},
};

}  // namespace

TEST_CASE("Islands: what an operator on codes takes over", "[islands]") {
  for (const Row& row : kRows) {
    Qdq q;
    const ValueId result = row.build(q);
    Graph graph = q.b.build({result});
    infer_shapes(graph);
    const GraphIndex index(graph);
    const std::vector<bool> keep;
    Islands islands(graph, index, keep);
    INFO(row.name);
    CHECK(text(graph, islands.result(q.y)) == row.plain);
    CHECK(text(graph, islands.fused_result(q.y, 4)) == row.fused);
  }
}

TEST_CASE("Islands: nothing that others see is taken over", "[islands]") {
  Qdq q;
  const ValueId clamped = q.relu(q.y);
  Graph graph = q.b.build({q.quantize(clamped, 0)});
  infer_shapes(graph);
  const GraphIndex index(graph);
  for (ValueId kept : {q.y, clamped}) {
    std::vector<bool> keep(graph.values.size(), false);
    keep[static_cast<size_t>(kept)] = true;
    Islands islands(graph, index, keep);
    CHECK(!islands.result(q.y));
    CHECK(!islands.fused_result(q.y, 4));
  }
}

TEST_CASE("Islands: operands are codes of 8 bits and constant scales", "[islands]") {
  Qdq q;
  const ValueId s8 = q.b.constant("weights", Tensor::of<int8_t>({2, 2}, {1, 2, 3, 4}));
  const ValueId centred =
      q.b.node("DequantizeLinear", {s8, q.scalar(0.1f), q.b.constant("z", Tensor::of<int8_t>({}, {0}))});
  const ValueId shifted =
      q.b.node("DequantizeLinear", {s8, q.scalar(0.1f), q.b.constant("z", Tensor::of<int8_t>({}, {1}))});
  const ValueId computed = q.b.node(
      "DequantizeLinear", {q.b.input("codes", {2, 2}, DataType::kU8), q.b.input("scale", {}), q.zero(0)});
  Graph graph = q.b.build({q.y, centred, shifted, computed});
  infer_shapes(graph);
  const GraphIndex index(graph);
  const std::vector<bool> keep;
  Islands islands(graph, index, keep);
  CHECK(islands.operand(q.x));
  CHECK(!islands.operand(q.y));
  CHECK(!islands.operand(computed));
  CHECK(islands.weights(centred, 0));
  CHECK(!islands.weights(shifted, 0));  // kernels take weights that are centred on 0
  CHECK(!islands.weights(q.x, 0));      // and constants alone
  CHECK(!islands.dequantized(kNoValue));
}

}  // namespace quantize
