// Carries the noise shares of a value's channels forward until they mix. Read estimate(), at the end, first.
#include "core/quantization/rounding_noise.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "core/ops/op.h"

namespace quantize {

namespace {

/// Shares along one axis of a value, and the squared spans that say how much each channel weighs.
struct Channels {
  size_t axis = 0;
  std::vector<double> share, power;

  size_t size() const { return share.size(); }
};

/// Mean share, each channel counted by `weight`.
double weighted_mean(const std::vector<double>& share, const std::vector<double>& weight) {
  double sum = 0, total = 0;
  for (size_t c = 0; c < share.size(); ++c) {
    sum += share[c] * weight[c];
    total += weight[c];
  }
  return total > 0 ? sum / total : 0;
}

/// Mean share of the channels that are not constant.
double plain_mean(const Channels& channels) {
  std::vector<double> alive(channels.size());
  for (size_t c = 0; c < alive.size(); ++c) alive[c] = channels.power[c] > 0 ? 1.0 : 0.0;
  return weighted_mean(channels.share, alive);
}

int64_t extent(const Shape& shape, size_t axis) {
  return axis < shape.size() ? shape[axis] : kUnknownDim;
}

/// Product of the extents in front of an axis, unknown ones left out.
int64_t extents_before(const Shape& shape, size_t axis) {
  int64_t product = 1;
  for (size_t i = 0; i < axis; ++i)
    if (shape[i] != kUnknownDim) product *= shape[i];
  return product;
}

class Propagation {
 public:
  Propagation(const Graph& graph, const GraphIndex& index, const RangeTable& ranges, float scale)
      : graph_(graph), index_(index), ranges_(ranges), scale_(scale) {}

  RoundingNoise::Estimate run(ValueId value);

 private:
  std::optional<Channels> measured(ValueId value) const;
  void visit(NodeId id);
  void write(ValueId output, Channels channels);
  void report(double share, NodeId reader);
  void mix(NodeId id, const WeightLayout& layout, const Channels& x);
  std::optional<Channels> keep_apart(const Node& node, const OpDef& def, ValueId output) const;
  std::optional<Channels> moved(const Node& node, const Channels& x, const Shape& from,
                                const Shape& to) const;
  std::optional<Channels> concatenated(const Node& node, ValueId output) const;
  std::optional<Channels> combined(const Node& node, const OpDef& def, ValueId output) const;

  const Channels* find(ValueId id) const {
    const auto found = noisy_.find(id);
    return found == noisy_.end() ? nullptr : &found->second;
  }
  Shape shape(ValueId id) const { return graph_.value(id).shape.value_or(Shape{}); }

