// What quantizing single layers costs, and which of them to leave in float to keep a promise.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "calibration/validator.h"
#include "core/quantization/plan.h"

namespace quantize {

/// Plans a quantization that leaves these nodes, by name, in float.
using Planner = std::function<QuantizationPlan(const std::set<std::string>& float_nodes)>;

/// One layer with weights that the plan has in integers.
struct LayerSensitivity {
  NodeId node = kNoNode;
  Quality without;               // all layers quantized but this one
  std::optional<Quality> alone;  // this layer quantized, all others in float
};

/// Judges the network with every layer of `plan` that has integer weights put back into float, one at a time,
/// and, if `alone`, with nothing else quantized. `progress` is told how many layers are done.
/// Errors: those of the planner and of Validator::judge.
std::vector<LayerSensitivity> measure_sensitivity(const Graph& graph, const QuantizationPlan& plan,
                                                  const Planner& planner, const Validator& validator,
                                                  bool alone, const std::function<void(size_t)>& progress);

/// What a network must keep of the float network, on the held-back samples.
struct Bound {
  std::optional<double> min_agreement;  // percent
  std::optional<double> min_sqnr;       // dB, of the worst output
  std::optional<double> max_drop;       // of top-1, in points

  explicit operator bool() const { return min_agreement || min_sqnr || max_drop; }
  bool holds(const Quality& quality) const;
};

/// The order in which layers go back to float: by what the network's mean error loses by it, per
/// multiply-accumulate that is computed in float then. Layers that gain nothing come last.
std::vector<std::string> most_harmful_first(const Graph& graph, const QuantizationPlan& plan,
                                            const std::vector<LayerSensitivity>& layers,
                                            const Quality& quality);

/// The smallest number of layers, taken from the front of `order`, with which `holds` is true: found by
/// doubling, then by halving the last step, each confirmed jointly. Nothing if it does not hold with all of
/// them in float.
std::optional<size_t> fewest_in_float(const std::vector<std::string>& order,
                                      const std::function<bool(const std::set<std::string>&)>& holds);

}  // namespace quantize
