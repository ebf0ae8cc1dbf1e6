// Read Equalizer::equalize() first.
#include "core/quantization/rewrites/equalize.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/fusion/patterns.h"
#include "core/ops/op.h"

namespace quantize {

namespace {

constexpr double kExponents[] = {0, 0.25, 0.5, 0.75, 1};

using Numbers = std::vector<double>;  // one per channel

/// A node with weights that reads the tensor: its channels stand among the node's from `offset` on.
struct Reader {
  NodeId node;
  WeightLayout layout;
  int64_t offset;
};

/// Where the channels of a tensor go.
struct Reach {
  struct Place {
    ValueId value;
    int64_t offset;
  };
  std::vector<Place> values;
  std::vector<Reader> readers;
};

/// Second moment of each channel, from what was seen: extremes lie about eight deviations apart.
Numbers energies_of(const ValueRange& range) {
  Numbers result;
  for (size_t c = 0; c < range.channel_ranges.size(); ++c) {
    const double deviation = (double{range.channel_ranges[c].max} - double{range.channel_ranges[c].min}) / 8;
    const double mean = c < range.channel_mean.size() ? range.channel_mean[c] : 0;
    result.push_back(mean * mean + deviation * deviation);
  }
  return result;
}

class Equalizer {
 public:
  Equalizer(Graph& graph, const RangeTable& ranges, const QuantizationScheme& scheme)
      : graph_(graph),
        index_(graph),
        ranges_(ranges),
        scheme_(scheme),
        renamed_(graph.values.size(), false) {}

  std::vector<EqualizedValue> run() {
    constexpr int kPasses = 4;  // a tensor's weights have neighbours on both sides
    if (scheme_.per_channel_weights) {
      for (const Node& node : graph_.nodes) equalize(node);
    } else {
      for (int pass = 0; pass < kPasses; ++pass)
        for (const Node& node : graph_.nodes) balance(node);
    }
    return std::move(done_);
  }

 private:
  /// What a node writes, and how far its channels may be raised.
  struct Written {
    WeightLayout layout;
    ValueId value;  // behind the activation, if there is one
    Clamp clamp;    // that it applies
    Reach reach;
    Numbers factors;
  };

  std::optional<Written> written_by(const Node& node) {
    const auto layout = layout_of(node);
    if (!layout || !can_scale(node, *layout)) return std::nullopt;
    constexpr float kNone = std::numeric_limits<float>::infinity();
    Written written{*layout, node.outputs[0], {-kNone, kNone}, {}, {}};
    if (const NodeId n = activation_behind(written.value); n != kNoNode) {
      const Node& activation = graph_.nodes[static_cast<size_t>(n)];
      if (const auto clamp = constant_clamp(graph_, activation)) written.clamp = *clamp;
      written.value = activation.outputs[0];
    }
    if (!follow(written.value, 0, layout->output_channels(), written.reach) || written.reach.readers.empty())
      return std::nullopt;
    auto factors =
        factors_of(written.value, written.reach, double{written.clamp.high}, layout->output_channels());
    if (!factors) return std::nullopt;
    written.factors = std::move(*factors);
    return written;
  }

  /// Raises the channels of what the node writes, if that helps.
  void equalize(const Node& node) {
    const auto written = written_by(node);
    if (!written) return;
    double best = 0, least = noise_with(written->reach, written->factors, 0);
    const double before = least;
    for (double exponent : kExponents)
      if (const double noise = noise_with(written->reach, written->factors, exponent); noise < least) {
        least = noise;
        best = exponent;
      }
    if (!(least < kWorthwhile * before)) return;
    done_.push_back({graph_.value(written->value).name, best, least / before});
    apply(node, written->layout, written->reach, written->factors, best);
  }

