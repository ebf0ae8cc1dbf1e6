// Read RangeChooser::run() first.
#include "calibration/search/choose_ranges.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "calibration/images/choose_samples.h"
#include "calibration/tasks/deviation.h"
#include "core/engine/engine.h"
#include "core/fusion/chain.h"
#include "core/ops/macs.h"
#include "core/parallel.h"
#include "core/passes/passes.h"

namespace quantize {

namespace {

/// The share of the method's error that another range may leave: at most half, where that cuts off more,
/// because errors of cutting add up over layers; nine tenths, where it does not. See README.md.
constexpr double kCutting = 0.5, kWidening = 0.9;

/// A value whose range could be another.
struct Choice {
  QuantType type;
  std::vector<RangeCandidate> candidates;  // the method's range first
  std::vector<bool> open;                  // per candidate: could it be taken

  size_t open_count() const { return static_cast<size_t>(std::count(open.begin(), open.end(), true)); }

  /// The share of the method's error that a candidate may leave.
  double share_of(const RangeCandidate& candidate) const {
    const Range &own = candidates[0].range, &other = candidate.range;
    return other.min > own.min || other.max < own.max ? kCutting : kWidening;
  }
  /// Closes the candidates that leave more than their share of the method's error, taken `slack` times.
  void close(double slack) {
    for (size_t c = 1; c < candidates.size(); ++c)
      open[c] = open[c] && candidates[c].error < slack * share_of(candidates[c]) * candidates[0].error;
  }
};

/// A node that reads the value of a choice, with the functions before and behind it.
struct Reader {
  NodeId node = kNoNode;
  ValueId value = kNoValue;     // of the choice
  std::vector<ValueId> inputs;  // all that are computed
  ValueId output = kNoValue;
};

using Values = std::map<ValueId, Tensor>;

class RangeChooser {
 public:
  RangeChooser(const PlannedModel& planned, const std::vector<RangeTable>& tables,
               const QuantizationScheme& scheme, const CalibrateOptions& options)
      : graph_(planned.graph),
        index_(planned.graph),
        plan_(planned.plan),
        tables_(tables),
        scheme_(scheme),
        options_(options),
        kernels_(options.kernels == nullptr ? best_kernels() : *options.kernels) {}

  RangeTable run(size_t count, const SampleLoader& load) {
    for (size_t v = 0; v < plan_.values.size(); ++v) collect(static_cast<ValueId>(v));
    for (size_t before = 0; const auto& [samples, slack] : kRangeRounds) {
      if (before == count) break;  // of all samples
      before = std::min(samples, count);
      measure(before, count, load);
      for (auto& [id, choice] : choices_) choice.close(slack);
    }
    RangeTable result = tables_.front();
    for (const auto& [id, choice] : choices_) decide(choice, result.values.at(name(id)));
    return result;
  }

 private:
  const std::string& name(ValueId id) const { return graph_.value(id).name; }

  void collect(ValueId id);
  std::vector<RangeCandidate> candidates_for(ValueId id) const;
  std::vector<Reader> find_readers() const;
  ValueId result_of(const Node& node, std::set<NodeId>& inside) const;
  size_t affordable_samples(const std::vector<Reader>& readers) const;
  std::vector<Values> record(const std::vector<Reader>& readers, size_t samples, size_t count,
                             const SampleLoader& load) const;
  void measure(size_t samples, size_t count, const SampleLoader& load);
  std::vector<Deviation> deviations(const Reader& reader, Engine& engine, const Values& values) const;
  static void decide(const Choice& choice, ValueRange& value);

