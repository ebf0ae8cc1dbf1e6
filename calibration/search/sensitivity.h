// The loss by quantizing single layers, and the choice of those that stay in float so that a bound holds.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "calibration/search/validator.h"
#include "core/quantization/plan.h"

namespace quantize {

/// Plans a quantization that leaves these nodes, by name, in float.
using Planner = std::function<PlannedModel(const std::set<std::string>& float_nodes)>;

/// One layer with weights that the plan has in integers.
struct LayerSensitivity {
  NodeId node = kNoNode;
  Quality alone;                   // this layer quantized, all others in float
  std::optional<Quality> without;  // all layers quantized but this one
};

/// Judges the network with every layer of the plan that has integer weights as the only one quantized, one
/// after the other, and, if `without`, as the only one that is not. `progress` is told how many layers are
/// done. Errors: those of the planner and of Validator::judge.
std::vector<LayerSensitivity> measure_sensitivity(const PlannedModel& planned, const Planner& planner,
                                                  const Validator& validator, bool without,
                                                  const std::function<void(size_t)>& progress);

/// The bound on a network's loss against the float network, on the held-back samples.
struct Bound {
  std::optional<double> min_agreement;  // percent
  std::optional<double> min_sqnr;       // dB, of the worst output
  std::optional<double> max_drop;       // of top-1, in points

  explicit operator bool() const { return min_agreement || min_sqnr || max_drop; }
  /// A figure that is not known is no proof: then the bound does not hold.
  bool holds(const Quality& quality) const;
};

/// The network against which a layer's harm is measured.
enum class HarmPer { kMac, kLayer };

/// The order in which layers go back to float: by the mean error that each causes alone, per
/// multiply-accumulate or as it is. The first keeps more of the network in integers; the second cannot leave
/// a layer for last that alone breaks the bound.
std::vector<std::string> most_harmful_first(const PlannedModel& planned,
                                            const std::vector<LayerSensitivity>& layers, HarmPer per);

/// Layers with which put back `holds` is true: as few as possible from the front of `order`, found by
/// doubling, then by halving the last step; then without every one, the last first, that it holds without.
/// Each set is asked about as a whole. Nothing if it holds with no set of at most `most` layers.
std::optional<std::vector<std::string>> fewest_put_back(
    const std::vector<std::string>& order, size_t most,
    const std::function<bool(const std::set<std::string>&)>& holds);

}  // namespace quantize
