// Networks: the graphs of tests/suites, changed as the bytes say, quantized, written, read and run. A graph that
// runs in float must pass all of it.
#include <cmath>

#include "calibration/statistics/budget.h"
#include "core/error.h"
#include "core/integer/lowering.h"
#include "onnx_io/onnx_io.h"
#include "tests/fuzz/choices.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/suites/graphs.h"
#include "tests/support/quantized_graph.h"

namespace quantize::test {

namespace {

constexpr uint64_t kMostBytes = 16 << 20, kMostMacs = 3'000'000;

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
  while (!choices.empty()) change_graph(changed, choices);
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
