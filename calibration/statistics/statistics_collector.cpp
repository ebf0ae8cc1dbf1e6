// Summarizes an activation on the calling thread, then adds the summary under a lock.
#include "calibration/statistics/statistics_collector.h"

#include "core/engine/program.h"
#include "core/error.h"
#include "core/fusion/channel_axes.h"
#include "core/fusion/patterns.h"
#include "core/ops/support/window.h"

namespace quantize {

namespace {

struct TapEntry {
  const Node& conv;
  TapStatistics statistics;
};

}  // namespace

struct StatisticsCollector::Entry {
  std::optional<size_t> channel_axis;
  std::mutex mutex;
  TensorStatistics statistics;
  std::vector<TapEntry> taps;  // of the Convs that read the value
};

std::vector<bool> values_to_observe(const Graph& graph) {
  std::vector<bool> observed(graph.values.size(), false);
  const auto observe = [&](ValueId id) {
    if (id != kNoValue) observed[static_cast<size_t>(id)] = graph.value(id).dtype == DataType::kF32;
  };
  for (ValueId id : graph.inputs) observe(id);
  const GraphIndex index(graph);
  for (const Node& node : graph.nodes)
    if (clamp_behind(graph, index, node) == kNoNode)
      for (ValueId id : node.outputs) observe(id);
  return observed;
}

StatisticsCollector::StatisticsCollector(const Graph& graph, const KernelTable& kernels,
                                         const StatisticsTable* known)
    : graph_(graph), kernels_(kernels), entries_(graph.values.size()) {
  const std::vector<bool> observed = values_to_observe(graph);
  const ChannelAxes axes = channel_axes(graph, GraphIndex(graph));
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (!observed[i] || (known != nullptr && known->values.contains(graph.values[i].name))) continue;
    entries_[i] = std::make_unique<Entry>();
    entries_[i]->channel_axis = axes[i];
  }
  for (const Node& node : graph.nodes) {
    if (!has_distinct_taps(graph, node)) continue;
    if (Entry* entry = entries_[static_cast<size_t>(node.inputs[0])].get()) entry->taps.push_back({node, {}});
  }
}

StatisticsCollector::~StatisticsCollector() = default;

bool StatisticsCollector::add(uint64_t position, ValueId id, const TensorView& value) {
  Entry* entry = entries_[static_cast<size_t>(id)].get();
  if (entry == nullptr || value.dtype != DataType::kF32) return true;
  return with_context(
      [&] { return "value '" + graph_.value(id).name + "'"; },
      [&] {
        const SampleSummary summary = summarize(value, position, entry->channel_axis, kernels_);
        std::vector<TapStatistics> taps(entry->taps.size());
        if (summary.rest.samples != 0)
          for (size_t i = 0; i < taps.size(); ++i) {
            const Node& conv = entry->taps[i].conv;
            taps[i] = summarize_taps(
                value, conv_window(conv, value.shape, *graph_.value(conv.inputs[1]).shape), kernels_);
          }
        const std::lock_guard lock(entry->mutex);
        entry->statistics.add(summary);
        for (size_t i = 0; i < taps.size(); ++i) entry->taps[i].statistics.add(taps[i]);
        return summary.rest.non_finite == 0;
      });
}

void StatisticsCollector::take(StatisticsTable& table) {
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (!entries_[i]) continue;
    table.values[graph_.values[i].name] = std::move(entries_[i]->statistics);
    for (TapEntry& taps : entries_[i]->taps)
      table.taps[graph_.value(taps.conv.outputs[0]).name] = std::move(taps.statistics);
  }
}

}  // namespace quantize
