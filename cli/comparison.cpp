// The two engines side by side. Read compare().
#include "cli/comparison.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <sstream>

#include "calibration/read_file.h"
#include "core/engine/engine.h"
#include "core/error.h"
#include "core/passes/model_facts.h"

namespace quantize {

namespace {

// A value of the reference and where the candidate has it.
struct Pair {
  std::string name, op_type;
  ValueId reference, candidate;
};

// What one sample contributes. Kept per sample and added up in their order, so that sums do not depend on
// threads.
struct SampleResult {
  bool used = false, agrees = false;
  std::optional<bool> reference_right, candidate_right;
  std::vector<Deviation> outputs, layers;
};

double percent(size_t part, size_t whole) {
  return whole == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole);
}

std::map<std::string, ValueId> computed_values(const Graph& graph) {
  std::map<std::string, ValueId> values;
  for (const Node& node : graph.nodes)
    for (const ValueId id : node.outputs)
      if (id != kNoValue) values[graph.value(id).name] = id;
  return values;
}

std::vector<Pair> layers_in_common(const Graph& reference, const Graph& candidate) {
  const std::map<std::string, ValueId> references = computed_values(reference),
                                       candidates = computed_values(candidate);
  const GraphIndex index(candidate);
  std::vector<Pair> pairs;
  for (const Node& node : reference.nodes) {
    for (const ValueId id : node.outputs) {
      const auto found = id == kNoValue ? candidates.end() : candidates.find(reference.value(id).name);
      if (found == candidates.end()) continue;
      // A DequantizeLinear that brings back another value of the reference (an absorbed Relu's) is that
      // one's.
      const ValueId rounded = behind_quantization(candidate, index, found->second);
      const bool other = references.contains(candidate.value(rounded).name);
      pairs.push_back(
          {node.name.empty() ? found->first : node.name, node.op_type, id, other ? found->second : rounded});
    }
  }
  return pairs;
}

// Positions of the reference's outputs, and of the candidate's of the same name.
std::vector<std::pair<size_t, size_t>> outputs_in_common(const Graph& reference, const Graph& candidate) {
  std::vector<std::pair<size_t, size_t>> pairs;
  for (size_t r = 0; r < reference.outputs.size(); ++r)
    for (size_t c = 0; c < candidate.outputs.size(); ++c)
      if (reference.value(reference.outputs[r]).name == candidate.value(candidate.outputs[c]).name)
        pairs.push_back({r, c});
  if (pairs.empty() || pairs.front().first != 0)
    throw Error(ErrorKind::kInvalidArgument, "the candidate has no output '" +
                                                 reference.value(reference.outputs.front()).name +
                                                 "'; give two forms of the same model");
  return pairs;
}

void check_inputs(const Graph& reference, const Graph& candidate) {
  bool same = reference.inputs.size() == candidate.inputs.size();
  for (size_t i = 0; same && i < reference.inputs.size(); ++i)
    same = reference.value(reference.inputs[i]).name == candidate.value(candidate.inputs[i]).name;
  if (!same)
    throw Error(ErrorKind::kInvalidArgument,
                "the models' inputs have different names or numbers; give two forms of the same model");
}

std::vector<bool> keep(const Graph& graph, const std::vector<Pair>& pairs, ValueId Pair::*member) {
  std::vector<bool> result(graph.values.size(), false);
  for (const Pair& pair : pairs) result[static_cast<size_t>(pair.*member)] = true;
  return result;
}

// Copies every kept value.
class Recorder : public ExecutionObserver {
 public:
  void on_value(ValueId id, const TensorView& value) override {
    Tensor copy(value.dtype, Shape(value.shape.begin(), value.shape.end()));
    if (copy.byte_size() != 0) std::memcpy(copy.mutable_bytes(), value.data, copy.byte_size());
    values_[id] = std::move(copy);
  }
  const Tensor& value(ValueId id) const { return values_.at(id); }

 private:
  std::map<ValueId, Tensor> values_;
};

class Comparer {
 public:
  Comparer(const Graph& reference, const Graph& candidate, const ComparisonOptions& options)
      : outputs_(outputs_in_common(reference, candidate)),
        layers_(options.layers ? layers_in_common(reference, candidate) : std::vector<Pair>{}),
        reference_(reference, {options.kernels, keep(reference, layers_, &Pair::reference)}),
        candidate_(candidate, {options.kernels, keep(candidate, layers_, &Pair::candidate)}) {
    check_inputs(reference, candidate);
  }

