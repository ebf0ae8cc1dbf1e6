// One rule of a recipe file, as JSON.
#pragma once

#include <nlohmann/json.hpp>

#include "core/quantization/scheme.h"

namespace quantize {

/// Reads a rule: which part of the network it is for, and what is wanted of it.
///
///   criteria:     "of": "nodes" (default), "values", "activations", "weights"; "regex", "glob", "op_type" (one or a list),
///                 "from", "to"; "optional": true, if it may select nothing
///   of nodes:     "mode", "enabled", "bits", "per_channel", "activation_bits", "method", "symmetric", "unsigned"
///   of values:    the keys of --overrides (set_override), and "bits" for its "num_bits"
///
/// Errors: Error(kInvalidArgument) naming the key, for one that there is not, a value that it does not take, and a rule
/// without a criterion or without a wish.
Rule parse_rule(const nlohmann::json& json);

}  // namespace quantize
