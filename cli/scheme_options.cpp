// From text to a QuantizationScheme.
#include "cli/scheme_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "calibration/images/parse_json.h"
#include "calibration/images/read_file.h"
#include "calibration/search/choose_plan.h"
#include "calibration/search/recipe.h"
#include "calibration/statistics/calibrator.h"
#include "cli/mode_options.h"
#include "cli/option_checks.h"
#include "cli/text.h"
#include "core/error.h"
#include "core/quantization/check_scheme.h"
#include "core/quantization/node_selection.h"

namespace quantize {

namespace {

constexpr const char* kGroup = "Quantization";

std::vector<std::string> method_names() {
  std::vector<std::string> names;
  for (const Calibrator* calibrator : all_calibrators()) names.push_back(calibrator->name());
  return names;
}

[[noreturn]] void reject(const std::string& key, const std::string& wanted) {
  throw Error(ErrorKind::kInvalidArgument, "\"" + key + "\" must be " + wanted);
}

// A number that a float holds; `low` and `high` are within its range.
float real(const std::string& key, const nlohmann::json& value, float low, float high) {
  const double number = value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
  if (!(number >= double{low} && number <= double{high})) {
    char text[80];
    std::snprintf(text, sizeof text, "a number from %.4g to %.4g", double{low}, double{high});
    reject(key, text);
  }
  return static_cast<float>(number);
}

int64_t whole(const std::string& key, const nlohmann::json& value, int64_t low, int64_t high) {
  const bool fits = value.is_number_unsigned() ? value.get<uint64_t>() <= static_cast<uint64_t>(high)
                                               : value.is_number_integer() && value.get<int64_t>() <= high;
  if (!fits || value.get<int64_t>() < low)
    reject(key, "a whole number from " + std::to_string(low) + " to " + std::to_string(high));
  return value.get<int64_t>();
}

// Of a code: 2 to 8, or 16 of an activation.
int bits(const std::string& key, const nlohmann::json& value) {
  const int64_t number = value.is_number_integer() ? whole(key, value, -1, 65536) : 0;
  if ((number < 2 || number > 8) && number != 16) reject(key, "a whole number from 2 to 8, or 16");
  return static_cast<int>(number);
}

bool boolean(const std::string& key, const nlohmann::json& value) {
  if (!value.is_boolean()) reject(key, "true or false");
  return value.get<bool>();
}

std::string method(const std::string& key, const nlohmann::json& value) {
  const std::vector<std::string> names = method_names();
  if (!value.is_string() || std::find(names.begin(), names.end(), value.get<std::string>()) == names.end())
    reject(key, "one of " + join(names, ", "));
  return value.get<std::string>();
}

// A key of overrides, and what it sets.
struct OverrideKey {
  const char* name;
  void (*set)(ValueOverride& target, const std::string& key, const nlohmann::json& value);
};

using JsonValue = nlohmann::json;
constexpr float kLargest = std::numeric_limits<float>::max(), kLeast = std::numeric_limits<float>::min();
// clang-format off
constexpr OverrideKey kOverrideKeys[] = {
    {"min", [](ValueOverride& o, const std::string& k, const JsonValue& v) { o.min = real(k, v, -kLargest, 0); }},
    {"max", [](ValueOverride& o, const std::string& k, const JsonValue& v) { o.max = real(k, v, 0, kLargest); }},
    {"amax", [](ValueOverride& o, const std::string& k, const JsonValue& v) { o.amax = real(k, v, kLeast, kLargest); }},
    {"scale_amax", [](ValueOverride& o, const std::string& k, const JsonValue& v) { o.scale_amax = real(k, v, kLeast, kLargest); }},
    {"num_bits", [](ValueOverride& o, const std::string& k, const JsonValue& v) { o.num_bits = bits(k, v); }},
    {"unsigned", [](ValueOverride& o, const std::string& k, const JsonValue& v) { o.is_unsigned = boolean(k, v); }},
    {"symmetric", [](ValueOverride& o, const std::string& k, const JsonValue& v) { o.symmetric = boolean(k, v); }},
    {"axis", [](ValueOverride& o, const std::string& k, const JsonValue& v) { o.axis = whole(k, v, -64, 64); }},
    {"per_channel", [](ValueOverride& o, const std::string& k, const JsonValue& v) { o.per_channel = boolean(k, v); }},
    {"narrow_range", [](ValueOverride& o, const std::string& k, const JsonValue& v) { o.narrow_range = boolean(k, v); }},
    {"method", [](ValueOverride& o, const std::string& k, const JsonValue& v) { o.method = method(k, v); }},
    {"enabled", [](ValueOverride& o, const std::string& k, const JsonValue& v) { o.enabled = boolean(k, v); }},
};
// clang-format on

// By default, what needs the images again is left to the search, so that a method by name depends on
// statistics alone.
BiasCorrection bias_correction(const SchemeFlags& flags) {
  if (flags.bias_correction == "off") return BiasCorrection::kOff;
  const bool measured = flags.bias_correction == "on" ||
                        (flags.bias_correction == "auto" &&
                         (flags.weight_rounding == "fitted" || flags.scheme.method == kAutoMethod));
  return measured ? BiasCorrection::kMeasured : BiasCorrection::kClosedForm;
}

std::optional<DataType> type_of(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return text == "u8" ? DataType::kU8 : DataType::kS8;
}

std::map<std::string, ValueOverride> load_overrides(const std::string& path) {
  const std::string text = read_text(path);
  return with_context([&] { return path; }, [&] { return parse_overrides(text); });
}

}  // namespace

void add_scheme_options(CLI::App& app, SchemeFlags& flags, const std::string& automatic) {
  QuantizationScheme& scheme = flags.scheme;
  const auto choice = [&](const char* name, std::string& value, const std::vector<std::string>& choices,
                          const std::string& meaning) {
    return app.add_option(name, value, meaning + join(choices, ", ") + " (default " + value + ")")
        ->type_name("NAME")
        ->check(one_of(choices))
        ->group(kGroup);
  };
  scheme.method = kAutoMethod;
  std::vector<std::string> methods = method_names();
  const std::string by_name = join(methods, ", ");
  methods.insert(methods.begin(), kAutoMethod);
  app.add_option("--method", scheme.method, "auto (" + automatic + ", default), " + by_name)
      ->type_name("NAME")
      ->check(one_of(methods));
  app.add_option("--percentile", scheme.percentile, "for --method percentile (default 99.99)")
      ->type_name("P")
      ->check(real_number(50, 100))
      ->group(kGroup);
  choice("--bias-correction", flags.bias_correction, {"auto", "on", "closed-form", "off"},
         "of the shift of the mean that rounding causes: ");
  choice("--weight-rounding", flags.weight_rounding, {"auto", "nearest", "fitted"},
         "how weights become codes: ");
  choice("--equalize", flags.equalize, {"auto", "on", "off"},
         "brings the channels of a tensor to one size: ");
  app.add_option("--weight-bits", scheme.weights.num_bits,
                 "bits of a weight's code; fewer than 8 with s8 alone, 1 with --mode weight-only (default 8)")
      ->type_name("N")
      ->check(whole_number(1, 8))
      ->group(kGroup);
  choice("--weights", flags.weights, {"auto", "per-channel", "per-tensor"},
         "scales of weights, auto: per channel where the target takes it: ");
  const auto element_type = [&](const char* name, std::string& value, const char* meaning) {
    app.add_option(name, value, std::string(meaning) + ": u8, s8 (default: the target's)")
        ->type_name("TYPE")
        ->check(one_of({"u8", "s8"}))
        ->group(kGroup);
  };
  element_type("--activations", flags.activations, "type of activations");
  element_type("--weight-type", flags.weight_type, "type of weights");
  app.add_flag("--symmetric", flags.symmetric, "activations with the zero point in the middle of their type")
      ->group(kGroup);
  app.add_flag("--reduce-range", flags.reduce_range, "7-bit weights, for CPUs whose 8-bit products saturate")
      ->group(kGroup);
  const auto list = [&](const char* name, std::vector<std::string>& values, const char* type,
                        const char* meaning) {
    return app.add_option(name, values, meaning)->type_name(type)->allow_extra_args(false)->group(kGroup);
  };
  list("--include", scheme.include, "REGEX", "quantize only nodes with such names; repeatable");
  list("--exclude", scheme.exclude, "REGEX", "leave nodes with such names in float; repeatable");
  list("--op-types", scheme.op_types, "LIST", "quantize only these operators, as Conv,Gemm; repeatable")
      ->delimiter(',');
  list("--exclude-op-types", scheme.exclude_op_types, "LIST", "leave these operators in float; repeatable")
      ->delimiter(',');
  app.add_option("--overrides", flags.overrides, "JSON: range, bits, method ... of single values")
      ->type_name("FILE")
      ->group(kGroup);
}

void add_without_option(CLI::App& app, SchemeFlags& flags) {
  app.add_option("--without", flags.without,
                 "leaves a step of the search out, by its name in 'quantize help search'; repeatable")
      ->type_name("STEP")
      ->allow_extra_args(false)
      ->check(one_of(search_step_names()))
      ->group(kGroup);
}

std::string search_steps_text() {
  constexpr size_t kNameColumn = 38;
  std::string text = "Steps of the search (--method auto), in this order; --without STEP leaves one out:\n";
  for (const SearchStep& step : all_search_steps()) {
    std::string line = "  " + step.name;
    line.resize(std::max(line.size() + 2, kNameColumn), ' ');
    text += line + wrapped(step.description, kTextWidth - line.size(), kNameColumn) + "\n";
  }
  return text;
}

void add_target_option(CLI::App& app, std::string& target, const std::string& otherwise) {
  std::vector<std::string> targets;
  for (const TargetProfile* profile : all_targets()) targets.push_back(profile->name);
  app.add_option("--target", target,
                 "whose rules choose what is quantized: " + join(targets, ", ") + " (" + otherwise + ")")
      ->type_name("NAME")
      ->check(one_of(targets))
      ->group(kGroup);
}

QuantizationScheme make_scheme(const SchemeFlags& flags, const TargetProfile& target) {
  QuantizationScheme scheme = flags.scheme;
  if (flags.weight_rounding == "fitted" && flags.bias_correction == "off")
    throw Error(ErrorKind::kInvalidArgument,
                "--weight-rounding fitted leaves the mean to the biases; leave out --bias-correction off");
  if (!flags.without.empty() && scheme.method != kAutoMethod)
    throw Error(ErrorKind::kInvalidArgument, "--without leaves out steps of the search, and --method " +
                                                 scheme.method + " does not search; leave out one of them");
  scheme.without = {flags.without.begin(), flags.without.end()};
  scheme.bias_correction = bias_correction(flags);
  scheme.equalization = flags.equalize == "on"    ? Equalization::kOn
                        : flags.equalize == "off" ? Equalization::kOff
                                                  : Equalization::kTried;
  const bool fitted = flags.weight_rounding == "fitted" ||
                      (flags.weight_rounding == "auto" && flags.scheme.method == kAutoMethod &&
                       scheme.bias_correction != BiasCorrection::kOff);
  scheme.weight_rounding = fitted ? WeightRounding::kFitted : WeightRounding::kNearest;
  if (flags.weights == "per-channel" && !target.has_channel_weights())
    throw Error(ErrorKind::kInvalidArgument, std::string("target ") + target.name +
                                                 " takes one scale for all weights of a layer; leave out "
                                                 "--weights per-channel");
  scheme.per_channel_weights = flags.weights != "per-tensor";
  scheme.activations.symmetric = flags.symmetric;
  take_types(scheme, target, target.choose_types(type_of(flags.activations), type_of(flags.weight_type)));
  if (flags.reduce_range) scheme.weights.num_bits = std::min(scheme.weights.num_bits, 7);
  set_modes(flags, scheme);
  NodeSelection{scheme};  // refuses what is no regular expression before the model is read
  if (!flags.overrides.empty()) scheme.overrides = load_overrides(flags.overrides);
  return scheme;
}

std::vector<std::string> override_keys() {
  std::vector<std::string> keys;
  for (const OverrideKey& each : kOverrideKeys) keys.emplace_back(each.name);
  return keys;
}

void set_override(ValueOverride& target, const std::string& key, const nlohmann::json& value) {
  for (const OverrideKey& each : kOverrideKeys)
    if (key == each.name) return each.set(target, key, value);
  throw Error(ErrorKind::kInvalidArgument,
              "there is no key \"" + key + "\"; there are " + join(override_keys(), ", "));
}

std::map<std::string, ValueOverride> parse_overrides(const std::string& json) {
  const nlohmann::json parsed = parse_json(json, "the overrides");
  if (!parsed.is_object())
    throw Error(ErrorKind::kInvalidArgument, "the overrides are not a JSON object of value names");
  std::map<std::string, ValueOverride> overrides;
  for (const auto& [name, settings] : parsed.items()) {
    with_context([&, &name = name] { return "override of '" + name + "'"; },
                 [&, &name = name, &settings = settings] {
                   if (!settings.is_object())
                     throw Error(ErrorKind::kInvalidArgument, "it is not a JSON object");
                   if (settings.empty()) return;
                   ValueOverride& specific = overrides[name];
                   for (const auto& [key, value] : settings.items()) set_override(specific, key, value);
                   const bool whole = specific.amax || (specific.min && specific.max);
                   if (whole) overridden_range({}, specific);  // refuses what is no range
                 });
  }
  return overrides;
}

}  // namespace quantize
