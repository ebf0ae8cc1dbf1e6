// Read fit_size, at the end, first.
#include "calibration/search/fit_size.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "calibration/search/choose_bits.h"
#include "calibration/statistics/decide_ranges.h"
#include "core/error.h"
#include "core/integer/forms.h"
#include "core/ops/op.h"
#include "core/quant_params.h"
#include "core/quantization/candidates.h"
#include "core/quantization/modes/mode.h"
#include "core/quantization/modes/store_weights.h"
#include "core/quantization/plan_quantization.h"

namespace quantize {

namespace {

/// A constant as a plan stores it.
struct Held {
  NodeId node;
  size_t input;
  int64_t bits, least_bits;  // in use, and the fewest that may be asked for
  uint64_t bytes;
  Tensor reals;  // that its codes stand for
};

bool is_packed_later(const StoredWeights& stored) {
  return stored.width == 0 && stored.dtype == DataType::kS8;
}

/// All constants that a plan stores as codes, by name. Bytes are those after pack_weights.
std::map<std::string, Held> held_in(const PlannedModel& planned, CodeForm form) {
  std::map<std::string, Held> held;
  for (size_t n = 0; n < planned.plan.nodes.size(); ++n) {
    const PlannedNode& plan = planned.plan.nodes[n];
    const Node& node = planned.graph.nodes[n];
    const auto name = [&](size_t input) { return planned.graph.value(node.inputs[input]).name; };
    const auto id = static_cast<NodeId>(n);
    const int64_t least = plan.placement == Placement::kFloat ? 1 : 2;
    for (const StoredWeights& stored : plan.stored) {
      const bool later = is_packed_later(stored);
      held.try_emplace(
          name(stored.input),
          Held{id, stored.input, later ? bits_in_use(stored.codes) : stored.bits(), least,
               later ? packed_weight_bytes(stored.codes, form) + stored.scales.byte_size() : stored.bytes(),
               restored(stored)});
    }
    if (!plan.weights) continue;
    const Tensor codes = weight_codes(*plan.weights, *planned.graph.constant(node.inputs[1]));
    if (codes.dtype() != DataType::kS8) continue;
    held.try_emplace(
        name(1), Held{id, 1, bits_in_use(codes), least,
                      packed_weight_bytes(codes, form) + sizeof(float) * plan.weights->params.scale.size(),
                      dequantize_tensor(codes, plan.weights->params)});
  }
  return held;
}

/// The energy of each input channel of a layer, in proportion; empty: not known.
std::vector<double> energies(const Graph& graph, const Node& node, const WeightLayout& layout,
                             const RangeTable& ranges) {
  const Value& input = graph.value(node.inputs[0]);
  const ValueRange* range = ranges.find(input.name);
  if (range == nullptr || !input.shape) return {};
  if (range->channel_axis != layout.input_axis_of(input.shape->size()) ||
      static_cast<int64_t>(range->channel_ranges.size()) != layout.input_channels())
    return {};
  std::vector<double> energy;
  for (const Range& r : range->channel_ranges) {
    const double largest = std::max(std::abs(double{r.min}), std::abs(double{r.max}));
    energy.push_back(largest * largest);
  }
  return energy;
}

/// The error that rounding adds to what the weights compute, as a share of it.
double share_of_error(const Graph& graph, const Held& held, const RangeTable& ranges) {
  const Node& node = graph.nodes[static_cast<size_t>(held.node)];
  const Tensor& exact = *graph.constant(node.inputs[held.input]);
  const float *w = exact.data<float>(), *rounded = held.reals.data<float>();
  double signal = 0, noise = 0;
  const auto add = [&](int64_t at, double energy) {
    const double d = double{w[at]} - double{rounded[at]};
    signal += energy * double{w[at]} * double{w[at]};
    noise += energy * d * d;
  };
  std::optional<WeightLayout> layout;
  const bool is_layer = held.input == 1 && quantization_of(graph, node) == QuantizationRule::kWeighted &&
                        !layer_reason(graph, node, layout);
  const std::vector<double> energy =
      is_layer ? energies(graph, node, *layout, ranges) : std::vector<double>{};
  if (energy.empty()) {
    for (int64_t i = 0; i < exact.size(); ++i) add(i, 1);
  } else {
    for (int64_t o = 0; o < layout->output_channels(); ++o)
      for (int64_t i = 0; i < layout->inputs; ++i)
        for (int64_t t = 0; t < layout->taps; ++t)
          add(layout->offset(o, i) + t, energy[static_cast<size_t>(layout->first_input(o) + i)]);
  }
  return signal == 0 ? 0 : noise / signal;
}

/// The search for one file.
class SizeSearch {
 public:
  SizeSearch(const Graph& graph, const StatisticsTable& statistics, const PlanRequest& request,
             const SizeGoal& goal, int threads)
      : graph_(graph), request_(request), goal_(goal) {
    QuantizationScheme by_extremes = request.scheme;
    by_extremes.method = "max";
    ranges_ = decide_ranges(statistics, by_extremes, threads);
  }

  QuantizationScheme run() {
    find_choices();
    // The estimates are exact but for what layers share, so that few rounds are enough.
    constexpr int kMostRounds = 12;
    auto limit = static_cast<int64_t>(goal_.bytes) - base_;
    std::vector<size_t> chosen;
    for (int round = 0; round < kMostRounds; ++round) {
      chosen = choose_bits(choices_, limit);
      const uint64_t bytes = measured(chosen);
      if (bytes <= goal_.bytes) return with(chosen);
      limit = std::min(limit, bytes_of(choices_, chosen)) - static_cast<int64_t>(bytes - goal_.bytes);
    }
    refuse();
  }

