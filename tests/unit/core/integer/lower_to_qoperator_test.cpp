// Lowering as a table of float operators: what each becomes in a file that any runtime reads, and for our engine.
#include <catch2/catch.hpp>

#include "core/integer/lowering.h"
#include "tests/support/quantized_graph.h"

namespace quantize {

using test::GraphBuilder;

namespace {

using Ints = std::vector<int64_t>;

struct Net {
  GraphBuilder b{20};
  ValueId x = b.input("x", {1, 4, 8, 8});
  ValueId y = conv(x), other = conv(x);

  ValueId conv(ValueId id) { return b.node("Conv", {id, b.random("w", {4, *channels(id), 1, 1})}); }
  std::optional<int64_t> channels(ValueId id) const { return id == x ? 4 : width; }
  ValueId scalar(float number) { return b.constant("c", Tensor::scalar(number)); }
  int64_t width = 4;
};

struct Row {
  const char* name;
  ValueId (*build)(Net& n);  // of n.y and n.other
  const char* target;        // that plans it
  const char* file;  // the operator of any runtime, "" if DequantizeLinear and QuantizeLinear stay around it
  const char* own;   // the same for our engine
};
const Row kRows[] = {
    {"Add",
     [](Net& n) {
       return n.b.node("Add", {n.y, n.other});
     },
     "ort-x86", "QLinearAdd", "QLinearAdd"},
    {"Add before the rounding: reals in files",
     [](Net& n) {
       return n.b.node("Add", {n.y, n.other});
     },
     "native", "", "FusedConv"},
    {"Mul",
     [](Net& n) {
       return n.b.node("Mul", {n.y, n.other});
     },
     "ort-x86", "QLinearMul", "QLinearMul"},
    {"Concat",
     [](Net& n) {
       n.width = 8;
       return n.b.node("Concat", {n.y, n.other}, {{"axis", int64_t{1}}});
     },
     "ort-x86", "QLinearConcat", "QLinearConcat"},
    {"Sigmoid", [](Net& n) { return n.b.node("Sigmoid", {n.y}); }, "ort-x86", "QLinearSigmoid",
     "QLinearSigmoid"},
    {"LeakyRelu", [](Net& n) { return n.b.node("LeakyRelu", {n.y}); }, "ort-x86", "QLinearLeakyRelu",
     "QLinearLeakyRelu"},
    {"AveragePool",
     [](Net& n) {
       return n.b.node("AveragePool", {n.y}, {{"kernel_shape", Ints{2, 2}}});
     },
     "ort-x86", "QLinearAveragePool", "QLinearAveragePool"},
    {"GlobalAveragePool", [](Net& n) { return n.b.node("GlobalAveragePool", {n.y}); }, "ort-x86",
     "QLinearGlobalAveragePool", "QLinearGlobalAveragePool"},
    {"MaxPool on codes",
     [](Net& n) {
       return n.b.node("MaxPool", {n.y}, {{"kernel_shape", Ints{2, 2}}});
     },
     "ort-x86", "MaxPool", "MaxPool"},
    {"Transpose on codes",
     [](Net& n) {
       return n.b.node("Transpose", {n.y}, {{"perm", Ints{0, 1, 3, 2}}});
     },
     "ort-x86", "Transpose", "Transpose"},
    {"linear Resize: reals in files",
     [](Net& n) {
       const ValueId scales = n.b.constant("scales", Tensor::of<float>({4}, {1, 1, 2, 2}));
       return n.b.node("Resize", {n.y, kNoValue, scales}, {{"mode", std::string("linear")}});
     },
     "native", "", "Resize"},
    {"ConvTranspose",
     [](Net& n) {
       return n.b.node("ConvTranspose", {n.y, n.b.random("up", {4, 4, 2, 2})}, {{"strides", Ints{2, 2}}});
     },
     "native", "DepthToSpace", "DepthToSpace"},
    {"Tanh: reals in files", [](Net& n) { return n.b.node("Tanh", {n.y}); }, "native", "", ""},
};

/// True if some node of this type has codes as its first output.
bool has_on_codes(const Graph& graph, const std::string& op_type) {
  for (const Node& node : graph.nodes)
    if (node.op_type == op_type && graph.value(node.outputs[0]).dtype == DataType::kU8) return true;
  return false;
}

}  // namespace

TEST_CASE("lower_to_qoperator: what each operator becomes", "[lowering]") {
  for (const Row& row : kRows) {
    INFO(row.name);
    Net n;
    const ValueId result = row.build(n);
    const Graph qdq = test::quantized_graph(n.b.build({n.conv(result)}), row.target);
    for (const Runtime runtime : {Runtime::kAny, Runtime::kOwn}) {
      const Graph lowered = lower_to_qoperator(qdq, {}, runtime);
      REQUIRE_NOTHROW(validate(lowered));
      const std::string wanted = runtime == Runtime::kAny ? row.file : row.own;
      if (!wanted.empty()) CHECK(has_on_codes(lowered, wanted));
      if (wanted.empty()) CHECK(test::count_nodes(lowered, "DequantizeLinear") > 1);
    }
  }
}

TEST_CASE("lower_to_qoperator: an island whose values are kept stays", "[lowering]") {
  Net n;
  const ValueId sum = n.b.node("Mul", {n.y, n.other});
  const Graph qdq = test::quantized_graph(n.b.build({n.conv(sum)}));
  std::vector<bool> keep(qdq.values.size(), false);
  for (const Node& node : qdq.nodes)
    if (node.op_type == "Mul") keep[static_cast<size_t>(node.outputs[0])] = true;
  CHECK(test::count_nodes(lower_to_qoperator(qdq), "QLinearMul") == 1);
  const Graph kept = lower_to_qoperator(qdq, keep);
  CHECK(test::count_nodes(kept, "QLinearMul") == 0);
  CHECK(test::count_nodes(kept, "Mul") == 1);
}

}  // namespace quantize
