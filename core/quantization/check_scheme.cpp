// The scheme, checked against the abilities of the target.
#include "core/quantization/check_scheme.h"

#include <string>

#include "core/error.h"
#include "core/quantization/activation_bits.h"
#include "core/quantization/check_overrides.h"
#include "core/quantization/modes/mode.h"
#include "core/quantization/quantize_weights.h"
#include "core/quantization/rest/plan_rest.h"

namespace quantize {

void take_types(QuantizationScheme& scheme, const TargetProfile& target, const TypePair& types) {
  scheme.activations.dtype = types.activation;
  scheme.activations.symmetric = scheme.activations.symmetric || types.symmetric;
  scheme.weights.dtype = types.weight;
  scheme.activations.power_of_two = scheme.weights.power_of_two = target.grid == ScaleGrid::kPowersOfTwo;
  scheme.per_channel_weights = scheme.per_channel_weights && target.has_channel_weights();
  scheme.activations16.reset();
  if (target.sixteen_bits == nullptr) return;
  const bool is_signed = types.activation == DataType::kS8;
  scheme.activations16 =
      QuantType{.dtype = is_signed ? DataType::kS16 : DataType::kU16,
                .num_bits = 16,
                .symmetric = scheme.activations.symmetric || target.sixteen_bits->symmetric};
}

void check_scheme(const Graph& graph, const QuantizationScheme& scheme, const TargetProfile& target) {
  const TypePair& types = target.choose_types(scheme.activations.dtype, scheme.weights.dtype);
  if (types.symmetric && !scheme.activations.symmetric)
    throw Error(ErrorKind::kInvalidArgument, std::string("target ") + target.name +
                                                 " wants the zero point of activations in the middle of "
                                                 "their codes; ask for symmetric activations");
  if (target.grid == ScaleGrid::kPowersOfTwo &&
      !(scheme.activations.power_of_two && scheme.weights.power_of_two))
    throw Error(ErrorKind::kInvalidArgument,
                std::string("target ") + target.name + " takes scales that are powers of two alone");
  if (graph.opset() < target.opsets.lowest || graph.opset() > target.opsets.highest)
    throw Error(ErrorKind::kUnsupported, std::string("target ") + target.name + " takes models of opset " +
                                             std::to_string(target.opsets.lowest) + " to " +
                                             std::to_string(target.opsets.highest) + "; this one has opset " +
                                             std::to_string(graph.opset()));
  check_weight_type(scheme.weights);
  check_activation_bits(graph, scheme, target);
  check_modes(scheme, target);
  check_rest(scheme, target);
  check_overrides(graph, scheme, target);
}

}  // namespace quantize