 private:
  [[noreturn]] void refuse() const {
    const auto least = choose_bits(choices_, std::numeric_limits<int64_t>::min() / 2);
    throw Error(ErrorKind::kUnsupported, "the smallest file that can be written is of " +
                                             std::to_string(measured(least)) + " bytes, above --max-size " +
                                             std::to_string(goal_.bytes) +
                                             "; allow that, or choose another --mode or --target");
  }

  PlannedModel planned_with(const QuantizationScheme& scheme) const {
    return plan_quantization(graph_, ranges_, scheme, request_.target);
  }

  /// A scheme in which all weights have so many bits.
  QuantizationScheme of_bits(int64_t bits) const {
    QuantizationScheme scheme = request_.scheme;
    scheme.storage.bits = bits;
    scheme.weights.num_bits = static_cast<int>(std::max<int64_t>(bits, 2));
    return scheme;
  }

  /// Plans the graph with each number of bits for all, and notes what each constant takes and loses.
  void find_choices() {
    const QuantizationScheme& scheme = request_.scheme;
    const int64_t most = scheme.storage.bits != 0 ? scheme.storage.bits : scheme.weights.num_bits;
    int64_t whole = 0;  // bytes of the file and of its constants, with the most bits
    uint64_t constants = 0;
    for (int64_t bits = most; bits >= 1; --bits) {
      if (!can_have(bits, bits == most)) continue;
      const PlannedModel planned = planned_with(of_bits(bits));
      const auto held = held_in(planned, goal_.form);
      uint64_t own = 0;
      for (const auto& [name, each] : held) own += each.bytes;
      const auto bytes = static_cast<int64_t>(goal_.bytes_of(planned));
      if (bits == most) {
        whole = bytes;
        constants = own;
        for (const auto& [name, each] : held)
          if (!says_bits(name)) names_.push_back(name);
        choices_.resize(names_.size());
        if (names_.empty())
          throw Error(
              ErrorKind::kInvalidArgument,
              "--max-size chooses the bits of weights that are stored as codes of s8, and no node has such; "
              "choose --mode static or weight-only, or leave it out");
      }
      // The bytes of nodes and names per constant, on average, that such codes take above those of the most bits.
      const int64_t nodes =
          held.empty() ? 0
                       : (bytes - whole - static_cast<int64_t>(own) + static_cast<int64_t>(constants)) /
                             static_cast<int64_t>(held.size());
      add_choices(planned, held, bits, nodes);
    }
    std::vector<size_t> first(names_.size(), 0);
    base_ = whole - bytes_of(choices_, first);
  }

  void add_choices(const PlannedModel& planned, const std::map<std::string, Held>& held, int64_t bits,
                   int64_t nodes) {
    for (size_t i = 0; i < names_.size(); ++i) {
      const auto found = held.find(names_[i]);
      if (found == held.end()) continue;
      const Held& each = found->second;
      choices_[i].push_back({std::max(bits, each.least_bits), static_cast<int64_t>(each.bytes) + nodes,
                             share_of_error(planned.graph, each, ranges_)});
    }
  }

  /// Codes that are computed on have the bits that their form makes use of; mode weight-only says itself what it stores.
  bool can_have(int64_t bits, bool is_most) const {
    constexpr int64_t kHalfByte = 4;
    const auto modes = modes_of(request_.scheme);
    return is_most || std::all_of(modes.begin(), modes.end(), [&](const Mode* mode) {
             return mode->takes_storage ? stores_bits(request_.scheme, request_.target, bits)
                                        : goal_.form == CodeForm::kPacked ||
                                              (goal_.form == CodeForm::kHalfBytes && bits == kHalfByte);
           });
  }

  bool says_bits(const std::string& name) const {
    const ValueOverride* specific = find_override(request_.scheme, name);
    return specific != nullptr && specific->num_bits;
  }

  QuantizationScheme with(const std::vector<size_t>& chosen) const {
    QuantizationScheme scheme = request_.scheme;
    for (size_t i = 0; i < names_.size(); ++i)
      scheme.overrides[names_[i]].num_bits = static_cast<int>(choices_[i][chosen[i]].bits);
    return scheme;
  }

  uint64_t measured(const std::vector<size_t>& chosen) const {
    return goal_.bytes_of(planned_with(with(chosen)));
  }

  const Graph& graph_;
  const PlanRequest& request_;
  const SizeGoal& goal_;
  RangeTable ranges_;
  std::vector<std::string> names_;  // of the candidates
  std::vector<std::vector<SizeChoice>> choices_;
  int64_t base_ = 0;  // bytes of the file without them
};

}  // namespace

QuantizationScheme fit_size(const Graph& graph, const StatisticsTable& statistics, const PlanRequest& request,
                            const SizeGoal& goal, int threads) {
  return SizeSearch(graph, statistics, request, goal, threads).run();
}

std::map<int64_t, size_t> bits_in(const PlannedModel& planned) {
  std::map<int64_t, size_t> bits;
  for (const auto& [name, held] : held_in(planned, CodeForm::kWholeBytes)) ++bits[held.bits];
  return bits;
}

}  // namespace quantize
