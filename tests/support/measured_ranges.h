// A RangeTable from running a graph on random inputs: what calibration with `max` would find.
#pragma once

#include <algorithm>
#include <limits>

#include "core/fusion/channel_axes.h"
#include "core/range_table.h"
#include "tests/support/graph_builder.h"

namespace quantize::test {

/// Notes the extremes and means of every f32 value it is told of, by channel.
class RangeObserver : public ExecutionObserver {
 public:
  explicit RangeObserver(const Graph& graph) : graph_(graph), axes_(channel_axes(graph, GraphIndex(graph))) {}

  void on_value(ValueId id, const TensorView& value) override {
    if (value.dtype != DataType::kF32 || value.size() == 0) return;
    const size_t rank = value.shape.size();
    const size_t axis = axes_[static_cast<size_t>(id)].value_or(default_channel_axis(rank).value_or(0));
    const int64_t channels = rank < 2 ? 1 : value.shape[axis];
    int64_t inner = 1;
    for (size_t i = axis + 1; i < rank; ++i) inner *= value.shape[i];
    ValueRange range;
    range.method = "max";
    range.channel_axis = static_cast<int64_t>(axis);
    range.ranges = {{0, 0}};
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    range.channel_ranges.assign(static_cast<size_t>(channels), {kInfinity, -kInfinity});
    range.channel_mean.assign(static_cast<size_t>(channels), 0.0);
    for (int64_t i = 0; i < value.size(); ++i) {
      const float x = value.as<float>()[i];
      const auto c = static_cast<size_t>(i / inner % channels);
      for (Range* r : {&range.ranges[0], &range.channel_ranges[c]})
        *r = {std::min(r->min, x), std::max(r->max, x)};
      range.channel_mean[c] += double{x} * static_cast<double>(channels) / static_cast<double>(value.size());
    }
    table.values[graph_.value(id).name] = range;
  }

  RangeTable table;

 private:
  const Graph& graph_;
  const ChannelAxes axes_;
};

/// The table of one run on random_inputs(graph, seed).
inline RangeTable measured_ranges(const Graph& graph, uint32_t seed = 1) {
  CompileOptions options;
  options.keep.assign(graph.values.size(), true);
  Engine engine(graph, options);
  RangeObserver observer(graph);
  engine.run(random_inputs(graph, seed), &observer);
  return observer.table;
}

}  // namespace quantize::test
