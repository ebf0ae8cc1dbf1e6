// Layer by layer. Read compare_layers() at the end.
#include <algorithm>
#include <cstring>
#include <map>

#include "calibration/search/comparison_support.h"
#include "core/integer/model_facts.h"

namespace quantize {

namespace {

/// A value of the reference and where the candidate has it.
struct Pair {
  std::string name, op_type;  // of the node
  ValueId reference, candidate;
  std::optional<QuantParams> codes;  // of the candidate's value, where that is not a float
};

std::map<std::string, ValueId> computed_values(const Graph& graph) {
  std::map<std::string, ValueId> values;
  for (const Node& node : graph.nodes)
    for (const ValueId id : node.outputs)
      if (id != kNoValue) values[graph.value(id).name] = id;
  return values;
}

/// Finds the partners of the reference's values.
class Matcher {
 public:
  Matcher(const Graph& reference, const Graph& candidate)
      : reference_(reference),
        candidate_(candidate),
        index_(candidate),
        references_(computed_values(reference)),
        candidates_(computed_values(candidate)) {}

  void run() {
    for (const Node& node : reference_.nodes) {
      for (const ValueId id : node.outputs) {
        if (id == kNoValue || reference_.value(id).dtype != DataType::kF32) continue;
        const std::string& value = reference_.value(id).name;
        Pair pair{node.name.empty() ? value : node.name, node.op_type, id, kNoValue, std::nullopt};
        if (find_partner(value, pair))
          pairs.push_back(std::move(pair));
        else
          missing.push_back(
              {pair.name, pair.op_type,
               "the candidate has no value '" + value + "': another step of it computes that too"});
      }
    }
  }

  std::vector<Pair> pairs;
  std::vector<MissingLayer> missing;

 private:
  bool find_partner(const std::string& value, Pair& pair) const {
    if (const auto found = candidates_.find(value); found != candidates_.end()) {
      // A DequantizeLinear that brings back another value of the reference (an absorbed Relu's) is that
      // one's.
      const ValueId rounded = behind_quantization(candidate_, index_, found->second);
      const bool other = references_.contains(candidate_.value(rounded).name);
      pair.candidate = other ? found->second : rounded;
      return true;
    }
    const auto codes = candidates_.find(value + "_quantized");
    if (codes == candidates_.end()) return false;
    pair.candidate = codes->second;
    pair.codes = dequantization_of(candidate_, codes->second);
    return pair.codes.has_value();
  }

  const Graph &reference_, &candidate_;
  const GraphIndex index_;
  const std::map<std::string, ValueId> references_, candidates_;
};

std::vector<bool> keep(const Graph& graph, const std::vector<Pair>& pairs, ValueId Pair::*member) {
  std::vector<bool> result(graph.values.size(), false);
  for (const Pair& pair : pairs) result[static_cast<size_t>(pair.*member)] = true;
  return result;
}

/// Copies every kept value.
class Recorder : public ExecutionObserver {
 public:
  void on_value(ValueId id, const TensorView& value) override {
    Tensor copy(value.dtype, Shape(value.shape.begin(), value.shape.end()));
    if (copy.byte_size() != 0) std::memcpy(copy.mutable_bytes(), value.data, copy.byte_size());
    values_[id] = std::move(copy);
  }
  /// nullptr for a value that was not computed: it follows from constants or shapes alone.
  const Tensor* value(ValueId id) const {
    const auto found = values_.find(id);
    return found == values_.end() ? nullptr : &found->second;
  }

 private:
  std::map<ValueId, Tensor> values_;
};

/// The deviation of one sample in every pair; nothing of a value that was not computed.
using LayerParts = std::vector<std::optional<Deviation>>;

LayerParts compare_values(const std::vector<Pair>& pairs, const Recorder& reference,
                          const Recorder& candidate) {
  LayerParts parts(pairs.size());
  for (size_t p = 0; p < pairs.size(); ++p) {
    const Tensor *a = reference.value(pairs[p].reference), *b = candidate.value(pairs[p].candidate);
    if (a == nullptr || b == nullptr) continue;
    parts[p].emplace().add(*a, pairs[p].codes ? dequantize_tensor(*b, *pairs[p].codes) : *b);
  }
  return parts;
}

LayerComparison total(const std::vector<Pair>& pairs, const std::vector<LayerParts>& parts) {
  LayerComparison sum;
  std::vector<std::optional<Deviation>> deviations(pairs.size());
  for (const LayerParts& part : parts) {
    for (size_t p = 0; p < part.size(); ++p) {
      if (!part[p]) continue;
      if (!deviations[p]) deviations[p].emplace();
      deviations[p]->add(*part[p]);
    }
  }
  for (size_t p = 0; p < pairs.size(); ++p) {
    if (deviations[p])
      sum.layers.push_back({pairs[p].name, pairs[p].op_type, *deviations[p]});
    else
      sum.missing.push_back({pairs[p].name, pairs[p].op_type, "it follows from constants or shapes alone"});
  }
  return sum;
}

}  // namespace

LayerComparison compare_layers(const Graph& reference, const Graph& candidate, const Batches& samples,
                               const ComparisonOptions& options) {
  const Graph a = opened(reference, "reference"), b = opened(candidate, "candidate");
  Matcher matcher(a, b);
  matcher.run();
  const std::vector<Pair>& pairs = matcher.pairs;
  FedNetwork expected(reference, a, options.kernels, "reference", keep(a, pairs, &Pair::reference)),
      computed(candidate, b, options.kernels, "candidate", keep(b, pairs, &Pair::candidate));
  const Batches some = samples.spread(kMostLayerSamples);
  std::vector<LayerParts> parts(some.count());
  std::vector<size_t> used(some.count());
  for_each_batch(
      some, options.threads,
      [&](size_t i, const Batches::Batch& batch) {
        Recorder reference_values, candidate_values;
        expected.run(batch.inputs, &reference_values);
        computed.run(batch.inputs, &candidate_values);
        parts[i] = compare_values(pairs, reference_values, candidate_values);
        used[i] = batch.rows.size();
      },
      options.progress);
  LayerComparison sum = total(pairs, parts);
  for (const size_t count : used) sum.samples += count;
  sum.missing.insert(sum.missing.begin(), matcher.missing.begin(), matcher.missing.end());
  return sum;
}

}  // namespace quantize
