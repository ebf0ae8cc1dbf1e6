// The options that say how to quantize, and the QuantizationScheme they make.
#pragma once

#include <string>

#include "cli/command.h"
#include "core/quantization/scheme.h"
#include "core/quantization/target.h"

namespace quantize {

/// --method, --bias-correction, --weights, --include and the rest of them, as text.
struct SchemeFlags {
  QuantizationScheme scheme;  // filled directly where the text is the value
  std::string bias_correction = "auto", weight_rounding = "auto", equalize = "auto", weights = "auto",
              overrides;
  std::string activations, weight_type;  // empty: the target's
  std::vector<std::string> without, modes, activation_bits;
  std::vector<Rule> rules;  // of recipes
  std::string rest = "f32", weight_grid;
  std::optional<int64_t> weight_codebook;
  bool symmetric = false, reduce_range = false;
};
/// All options of a scheme; `automatic` is what --method auto means to the command.
void add_scheme_options(CLI::App& app, SchemeFlags& flags, const std::string& automatic);
/// --without, of the commands that search.
void add_without_option(CLI::App& app, SchemeFlags& flags);
/// A line for each step of the search: the name that --without takes, and the step's description.
std::string search_steps_text();
/// --target; `otherwise` says what holds without it.
void add_target_option(CLI::App& app, std::string& target, const std::string& otherwise);

/// The scheme that the options describe.
/// Errors: Error(kInvalidArgument) for a regular expression, an operator type or an override that makes no
/// sense, or types that the target does not multiply; Error(kIo) if the overrides cannot be read.
QuantizationScheme make_scheme(const SchemeFlags& flags, const TargetProfile& target);

/// The keys of an override: min, max, amax, scale_amax, num_bits, unsigned, symmetric, axis, per_channel, narrow_range,
/// method, enabled.
std::vector<std::string> override_keys();

/// Sets what one of override_keys() says. Errors: Error(kInvalidArgument) naming the key, for another one and for what it
/// does not take.
void set_override(ValueOverride& target, const std::string& key, const nlohmann::json& value);

/// Reads --overrides: {"value name": {key: value}}, by set_override(). Errors: Error(kInvalidArgument) naming the value and
/// the key.
std::map<std::string, ValueOverride> parse_overrides(const std::string& json);

}  // namespace quantize
