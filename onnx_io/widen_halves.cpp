// Values, tensors and attributes of a graph, one after the other.
#include "onnx_io/widen_halves.h"

#include <algorithm>
#include <array>

#include "core/ops/op.h"
#include "core/ops/support/convert_tensor.h"

namespace quantize {

namespace {

bool is_half(DataType dtype) {
  return dtype == DataType::kF16 || dtype == DataType::kBF16;
}

/// The attributes that hold a number of an element type.
constexpr std::array kTypeAttributes{"to",           "dtype",      "output_datatype",
                                     "output_dtype", "stash_type", "softmax_precision"};

class Widening {
 public:
  explicit Widening(Graph& graph) : graph_(graph) {}

  void run() {
    for (Value& value : graph_.values) {
      if (is_half(value.dtype)) value.dtype = widened(value.dtype);
      widen(value.initializer);
    }
    for (Node& node : graph_.nodes) {
      for (auto& [name, attribute] : node.attributes)
        if (auto* tensor = std::get_if<Tensor>(&attribute)) widen(*tensor);
      for (const char* name : kTypeAttributes) {
        const auto found = node.attributes.find(name);
        auto* number = found == node.attributes.end() ? nullptr : std::get_if<int64_t>(&found->second);
        if (number == nullptr || *number < 1 || *number > 100) continue;
        const auto dtype = static_cast<DataType>(*number);
        if (is_half(dtype)) *number = static_cast<int64_t>(widened(dtype));
      }
    }
  }

 private:
  DataType widened(DataType dtype) {
    auto& list = graph_.info.widened_from;
    if (std::find(list.begin(), list.end(), dtype) == list.end()) list.push_back(dtype);
    return DataType::kF32;
  }

  void widen(Tensor& tensor) {
    if (is_half(tensor.dtype())) tensor = converted(tensor, widened(tensor.dtype()));
  }

  Graph& graph_;
};

}  // namespace

void widen_halves(Graph& graph) {
  const bool reads_bits = std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
    const OpDef* def = try_find_op(graph, node);
    return def != nullptr && def->reads_bits;
  });
  if (!reads_bits) Widening(graph).run();
}

}  // namespace quantize