  /// Makes each channel as large among the weights that write it as among those that read it: with one scale per tensor
  /// both are rounded in steps of their tensor's largest.
  void balance(const Node& node) {
    const auto written = written_by(node);
    if (!written) return;
    const Numbers writes = sizes_written(node, written->layout),
                  reads = sizes_read(written->reach, written->layout.output_channels());
    Numbers factors;
    double most = 0;
    for (size_t c = 0; c < writes.size(); ++c) {
      const double wanted = writes[c] > 0 && reads[c] > 0 ? std::sqrt(reads[c] / writes[c]) : 1;
      const double least = is_inside(*written, c) ? 1 / kMostFactor : 1;
      factors.push_back(std::clamp(wanted, least, written->factors[c]));
      most = std::max(most, std::abs(std::log(factors[c])));
    }
    if (!(most > kSmall)) return;
    const std::string& name = graph_.value(written->value).name;
    if (!renamed_[static_cast<size_t>(written->value)]) done_.push_back({name, 1, 1});
    apply(node, written->layout, written->reach, factors, 1);
  }

  /// True if a channel stays so far from the clamp that it may be lowered.
  bool is_inside(const Written& written, size_t channel) const {
    const Range& seen = find_range(written.value)->channel_ranges[channel];
    const auto& [low, high] = written.clamp;
    return kMargin * double{seen.max} <= double{high} &&
           (low == 0 || kMargin * double{seen.min} >= double{low});
  }

  /// The largest weight of each channel as a share of the tensor's.
  Numbers sizes_written(const Node& node, const WeightLayout& layout) const {
    const float* weights = graph_.constant(node.inputs[1])->data<float>();
    Numbers sizes(static_cast<size_t>(layout.output_channels()), 0);
    for (int64_t o = 0; o < layout.output_channels(); ++o)
      for (int64_t i = 0; i < layout.inputs; ++i)
        raise_to(sizes[static_cast<size_t>(o)], largest_of(weights, layout, o, i));
    return shares(std::move(sizes));
  }

  /// The same of the weights that read them; of several readers the largest.
  Numbers sizes_read(const Reach& reach, int64_t channels) const {
    Numbers result(static_cast<size_t>(channels), 0);
    for (const Reader& reader : reach.readers) {
      const WeightLayout& layout = reader.layout;
      const float* weights =
          graph_.constant(graph_.nodes[static_cast<size_t>(reader.node)].inputs[1])->data<float>();
      Numbers sizes(static_cast<size_t>(layout.input_channels()), 0);
      for (int64_t o = 0; o < layout.output_channels(); ++o)
        for (int64_t i = 0; i < layout.inputs; ++i)
          raise_to(sizes[static_cast<size_t>(layout.first_input(o) + i)], largest_of(weights, layout, o, i));
      sizes = shares(std::move(sizes));
      for (size_t c = 0; c < result.size(); ++c)
        raise_to(result[c], sizes[c + static_cast<size_t>(reader.offset)]);
    }
    return result;
  }

  static void raise_to(double& number, double other) { number = std::max(number, other); }

  static double largest_of(const float* weights, const WeightLayout& layout, int64_t o, int64_t i) {
    double largest = 0;
    for (int64_t t = layout.offset(o, i); t < layout.offset(o, i) + layout.taps; ++t)
      raise_to(largest, std::abs(double{weights[t]}));
    return largest;
  }

  static Numbers shares(Numbers numbers) {
    const double largest = *std::max_element(numbers.begin(), numbers.end());
    for (double& number : numbers) number = largest > 0 ? number / largest : 0;
    return numbers;
  }

  // Finding tensors whose channels can be scaled.

  const Tensor* float_constant(ValueId id) const {
    const Tensor* tensor = graph_.constant(id);
    return tensor != nullptr && tensor->dtype() == DataType::kF32 ? tensor : nullptr;
  }

