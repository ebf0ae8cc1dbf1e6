#include "calibration/search/staged_run.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <set>

#include "core/engine/engine.h"
#include "core/ops/op.h"
#include "core/parallel.h"
#include "core/passes/passes.h"

namespace quantize {

namespace {

/// The value that stands for `id` while the run pauses: the codes that it is made of, else itself.
ValueId kept_form(const Graph& graph, const GraphIndex& index, ValueId id) {
  while (id != kNoValue && index.producer(id) != kNoNode) {
    const Node& node = graph.nodes[static_cast<size_t>(index.producer(id))];
    const CodeSlots slots = slots_of(node);
    const bool dequantizes =
        slots.operands.size() == 1 && slots.y_scale == kAnyNumber;  // reals of codes alone
    if (!dequantizes) break;
    id = node.inputs[slots.operands[0].codes];
  }
  return id;
}

/// Ascending: what must be at hand so that the nodes from `position` on can run.
std::vector<ValueId> read_from(const Graph& graph, const GraphIndex& index, size_t position) {
  std::set<ValueId> result;
  for (size_t n = position; n < graph.nodes.size(); ++n)
    for (const ValueId input : graph.nodes[n].inputs) {
      const ValueId id = kept_form(graph, index, input);
      if (id == kNoValue || graph.value(id).is_constant()) continue;
      const NodeId producer = index.producer(id);
      if (producer == kNoNode || static_cast<size_t>(producer) < position) result.insert(id);
    }
  return {result.begin(), result.end()};
}

size_t place_of(const std::vector<ValueId>& ascending, ValueId id) {
  return static_cast<size_t>(std::lower_bound(ascending.begin(), ascending.end(), id) - ascending.begin());
}

}  // namespace

StagedRun::StagedRun(const Graph& graph, const KernelTable& kernels, int threads,
                     const std::vector<std::vector<Tensor>>& samples)
    : graph_(graph),
      index_(graph),
      kernels_(kernels),
      threads_(threads),
      live_(graph.inputs),
      values_(samples.size()) {
  std::sort(live_.begin(), live_.end());
  for (size_t s = 0; s < samples.size(); ++s) {
    values_[s].resize(live_.size());
    for (size_t i = 0; i < graph.inputs.size(); ++i)
      values_[s][place_of(live_, graph.inputs[i])] = samples[s][i];
  }
}

std::vector<Tensor> StagedRun::at(size_t sample, const std::vector<size_t>& places) const {
  std::vector<Tensor> inputs;
  inputs.reserve(places.size());
  for (const size_t place : places) inputs.push_back(values_[sample][place]);
  return inputs;
}

void StagedRun::compute(ValueId id,
                        const std::function<void(size_t sample, const Tensor& value)>& take) const {
  Graph part = subgraph(graph_, live_, {id});
  const std::vector<size_t> places = fix_shapes(part);
  Engine engine(std::move(part), {.kernels = &kernels_});
  parallel_for(values_.size(), threads_, [&](size_t s, int) { take(s, engine.run(at(s, places))[0]); });
}

void StagedRun::advance_to(size_t position) {
  const std::vector<ValueId> wanted = read_from(graph_, index_, position);
  std::vector<ValueId> missing;
  std::set_difference(wanted.begin(), wanted.end(), live_.begin(), live_.end(), std::back_inserter(missing));
  Graph part = subgraph(graph_, live_, missing);
  const std::vector<size_t> places = fix_shapes(part);
  Engine engine(std::move(part), {.kernels = &kernels_});
  parallel_for(values_.size(), threads_, [&](size_t s, int) {
    std::vector<Tensor> computed, next;
    if (!missing.empty()) computed = engine.run(at(s, places));
    for (ValueId id : wanted) {
      const size_t place = place_of(missing, id);
      const bool is_new = place < missing.size() && missing[place] == id;
      next.push_back(is_new ? computed[place] : values_[s][place_of(live_, id)]);
    }
    values_[s] = std::move(next);
  });
  live_ = wanted;
}

/// Shapes that the model computes come out the same for all samples, and later parts need them known: such
/// inputs become constants. Returns the places in live_ of the inputs that are left.
std::vector<size_t> StagedRun::fix_shapes(Graph& part) const {
  std::vector<size_t> places;
  part.inputs.clear();
  for (size_t i = 0; i < live_.size(); ++i) {
    const Tensor& first = values_[0][i];
    const bool same = std::all_of(values_.begin(), values_.end(), [&](const std::vector<Tensor>& sample) {
      return sample[i].shape() == first.shape() && sample[i].byte_size() == first.byte_size() &&
             std::memcmp(sample[i].bytes(), first.bytes(), first.byte_size()) == 0;
    });
    if ((first.dtype() == DataType::kS64 || first.dtype() == DataType::kS32) && same) {
      part.value(live_[i]).initializer = first;
      continue;
    }
    part.inputs.push_back(live_[i]);
    places.push_back(i);
  }
  return places;
}

const Tensor& StagedRun::value(size_t sample, ValueId id) const {
  return values_[sample][place_of(live_, kept_form(graph_, index_, id))];
}

std::optional<size_t> StagedRun::bytes_at(const Graph& graph, const std::vector<size_t>& positions) {
  const GraphIndex index(graph);
  size_t most = 0;
  for (size_t position : positions) {
    size_t bytes = 0;
    for (ValueId id : read_from(graph, index, position)) {
      const Value& value = graph.value(id);
      if (!value.shape || !is_static(*value.shape)) return std::nullopt;
      bytes += static_cast<size_t>(element_count(*value.shape)) * size_of(value.dtype);
    }
    most = std::max(most, bytes);
  }
  return most;
}

}  // namespace quantize
