// Networks: the graphs of tests/suites, changed as the bytes say, quantized, written, read and run. A graph that
// runs in float must pass all of it.
#include <cmath>
#include <cstring>

#include "calibration/statistics/budget.h"
#include "core/error.h"
#include "core/integer/lowering.h"
#include "core/ops/op_registry.h"
#include "onnx_io/onnx_io.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/suites/graphs.h"
#include "tests/support/quantized_graph.h"

namespace quantize::test {

namespace {

constexpr uint64_t kMostBytes = 16 << 20, kMostMacs = 3'000'000;

/// Choices, one byte each; all 0 behind the end.
class Choices {
 public:
  explicit Choices(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }
  /// A number below `limit`; 0 if that is 0.
  size_t below(size_t limit) {
    if (bytes_.empty() || limit == 0) return 0;
    const uint8_t byte = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return byte % limit;
  }
  template <typename T>
  const T& of(std::span<const T> list) {
    return list[below(list.size())];
  }

 private:
  std::span<const uint8_t> bytes_;
};

int64_t draw_int(Choices& choices) {
  static constexpr int64_t kInts[] = {
      0, 1, -1, 2, -2, 3, 4, 5, 7, 8, 13, 100, 1 << 20, int64_t{1} << 40, INT64_MAX, INT64_MIN};
  return choices.of<int64_t>(kInts);
}

float draw_float(Choices& choices) {
  static constexpr float kFloats[] = {0, 1, -1, 0.5f, -0.25f, 6, 1e-30f, -1e30f, INFINITY, -INFINITY, NAN};
  return choices.of<float>(kFloats);
}

Shape draw_shape(Choices& choices) {
  Shape shape(choices.below(5));
  for (int64_t& extent : shape) extent = static_cast<int64_t>(choices.below(6));
  return shape;
}

void change_attribute(Attribute& attribute, Choices& choices) {
  if (auto* number = std::get_if<int64_t>(&attribute)) *number = draw_int(choices);
  if (auto* number = std::get_if<float>(&attribute)) *number = draw_float(choices);
  if (auto* numbers = std::get_if<std::vector<int64_t>>(&attribute)) {
    if (choices.below(4) == 0) numbers->resize(choices.below(6), 1);
    if (!numbers->empty()) (*numbers)[choices.below(numbers->size())] = draw_int(choices);
  }
}

/// Another constant: of another shape, or with one other element.
Tensor changed(const Tensor& tensor, Choices& choices) {
  if (tensor.dtype() == DataType::kF32 && choices.below(3) == 0)
    return random_tensor(draw_shape(choices), static_cast<uint32_t>(choices.below(9)));
  Tensor copy(tensor.dtype(), tensor.shape());
  if (tensor.size() == 0) return copy;
  std::memcpy(copy.mutable_bytes(), tensor.bytes(), tensor.byte_size());
  const auto at = choices.below(static_cast<size_t>(tensor.size()));
  if (tensor.dtype() == DataType::kF32) copy.mutable_data<float>()[at] = draw_float(choices);
  if (tensor.dtype() == DataType::kS64) copy.mutable_data<int64_t>()[at] = draw_int(choices);
  return copy;
}

void change_node(Graph& graph, Choices& choices) {
  if (graph.nodes.empty()) return;
  Node& node = graph.nodes[choices.below(graph.nodes.size())];
  const auto any_value = [&] { return static_cast<ValueId>(choices.below(graph.values.size())); };
  switch (choices.below(5)) {
    case 0:
      if (!node.inputs.empty()) node.inputs[choices.below(node.inputs.size())] = any_value();
      break;
    case 1:
      node.op_type = graph.nodes[choices.below(graph.nodes.size())].op_type;
      break;
    case 2:
      node.op_type = all_ops()[choices.below(256) * all_ops().size() / 256].op_type;
      break;
    case 3:
      if (choices.below(2) == 0)
        node.inputs.push_back(any_value());
      else if (!node.inputs.empty())
        node.inputs.pop_back();
      break;
    default:
      if (!node.attributes.empty())
        change_attribute(
            std::next(node.attributes.begin(), static_cast<ptrdiff_t>(choices.below(node.attributes.size())))
                ->second,
            choices);
  }
}

void change(Graph& graph, Choices& choices) {
  Value& value = graph.values[choices.below(graph.values.size())];
  switch (choices.below(6)) {
    case 0:
      if (value.is_constant()) {
        value.initializer = changed(value.initializer, choices);
        value.shape = value.initializer.shape();
      }
      break;
    case 1:
      graph.value(graph.inputs[0]).shape = draw_shape(choices);
      break;
    case 2:
      graph.outputs.push_back(static_cast<ValueId>(choices.below(graph.values.size())));
      break;
    default:
      change_node(graph, choices);
  }
}

/// Through a file, and run: inputs[i] belongs to graph.inputs[i]. An input that nothing reads is none of the file's.
std::vector<Tensor> written_and_run(const Graph& graph, const std::vector<Tensor>& inputs) {
  const std::string path = file_with({}, ".onnx");
  save_model(graph, path);
  const Graph read = open_model(load_model(path));
  std::vector<Tensor> given;
  for (size_t i = 0; i < inputs.size(); ++i)
    if (read.find_value(graph.value(graph.inputs[i]).name) != kNoValue) given.push_back(inputs[i]);
  return run_graph(read, given);
}

bool all_finite(const RangeTable& ranges) {
  for (const auto& [name, range] : ranges.values)
    for (const auto* list : {&range.ranges, &range.channel_ranges})
      for (const Range& r : *list)
        if (!std::isfinite(r.min) || !std::isfinite(r.max)) return false;
  return true;
}

void quantize_and_run(const Graph& graph, const TargetProfile& target, const std::vector<Tensor>& inputs,
                      const std::vector<Tensor>& reals) {
  const Graph qdq = quantized_graph(graph, target.name);
  for (const Graph& quantized : {qdq, lower_to_qoperator(qdq, {}, Runtime::kAny)}) {
    const std::vector<Tensor> outputs = written_and_run(quantized, inputs);
    for (size_t i = 0; i < reals.size(); ++i)
      if (outputs.at(i).shape() != reals[i].shape() || outputs[i].dtype() != reals[i].dtype())
        throw Error(ErrorKind::kInternal,
                    "an output changes its shape or type when the network is quantized");
  }
}

}  // namespace

void fuzz_network(std::span<const uint8_t> bytes) {
  Choices choices(bytes);
  Graph changed = suite_graphs()[choices.below(suite_graphs().size())].build();
  const TargetProfile& target = *all_targets()[choices.below(all_targets().size())];
  while (!choices.empty()) change(changed, choices);
  validate(changed);
  const Graph graph = open_model(changed, kMinOutputOpset);
  if (!has_static_shapes(graph) || needed_bytes(graph, 1) > kMostBytes || macs_of(graph) > kMostMacs) return;
  const std::vector<Tensor> inputs = random_inputs(graph), reals = run_graph(graph, inputs);
  if (!all_finite(measured_ranges(graph))) return;  // calibration leaves such samples out
  try {
    quantize_and_run(graph, target, inputs, reals);
  } catch (const Error& error) {
    throw Error(ErrorKind::kInternal,
                std::string("a network that was accepted is refused later: ") + error.what());
  }
}

}  // namespace quantize::test