  std::optional<WeightLayout> layout_of(const Node& node) const {
    const OpDef& def = find_op(graph_, node);
    const bool takes_bias = def.weight_layout != nullptr && def.max_inputs > 2;
    const Tensor* weights = takes_bias ? float_constant(node.input(1)) : nullptr;
    if (weights == nullptr || weights->size() == 0 || !index_.single_use(node.inputs[1]) ||
        node.int_attribute("transA", 0) != 0 ||
        find_override(scheme_, graph_.value(node.inputs[1]).name) != nullptr)
      return std::nullopt;
    return def.weight_layout(node, weights->shape());
  }

  /// True if rows of the weights and the bias can be multiplied.
  bool can_scale(const Node& node, const WeightLayout& layout) const {
    if (node.input(2) == kNoValue) return true;
    const Tensor* bias = float_constant(node.inputs[2]);
    return bias != nullptr && is_row(*bias, layout.output_channels()) && index_.single_use(node.inputs[2]);
  }

  /// The operators that alone read the value and let positive factors through.
  NodeId activation_behind(ValueId value) const {
    if (!index_.single_use(value) || index_.uses(value)[0].input != 0) return kNoNode;
    const NodeId reader = index_.uses(value)[0].node;
    const Node& node = graph_.nodes[static_cast<size_t>(reader)];
    const OpDef& def = find_op(graph_, node);
    const bool is_linear = def.elementwise && def.scales_by_channel;
    const auto clamp = constant_clamp(graph_, node);
    return is_linear || (clamp && clamp->low <= 0) ? reader : kNoNode;
  }

  /// Collects all that `count` channels of the value, from `offset` on, come to. False: not all of it can
  /// take a factor.
  bool follow(ValueId value, int64_t offset, int64_t count, Reach& reach) {
    if (index_.is_output(value) || find_override(scheme_, graph_.value(value).name) != nullptr) return false;
    reach.values.push_back({value, offset});
    return std::all_of(index_.uses(value).begin(), index_.uses(value).end(), [&](const GraphIndex::Use& use) {
      const Node& node = graph_.nodes[static_cast<size_t>(use.node)];
      if (const auto layout = layout_of(node)) {
        if (use.input != 0 || layout->input_channels() < offset + count) return false;
        reach.readers.push_back({use.node, *layout, offset});
        return true;
      }
      const OpDef& def = find_op(graph_, node);
      if (def.moves_data && def.max_inputs == kAnyNumber)
        return follow_concat(node, use.input, offset, count, reach);
      return use.input == 0 && keeps_channels(node) && follow(node.outputs[0], offset, count, reach);
    });
  }

  bool follow_concat(const Node& node, size_t input, int64_t offset, int64_t count, Reach& reach) {
    const auto& shape = graph_.value(node.inputs[input]).shape;
    if (!shape || shape->size() < 2 || normalize_axis(node.int_attribute("axis", 0), shape->size()) != 1)
      return false;
    for (size_t i = 0; i < input; ++i) {
      const auto& before = graph_.value(node.inputs[i]).shape;
      if (!before || (*before)[1] == kUnknownDim) return false;
      offset += (*before)[1];
    }
    return follow(node.outputs[0], offset, count, reach);
  }

  /// True for what computes each channel from itself alone, and twice as much of it from twice as much.
  bool keeps_channels(const Node& node) const {
    const OpDef& def = find_op(graph_, node);
    if (node.outputs.size() != 1) return false;
    if (def.keeps_order) return is_flat(node);
    if (def.selects && node.string_attribute("coordinate_transformation_mode", "") == "tf_crop_and_resize")
      return false;
    return def.scales_by_channel || (def.selects && same_channels(node));
  }

  bool same_channels(const Node& node) const {
    const auto &x = graph_.value(node.inputs[0]).shape, &y = graph_.value(node.outputs[0]).shape;
    return x && y && x->size() == y->size() && x->size() > 1 && (*x)[1] != kUnknownDim && (*x)[1] == (*y)[1];
  }

