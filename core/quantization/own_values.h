// Range, scale and zero point of each value by itself.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/quantization/activation_bits.h"
#include "core/quantization/candidates.h"
#include "core/quantization/plan.h"
#include "core/quantization/rounding_noise.h"
#include "core/quantization/scheme.h"
#include "core/range_table.h"

namespace quantize {

/// All that the decision about a value may depend on. The objects outlive what is made with them.
struct PlanInputs {
  const Graph& graph;
  const GraphIndex& index;
  const RangeTable& ranges;
  const QuantizationScheme& scheme;
  const TargetProfile& target;
  const std::vector<Candidate>& candidates;
  const Chains& chains;
  const ActivationBits& bits;
};

/// Range, scale and zero point of each value, as if it were an integer whatever computes and reads it.
class OwnValues {
 public:
  explicit OwnValues(const PlanInputs& inputs);

  /// The value by itself, or why it stays float; decided when first asked for.
  /// Errors: Error(kInvalidArgument) naming the value, for overrides that do not fit it.
  const PlannedValue& of(ValueId id);
  /// The decision, if somebody asked for it before; else nothing.
  const std::optional<PlannedValue>& decided(ValueId id) const { return own_[static_cast<size_t>(id)]; }

  /// The value in codes of as many bits, for nodes that read it so. Requires: it is planned, with one scale.
  QuantParams in_bits(const PlannedValue& value, ValueId id, int bits) const;

  /// The type that the value is to have.
  QuantType type_of(ValueId id) const { return activation_type(scheme_, name(id), bits_.of_value(id)); }
  /// The reason if rounding the value to its own scale costs too much; nothing: it does not.
  FloatReason noise_reason(ValueId id, const QuantParams& params) const;
  /// The share of noise in what is computed from the value if it is rounded to steps of `step`.
  double noise_share(ValueId id, float step) const { return noise_.estimate(id, step).share; }
  /// See find_results.
  bool is_result(ValueId id) const { return result_[static_cast<size_t>(id)]; }

 private:
  FloatReason range_reason(ValueId id) const;
  PlannedValue decide(ValueId id) const;
  bool has_channel_scales(ValueId id) const;
  void fix_output(ValueId id, PlannedValue& value) const;
  QuantParams known_params(ValueId id, const QuantParams& known) const;
  const std::string& name(ValueId id) const { return graph_.value(id).name; }

  const Graph& graph_;
  const GraphIndex& index_;
  const RangeTable& ranges_;
  const QuantizationScheme& scheme_;
  const TargetProfile& target_;
  const std::vector<Candidate>& candidates_;
  const Chains& chains_;
  const ActivationBits& bits_;
  const RoundingNoise noise_;
  const std::vector<bool> result_;
  std::vector<std::optional<PlannedValue>> own_;
};

}  // namespace quantize