  const Graph& graph_;
  const GraphIndex index_;
  const QuantizationPlan& plan_;
  const std::vector<RangeTable>& tables_;
  const QuantizationScheme& scheme_;
  const CalibrateOptions& options_;
  const KernelTable& kernels_;
  std::map<ValueId, Choice> choices_;
};

/// Adds a choice for a value whose range is its own and could be another.
void RangeChooser::collect(ValueId id) {
  const PlannedValue& value = plan_.values[static_cast<size_t>(id)];
  const ValueRange* base = tables_.front().find(name(id));
  if (!value.params || !value.params->per_tensor() || value.source != id || base == nullptr ||
      base->ranges.size() != 1 || bits_of(value.params->dtype) == 16 ||
      find_override(scheme_, name(id)) != nullptr)
    return;
  const Range& own = base->ranges[0];
  if (value.range.min != own.min || value.range.max != own.max) return;  // a result: never cut
  std::vector<RangeCandidate> candidates = candidates_for(id);
  if (candidates.size() < 2) return;
  std::vector<bool> open(candidates.size(), true);
  choices_[id] = {activation_type(scheme_, name(id)), std::move(candidates), std::move(open)};
}

/// The ranges of all methods, those with one end of the first; in front of a function halves and quarters of
/// its ends, too. Left out is what could not win: a part of the first range with steps so large that rounding
/// alone does more harm than kCutting allows, and what hardly differs from another candidate.
std::vector<RangeCandidate> RangeChooser::candidates_for(ValueId id) const {
  constexpr float kNear = 0.05f;
  const ValueRange& base = *tables_.front().find(name(id));
  const Range& own = base.ranges[0];
  std::vector<RangeCandidate> found;
  const auto add = [&](const std::string& method, const Range& range) {
    const float width = range.max - range.min, part = width / (own.max - own.min);
    const auto is_near = [&](const RangeCandidate& other) {
      return std::abs(other.range.min - range.min) < kNear * width &&
             std::abs(other.range.max - range.max) < kNear * width;
    };
    const bool is_part = range.min >= own.min && range.max <= own.max;
    if (found.empty() || (width > 0 && !(is_part && part * part > kCutting) &&
                          std::none_of(found.begin(), found.end(), is_near)))
      found.push_back({method, range});
  };
  for (const RangeTable& table : tables_) add(table.find(name(id))->method, table.find(name(id))->ranges[0]);
  const auto add_ends = [&](const std::string& method, const Range& range) {
    add(method + " (min), " + base.method + " (max)", {range.min, own.max});
    add(base.method + " (min), " + method + " (max)", {own.min, range.max});
  };
  for (const RangeTable& table : tables_)
    add_ends(table.find(name(id))->method, table.find(name(id))->ranges[0]);
  if (function_behind(graph_, index_, id))
    for (const float part : {2.0f, 4.0f})
      add_ends(part == 2 ? "half" : "a quarter", {own.min / part, own.max / part});
  return found;
}

/// The value in which the node's reading shows: the result of the function that it begins or that is behind
/// it, and of a clamp behind that. `inside`: the nodes of all these functions.
ValueId RangeChooser::result_of(const Node& node, std::set<NodeId>& inside) const {
  const ChainRules rules{.clamp = true, .function = true, .clamp_behind_function = true};
  Chain chain = chain_behind(graph_, index_, node.inputs[0], rules);
  if (!chain.function) chain = chain_behind(graph_, index_, node.outputs[0], rules);
  if (chain.function) inside.insert(chain.function->nodes.begin(), chain.function->nodes.end());
  const auto links = chain.links();
  return links.empty() ? node.outputs[0] : graph_.nodes[static_cast<size_t>(links.back())].outputs[0];
}

/// The readers of values with more than one open candidate.
std::vector<Reader> RangeChooser::find_readers() const {
  std::vector<Reader> readers;
  std::set<NodeId> inside;
  for (size_t n = 0; n < graph_.nodes.size(); ++n) {
    const Node& node = graph_.nodes[n];
    std::set<ValueId> inputs;
    for (ValueId id : node.inputs)
      if (id != kNoValue && !graph_.value(id).is_constant()) inputs.insert(id);
    const auto is_real = [&](ValueId id) { return graph_.value(id).dtype == DataType::kF32; };
    if (inside.contains(static_cast<NodeId>(n)) || node.output(0) == kNoValue || !is_real(node.outputs[0]) ||
        !std::all_of(inputs.begin(), inputs.end(), is_real))
      continue;
    for (ValueId id : inputs)
      if (const auto choice = choices_.find(id); choice != choices_.end() && choice->second.open_count() > 1)
        readers.push_back(
            {static_cast<NodeId>(n), id, {inputs.begin(), inputs.end()}, result_of(node, inside)});
  }
  return readers;
}

/// How many samples fit into kRangeMacs and kRangeBytes; at least one.
size_t RangeChooser::affordable_samples(const std::vector<Reader>& readers) const {
  uint64_t macs = macs_of(graph_), bytes = 0;
  std::set<ValueId> kept;
  for (const Reader& reader : readers) {
    macs += (choices_.at(reader.value).open_count() + 1) *
            macs_of(graph_, graph_.nodes[static_cast<size_t>(reader.node)]);
    kept.insert(reader.inputs.begin(), reader.inputs.end());
  }
  for (ValueId id : kept) {
    std::optional<Shape> shape = graph_.value(id).shape;
    if (shape && !shape->empty()) (*shape)[0] = 1;  // one image, whatever the batch
    if (!shape || !is_static(*shape)) return 1;
    bytes += static_cast<uint64_t>(element_count(*shape)) * sizeof(float);
  }
  const uint64_t most_bytes = std::min<uint64_t>(kRangeBytes, options_.budget.bytes);
  return std::max<size_t>(
      std::min(kRangeMacs / std::max<uint64_t>(macs, 1), most_bytes / std::max<uint64_t>(bytes, 1)), 1);
}

/// The readers' inputs in the float network, of which nothing else is computed, per sample.
std::vector<Values> RangeChooser::record(const std::vector<Reader>& readers, size_t samples, size_t count,
                                         const SampleLoader& load) const {
  std::set<ValueId> read;
  for (const Reader& reader : readers) read.insert(reader.inputs.begin(), reader.inputs.end());
  for (const ValueId input : graph_.inputs) read.erase(input);
  const std::vector<ValueId> computed(read.begin(), read.end());
  Engine engine(subgraph(graph_, graph_.inputs, computed), {.kernels = &kernels_});
  std::vector<Values> recorded(samples);
  const std::vector<size_t> chosen = spread_evenly(samples, count);
  parallel_for(samples, options_.threads, [&](size_t s, int) {
    const auto sample = load(chosen[s]);
    if (!sample) return;
    std::vector<Tensor> values;
    if (!computed.empty()) values = engine.run(*sample);
    for (size_t i = 0; i < computed.size(); ++i) recorded[s][computed[i]] = std::move(values[i]);
    for (size_t i = 0; i < sample->size(); ++i) recorded[s][graph_.inputs[i]] = (*sample)[i];
  });
  std::erase_if(recorded, [](const Values& values) { return values.empty(); });
  return recorded;
}

/// The change that each open candidate makes to the results of a reader, for one sample: none where the sample has no
/// elements of a value, whose number depends on data.
std::vector<Deviation> RangeChooser::deviations(const Reader& reader, Engine& engine,
                                                const Values& values) const {
  const Choice& choice = choices_.at(reader.value);
  std::vector<Deviation> result(choice.candidates.size());
  std::vector<Tensor> operands;
  operands.reserve(reader.inputs.size());
  for (ValueId id : reader.inputs) {
    const auto value = values.find(id);
    if (value == values.end()) return result;
    operands.push_back(value->second);
  }
  const Tensor reference = engine.run(operands)[0];
  Tensor* rounded = &operands[0];
  while (reader.inputs[static_cast<size_t>(rounded - operands.data())] != reader.value) ++rounded;
  for (size_t c = 0; c < result.size(); ++c) {
    if (!choice.open[c]) continue;
    const QuantParams params = choose_quant_params({choice.candidates[c].range}, choice.type);
    *rounded = dequantize_tensor(quantize_tensor(values.at(reader.value), params), params);
    result[c].add(reference, engine.run(operands)[0]);
  }
  return result;
}

/// Measures the errors of all open candidates.
void RangeChooser::measure(size_t samples, size_t count, const SampleLoader& load) {
  const std::vector<Reader> readers = find_readers();
  if (readers.empty()) return;
  const std::vector<Values> recorded =
      record(readers, std::min(samples, affordable_samples(readers)), count, load);
  for (const Reader& reader : readers) {
    Choice& choice = choices_.at(reader.value);
    for (size_t c = 0; c < choice.candidates.size(); ++c)
      if (choice.open[c]) choice.candidates[c].error = 0;
  }
  for (const Reader& reader : readers) {
    Engine engine(subgraph(graph_, reader.inputs, {reader.output}), {.kernels = &kernels_});
    std::vector<std::vector<Deviation>> parts(recorded.size());
    parallel_for(parts.size(), options_.threads,
                 [&](size_t s, int) { parts[s] = deviations(reader, engine, recorded[s]); });
    std::vector<RangeCandidate>& candidates = choices_.at(reader.value).candidates;
    for (size_t c = 0; c < candidates.size(); ++c) {
      Deviation all;
      for (const auto& part : parts) all.add(part[c]);
      if (all.signal > 0) candidates[c].error += all.noise / all.signal;
    }
  }
}

void RangeChooser::decide(const Choice& choice, ValueRange& value) {
  value.candidates = choice.candidates;
  const RangeCandidate* best = &choice.candidates[0];
  for (size_t c = 1; c < choice.candidates.size(); ++c)
    if (choice.open[c] && choice.candidates[c].error < best->error) best = &choice.candidates[c];
  value.by_readers = best != &choice.candidates[0];
  if (!value.by_readers) return;
  value.method = best->method + ", chosen for the nodes that read it";
  value.ranges = {best->range};
}

}  // namespace

RangeTable choose_ranges(const PlannedModel& planned, const std::vector<RangeTable>& tables,
                         const QuantizationScheme& scheme, size_t count, const SampleLoader& load,
                         const CalibrateOptions& options) {
  return RangeChooser(planned, tables, scheme, options).run(count, load);
}

}  // namespace quantize