  /// True from [N, C, 1, 1] to [N, C].
  bool is_flat(const Node& node) const {
    const auto &x = graph_.value(node.inputs[0]).shape, &y = graph_.value(node.outputs[0]).shape;
    return x && y && x->size() == 4 && (*x)[1] != kUnknownDim && (*x)[2] == 1 && (*x)[3] == 1 &&
           y->size() == 2 && (*y)[1] == (*x)[1];
  }

  // Choosing the factors.

  /// Per channel, how often it fits into half of the range of all that the tensor is quantized with.
  std::optional<Numbers> factors_of(ValueId value, const Reach& reach, double high, int64_t channels) const {
    Range all;
    for (const Reach::Place& place : reach.values) {
      const ValueRange* seen = find_range(place.value);
      if (seen == nullptr) return std::nullopt;
      for (const Range& range : seen->channel_ranges)
        all = {std::min(all.min, range.min), std::max(all.max, range.max)};
    }
    const auto& own = find_range(value)->channel_ranges;
    if (static_cast<int64_t>(own.size()) != channels) return std::nullopt;
    const double top = std::min(double{all.max}, high);
    Numbers factors;
    for (const Range& range : own) {
      double factor = kMostFactor;
      if (range.max > 0) factor = std::min(factor, top / (kMargin * double{range.max}));
      if (range.min < 0) factor = std::min(factor, double{all.min} / (kMargin * double{range.min}));
      const bool is_constant = !(range.max > range.min);
      factors.push_back(is_constant || !(factor > 1) ? 1 : factor);
    }
    step_ = (double{all.max} - double{all.min}) / 255;
    return factors;
  }

  const ValueRange* find_range(ValueId id) const {
    const ValueRange* range = ranges_.find(graph_.value(id).name);
    const bool known = range != nullptr && range->non_finite == 0 && range->channel_axis == 1;
    return known && !range->channel_ranges.empty() ? range : nullptr;
  }

  static Numbers powers(Numbers numbers, double exponent) {
    for (double& number : numbers) number = std::pow(number, exponent);
    return numbers;
  }

  /// The noise of both roundings relative to the channel's variance, as the mean over the readers' output
  /// channels.
  double noise_with(const Reach& reach, const Numbers& factors, double exponent) const {
    double sum = 0, count = 0;
    const Numbers lowered = powers(factors, -exponent);  // of the weights
    for (const Reader& reader : reach.readers) {
      const Node& node = graph_.nodes[static_cast<size_t>(reader.node)];
      const ValueRange* seen = find_range(node.inputs[0]);
      if (seen == nullptr ||
          static_cast<int64_t>(seen->channel_ranges.size()) != reader.layout.input_channels())
        continue;
      const Numbers energies = energies_of(*seen);
      const float* weights = graph_.constant(node.inputs[1])->data<float>();
      for (int64_t o = 0; o < reader.layout.output_channels(); ++o) {
        sum += noise_of(reader, weights, o, energies, lowered);
        count += 1;
      }
    }
    return count == 0 ? 0 : sum / count;
  }

  double noise_of(const Reader& reader, const float* weights, int64_t o, const Numbers& energies,
                  const Numbers& lowered) const {
    const WeightLayout& layout = reader.layout;
    double activations = 0, largest = 0, energy = 0, signal = 0;
    for (int64_t i = 0; i < layout.inputs; ++i) {
      const int64_t channel = layout.first_input(o) + i, own = channel - reader.offset;
      const bool is_own = own >= 0 && own < static_cast<int64_t>(lowered.size());
      const double s = is_own ? lowered[static_cast<size_t>(own)] : 1;
      const double e = energies[static_cast<size_t>(channel)];
      for (int64_t t = layout.offset(o, i); t < layout.offset(o, i) + layout.taps; ++t) {
        const double w = double{weights[t]};
        activations += w * w * s * s;
        largest = std::max(largest, std::abs(w) * s);
        energy += e / (s * s);
        signal += w * w * e;
      }
    }
    const double weight_step = largest / 127;
    return signal == 0 ? 0
                       : std::min(1.0, (activations * step_ * step_ + weight_step * weight_step * energy) /
                                           (12 * signal));
  }