  SampleResult run(const std::vector<Tensor>& inputs, std::optional<int64_t> label) {
    SampleResult result;
    result.used = true;
    Recorder reference_values, candidate_values;
    const std::vector<Tensor> a =
        with_context([] { return "reference"; }, [&] { return reference_.run(inputs, &reference_values); });
    const std::vector<Tensor> b = with_context(
        [] { return "candidate"; },
        [&] { return candidate_.run(quantized_inputs(candidate_.graph(), inputs), &candidate_values); });
    for (const auto& [r, c] : outputs_) result.outputs.emplace_back().add(a[r], b[c]);
    for (const Pair& layer : layers_)
      result.layers.emplace_back().add(reference_values.value(layer.reference),
                                       candidate_values.value(layer.candidate));
    const Tensor& scores = b[outputs_[0].second];
    result.agrees = agree(a[0], scores);
    if (label) {
      const auto right = std::optional(static_cast<size_t>(*label));
      result.reference_right = arg_max(a[0]) == right;
      result.candidate_right = arg_max(scores) == right;
    }
    return result;
  }

  Comparison total(const std::vector<SampleResult>& results) const {
    Comparison sum;
    for (const Pair& layer : layers_) sum.layers.push_back({layer.name, layer.op_type, {}});
    for (const SampleResult& result : results) {
      if (!result.used) continue;
      ++sum.samples;
      sum.agreeing += result.agrees;
      sum.labelled += result.reference_right.has_value();
      sum.reference_right += result.reference_right.value_or(false);
      sum.candidate_right += result.candidate_right.value_or(false);
      for (size_t i = 0; i < outputs_.size(); ++i) sum.outputs[output_name(i)].add(result.outputs[i]);
      for (size_t i = 0; i < layers_.size(); ++i) sum.layers[i].deviation.add(result.layers[i]);
    }
    return sum;
  }

 private:
  const std::string& output_name(size_t i) const {
    const Graph& graph = reference_.graph();
    return graph.value(graph.outputs[outputs_[i].first]).name;
  }

  std::vector<std::pair<size_t, size_t>> outputs_;
  std::vector<Pair> layers_;
  Engine reference_, candidate_;
};

}  // namespace

double Comparison::agreement() const {
  return percent(agreeing, samples);
}
double Comparison::reference_top1() const {
  return percent(reference_right, labelled);
}
double Comparison::candidate_top1() const {
  return percent(candidate_right, labelled);
}

Comparison compare(const Graph& reference, const Graph& candidate, SampleSource& source,
                   const ComparisonOptions& options, const Console& console) {
  Comparer comparer(reference, candidate, options);
  std::vector<SampleResult> results(source.count());
  for_each_sample(source, options.threads, console, "verifying",
                  [&](size_t i, const std::vector<Tensor>& inputs) {
                    results[i] = comparer.run(inputs, label_of(options.labels, source.name(i)));
                  });
  return comparer.total(results);
}

std::optional<int64_t> label_of(const std::map<std::string, int64_t>& labels, const std::string& sample) {
  for (const std::string& name : {sample, std::filesystem::path(sample).filename().string()})
    if (const auto found = labels.find(name); found != labels.end()) return found->second;
  return std::nullopt;
}

std::map<std::string, int64_t> read_labels(const std::string& path, int64_t offset) {
  std::istringstream file(read_text(path));
  std::map<std::string, int64_t> labels;
  std::string line;
  for (size_t number = 1; std::getline(file, line); ++number) {
    line.erase(line.find_last_not_of(" \t\r") + 1);
    if (line.empty()) continue;
    const size_t split = line.find_last_of(" \t");
    int64_t label = 0;
    const char* const end = line.data() + line.size();
    const char* const start = split == std::string::npos ? end : line.data() + split + 1;
    const auto [stop, error] = std::from_chars(start, end, label);
    if (error != std::errc() || stop != end)
      throw Error(ErrorKind::kInvalidArgument, "line " + std::to_string(number) + " of the labels '" + path +
                                                   "' is not an image name and a class index");
    labels[line.substr(0, line.find_last_not_of(" \t", split) + 1)] = label + offset;
  }
  return labels;
}

}  // namespace quantize