  const Graph& graph_;
  const GraphIndex& index_;
  const RangeTable& ranges_;
  const float scale_;
  std::map<ValueId, Channels> noisy_;
  std::set<NodeId> pending_;  // node ids are in topological order
  RoundingNoise::Estimate worst_;
};

/// The range table's facts of a value's channels, as if it were rounded; nothing if its rank is unknown.
std::optional<Channels> Propagation::measured(ValueId value) const {
  const ValueRange* range = ranges_.find(graph_.value(value).name);
  const size_t rank = shape(value).size();
  if (range == nullptr || range->channel_ranges.empty() || range->channel_axis >= static_cast<int64_t>(rank))
    return std::nullopt;
  Channels channels;
  channels.axis = static_cast<size_t>(range->channel_axis);
  for (const Range& r : range->channel_ranges) {
    const double steps = (double{r.max} - double{r.min}) / double{scale_};
    channels.share.push_back(RoundingNoise::share_of(steps));
    channels.power.push_back(steps * steps);
  }
  return channels;
}

void Propagation::report(double share, NodeId reader) {
  if (!(share > worst_.share)) return;
  worst_.share = share;
  worst_.reader = reader;
}

/// Notes the shares of a value that a node computes, and the nodes that read it.
void Propagation::write(ValueId output, Channels channels) {
  if (const auto own = measured(output);
      own && own->axis == channels.axis && own->size() == channels.size()) {
    channels.power = own->power;
    for (size_t c = 0; c < channels.size(); ++c)
      if (channels.power[c] == 0) channels.share[c] = 0;
  }
  if (index_.is_output(output)) report(plain_mean(channels), kNoNode);
  for (const GraphIndex::Use& use : index_.uses(output)) pending_.insert(use.node);
  noisy_[output] = std::move(channels);
}

/// Channels mix in the operator: what becomes of each output channel.
void Propagation::mix(NodeId id, const WeightLayout& layout, const Channels& x) {
  const Node& node = graph_.nodes[static_cast<size_t>(id)];
  const float* weights = graph_.constant(node.inputs[1])->data<float>();
  double sum = 0;
  int64_t alive = 0;
  for (int64_t o = 0; o < layout.output_channels(); ++o) {
    double noise = 0, total = 0;
    const float* const first = weights + layout.offset(o, 0);
    const int64_t first_channel = layout.first_input(o);
    for (int64_t i = 0; i < layout.inputs; ++i) {
      const auto c = static_cast<size_t>(first_channel + i);
      double squares = 0;
      for (int64_t t = 0; t < layout.taps; ++t) {
        const double w = first[i * layout.input_stride + t];
        squares += w * w;
      }
      const double weight = squares * x.power[c];
      noise += x.share[c] * weight;
      total += weight;
    }
    if (total == 0) continue;
    sum += total > 0 ? noise / total : 0;
    ++alive;
  }
  if (alive > 0) report(sum / static_cast<double>(alive), id);
}

/// Follows the axis through an operator that only places elements anew.
std::optional<Channels> Propagation::moved(const Node& node, const Channels& x, const Shape& from,
                                           const Shape& to) const {
  Channels y = x;
  if (node.has_attribute("perm")) {
    const auto perm = node.ints_attribute("perm", {});
    y.axis =
        static_cast<size_t>(std::find(perm.begin(), perm.end(), static_cast<int64_t>(x.axis)) - perm.begin());
    return y;
  }
  if (from.size() == to.size() && extent(to, x.axis) == extent(from, x.axis)) return y;
  for (y.axis = 0; y.axis < to.size(); ++y.axis) {
    if (extents_before(from, x.axis) != extents_before(to, y.axis)) continue;
    const int64_t before = extent(from, x.axis), after = extent(to, y.axis);
    if (before <= 0 || after <= 0 || after % before != 0) continue;
    const auto repeat = static_cast<size_t>(after / before);  // Flatten: a channel's elements become channels
    y.share.clear();
    y.power.clear();
    for (size_t c = 0; c < x.size(); ++c) {
      y.share.insert(y.share.end(), repeat, x.share[c]);
      y.power.insert(y.power.end(), repeat, x.power[c]);
    }
    return y;
  }
  return std::nullopt;
}

/// Inputs one behind the other: along the axis of the channels, or along another one.
std::optional<Channels> Propagation::concatenated(const Node& node, ValueId output) const {
  Channels y;
  const Shape to = shape(output);
  for (ValueId input : node.inputs)
    if (const Channels* x = find(input)) y.axis = x->axis;
  for (ValueId input : node.inputs) {
    const Channels* x = find(input);
    const int64_t count = extent(shape(input), y.axis);
    if ((x != nullptr && x->axis != y.axis) || count <= 0) return std::nullopt;
    if (x != nullptr && count == extent(to, y.axis)) return *x;
    Channels part;
    if (x != nullptr) part = *x;
    part.share.resize(static_cast<size_t>(count), 0.0);
    part.power.resize(static_cast<size_t>(count), 1.0);
    y.share.insert(y.share.end(), part.share.begin(), part.share.end());
    y.power.insert(y.power.end(), part.power.begin(), part.power.end());
  }
  if (static_cast<int64_t>(y.size()) != extent(to, y.axis)) return std::nullopt;
  return y;
}

/// Element by element, or pooled: the largest share of the inputs. Of a sum, an input is only a part.
std::optional<Channels> Propagation::combined(const Node& node, const OpDef& def, ValueId output) const {
  std::optional<Channels> y;
  const Shape to = shape(output);
  const auto own = measured(output);
  for (ValueId input : node.inputs) {
    const Channels* noisy = input == kNoValue ? nullptr : find(input);
    if (noisy == nullptr) continue;
    Channels x = *noisy;
    const size_t rank = shape(input).size();
    if (rank > to.size()) return std::nullopt;
    x.axis += to.size() - rank;  // broadcasting lines shapes up at the end
    if (static_cast<int64_t>(x.size()) != extent(to, x.axis) || (y && y->axis != x.axis)) return std::nullopt;
    if (def.sums && own && own->axis == x.axis && own->size() == x.size())
      for (size_t c = 0; c < x.size(); ++c)
        if (own->power[c] > x.power[c]) x.share[c] *= x.power[c] / own->power[c];
    if (!y) {
      y = std::move(x);
      continue;
    }
    for (size_t c = 0; c < y->size(); ++c) y->share[c] = std::max(y->share[c], x.share[c]);
  }
  return y;
}

std::optional<Channels> Propagation::keep_apart(const Node& node, const OpDef& def, ValueId output) const {
  if (!def.moves_data) return combined(node, def, output);
  if (node.inputs.size() > 1 && def.max_inputs == kAnyNumber) return concatenated(node, output);
  const Channels* x = find(node.inputs[0]);
  if (x == nullptr) return std::nullopt;
  return moved(node, *x, shape(node.inputs[0]), shape(output));
}

void Propagation::visit(NodeId id) {
  const Node& node = graph_.nodes[static_cast<size_t>(id)];
  const OpDef& def = find_op(graph_, node);
  std::optional<WeightLayout> layout;
  const Tensor* weights = graph_.constant(node.input(1));
  if (def.weight_layout != nullptr && weights != nullptr) layout = def.weight_layout(node, weights->shape());
  const Channels* x = find(node.inputs[0]);
  const bool multiplies =
      layout && x != nullptr && static_cast<int64_t>(x->size()) == layout->input_channels() &&
      static_cast<int64_t>(x->axis) == layout->input_axis_of(shape(node.inputs[0]).size());
  if (multiplies) {
    if (!layout->keeps_channels_apart()) return mix(id, *layout, *x);
    Channels y{.axis = x->axis, .share = {}, .power = {}};
    for (int64_t o = 0; o < layout->output_channels(); ++o) {
      y.share.push_back(x->share[static_cast<size_t>(layout->first_input(o))]);
      y.power.push_back(x->power[static_cast<size_t>(layout->first_input(o))]);
    }
    return write(node.outputs[0], std::move(y));
  }
  for (ValueId output : node.outputs) {
    if (output == kNoValue) continue;
    auto y = def.weight_layout != nullptr ? std::nullopt : keep_apart(node, def, output);
    if (y) {
      write(output, std::move(*y));
      continue;
    }
    for (ValueId input : node.inputs)
      if (const Channels* end = input == kNoValue ? nullptr : find(input))
        report(weighted_mean(end->share, end->power), id);
  }
}

RoundingNoise::Estimate Propagation::run(ValueId value) {
  auto channels = measured(value);
  if (!channels) {
    const ValueRange* range = ranges_.find(graph_.value(value).name);
    if (range == nullptr || range->ranges.empty()) return worst_;
    const Range& whole = range->ranges[0];
    worst_.narrowest_steps = (double{whole.max} - double{whole.min}) / double{scale_};
    worst_.share = RoundingNoise::share_of(worst_.narrowest_steps);
    return worst_;
  }
  worst_.narrowest_steps = 0;
  for (double power : channels->power)
    if (power > 0 && (worst_.narrowest_steps == 0 || power < worst_.narrowest_steps * worst_.narrowest_steps))
      worst_.narrowest_steps = std::sqrt(power);
  write(value, std::move(*channels));
  while (!pending_.empty()) {
    const NodeId next = *pending_.begin();
    pending_.erase(pending_.begin());
    visit(next);
  }
  return worst_;
}

}  // namespace

double RoundingNoise::share_of(double steps) {
  return steps > 0 ? std::min(1.0, 64.0 / (12.0 * steps * steps)) : 0.0;
}

RoundingNoise::Estimate RoundingNoise::estimate(ValueId value, float scale) const {
  return Propagation(graph_, index_, ranges_, scale).run(value);
}

}  // namespace quantize