  // Scaling the weights.

  void apply(const Node& node, const WeightLayout& layout, const Reach& reach, const Numbers& factors,
             double exponent) {
    const Numbers by = powers(factors, exponent);
    const auto raised = [&](int64_t c) { return by[static_cast<size_t>(c)]; };
    scale(node.inputs[1], [&](float* weights) {
      for (int64_t o = 0; o < layout.output_channels(); ++o)
        for (int64_t i = 0; i < layout.inputs; ++i) multiply(weights, layout, o, i, raised(o));
    });
    if (node.input(2) != kNoValue)
      scale(node.inputs[2], [&](float* bias) {
        for (int64_t o = 0; o < layout.output_channels(); ++o)
          bias[o] = static_cast<float>(double{bias[o]} * raised(o));
      });
    for (const Reader& reader : reach.readers)
      scale(graph_.nodes[static_cast<size_t>(reader.node)].inputs[1], [&](float* weights) {
        for (int64_t o = 0; o < reader.layout.output_channels(); ++o)
          for (int64_t i = 0; i < reader.layout.inputs; ++i) {
            const int64_t own = reader.layout.first_input(o) + i - reader.offset;
            if (own >= 0 && own < static_cast<int64_t>(factors.size()))
              multiply(weights, reader.layout, o, i, 1 / raised(own));
          }
      });
    for (const Reach::Place& place : reach.values) note(place, factors, exponent);
    if (node.outputs[0] != reach.values[0].value) rename(node.outputs[0]);
  }

  static void multiply(float* weights, const WeightLayout& layout, int64_t o, int64_t i, double factor) {
    for (int64_t t = layout.offset(o, i); t < layout.offset(o, i) + layout.taps; ++t)
      weights[t] = static_cast<float>(double{weights[t]} * factor);
  }

  template <typename Change>
  void scale(ValueId id, Change change) {
    Tensor copy(DataType::kF32, graph_.value(id).initializer.shape());
    const float* from = graph_.value(id).initializer.data<float>();
    std::copy(from, from + copy.size(), copy.mutable_data<float>());
    change(copy.mutable_data<float>());
    graph_.value(id).initializer = std::move(copy);
  }

  /// Remembers what the value holds now, under its new name.
  void note(const Reach::Place& place, const Numbers& factors, double exponent) {
    ValueRange range = *find_range(place.value);
    for (size_t c = 0; c < factors.size(); ++c) {
      const auto at = c + static_cast<size_t>(place.offset);
      const auto factor = static_cast<float>(std::pow(factors[c], exponent));
      range.channel_ranges[at].min *= factor;
      range.channel_ranges[at].max *= factor;
      if (at < range.channel_mean.size()) range.channel_mean[at] *= double{factor};
    }
    rename(place.value);
    ranges_.values[graph_.value(place.value).name] = std::move(range);
  }

  void rename(ValueId id) {
    if (renamed_[static_cast<size_t>(id)]) return;
    renamed_[static_cast<size_t>(id)] = true;
    graph_.value(id).name += "_equalized";
  }

  static constexpr double kMargin = 2, kMostFactor = 1024, kWorthwhile = 0.95,
                          kSmall = 0.01;  // a logarithm

  Graph& graph_;
  const GraphIndex index_;
  RangeTable ranges_;
  const QuantizationScheme& scheme_;
  std::vector<bool> renamed_;
  mutable double step_ = 0;
  std::vector<EqualizedValue> done_;
};

}  // namespace

std::vector<EqualizedValue> equalize_channels(Graph& graph, const RangeTable& ranges,
                                              const QuantizationScheme& scheme) {
  return Equalizer(graph, ranges, scheme).run();
}

}  // namespace quantize
