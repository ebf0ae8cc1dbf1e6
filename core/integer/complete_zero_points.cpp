// Zero points that a file leaves out are written out, so that no reader has to ask for them.
#include <map>
#include <utility>

#include "core/integer/forms.h"
#include "core/integer/lowering.h"

namespace quantize {

namespace {

class ZeroPointWriter {
 public:
  explicit ZeroPointWriter(Graph& graph) : graph_(graph) {}

  void complete(Node& node) {
    const CodeSlots slots = slots_of(node);
    for (const CodeOperand& operand : slots.operands)
      complete(node, node.input(operand.codes), operand.scale, operand.zero_point);
    if (slots.y_scale != kAnyNumber) complete(node, node.output(0), slots.y_scale, slots.y_scale + 1);
  }

 private:
  void complete(Node& node, ValueId codes, size_t scale, size_t zero_point) {
    if (node.input(zero_point) != kNoValue || codes == kNoValue || node.input(scale) == kNoValue) return;
    const DataType dtype = graph_.value(codes).dtype;
    const auto& shape = graph_.value(node.inputs[scale]).shape;
    if (dtype == DataType::kUndefined || !shape || !is_static(*shape)) return;
    if (node.inputs.size() <= zero_point) node.inputs.resize(zero_point + 1, kNoValue);
    node.inputs[zero_point] = zeros(dtype, *shape);
  }

  /// One constant for all nodes that need the same.
  ValueId zeros(DataType dtype, const Shape& shape) {
    const auto [place, is_new] = made_.try_emplace({dtype, shape}, kNoValue);
    if (is_new)
      place->second = graph_.add_constant("zero_point_" + std::string(name_of(dtype)), Tensor(dtype, shape));
    return place->second;
  }

  Graph& graph_;
  std::map<std::pair<DataType, Shape>, ValueId> made_;
};

}  // namespace

void complete_zero_points(Graph& graph) {
  ZeroPointWriter writer(graph);
  for (Node& node : graph.nodes) writer.complete(node);
}

}  // namespace quantize
