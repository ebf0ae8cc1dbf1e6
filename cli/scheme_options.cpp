// From text to a QuantizationScheme.
#include "cli/scheme_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <regex>

#include "calibration/calibrator.h"
#include "calibration/choose_plan.h"
#include "calibration/read_file.h"
#include "cli/text.h"
#include "core/error.h"
#include "core/op_registry.h"
#include "core/quantization/target.h"

namespace quantize {

namespace {

constexpr const char* kGroup = "Quantization";

std::vector<std::string> method_names() {
  std::vector<std::string> names;
  for (const Calibrator* calibrator : all_calibrators()) names.push_back(calibrator->name());
  return names;
}

void check_regex(const std::string& option, const std::string& pattern) {
  try {
    std::regex compiled(pattern);
  } catch (const std::regex_error& error) {
    throw Error(ErrorKind::kInvalidArgument,
                option + " '" + pattern + "' is no regular expression: " + error.what());
  }
}

void check_op_type(const std::string& op_type) {
  const auto known = [&](const OpDef& op) { return op_type == op.op_type; };
  if (std::none_of(all_ops().begin(), all_ops().end(), known))
    throw Error(ErrorKind::kInvalidArgument,
                "there is no operator '" + op_type + "'; write ONNX names such as Conv");
}

[[noreturn]] void reject(const std::string& key, const std::string& wanted) {
  throw Error(ErrorKind::kInvalidArgument, "\"" + key + "\" must be " + wanted);
}

float real(const std::string& key, const Json& value, float low, float high) {
  if (!value.is_number() || !(value.get<double>() >= low && value.get<double>() <= high))
    reject(key, low == 0 ? "a number, at least 0" : "a number, at most 0");
  return value.get<float>();
}

int64_t whole(const std::string& key, const Json& value, int64_t low, int64_t high) {
  if (!value.is_number_integer() || value.get<int64_t>() < low || value.get<int64_t>() > high)
    reject(key, "a whole number from " + std::to_string(low) + " to " + std::to_string(high));
  return value.get<int64_t>();
}

bool boolean(const std::string& key, const Json& value) {
  if (!value.is_boolean()) reject(key, "true or false");
  return value.get<bool>();
}

std::string method(const std::string& key, const Json& value) {
  const std::vector<std::string> names = method_names();
  if (!value.is_string() || std::find(names.begin(), names.end(), value.get<std::string>()) == names.end())
    reject(key, "one of " + join(names, ", "));
  return value.get<std::string>();
}

void set(ValueOverride& target, const std::string& key, const Json& value) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  if (key == "min")
    target.min = real(key, value, -kLargest, 0);
  else if (key == "max")
    target.max = real(key, value, 0, kLargest);
  else if (key == "amax")
    target.amax = real(key, value, 0, kLargest);
  else if (key == "scale_amax")
    target.scale_amax = real(key, value, 0, kLargest);
  else if (key == "num_bits")
    target.num_bits = static_cast<int>(whole(key, value, 2, 8));
  else if (key == "axis")
    target.axis = whole(key, value, -64, 64);
  else if (key == "unsigned")
    target.is_unsigned = boolean(key, value);
  else if (key == "narrow_range")
    target.narrow_range = boolean(key, value);
  else if (key == "enabled")
    target.enabled = boolean(key, value);
  else if (key == "method")
    target.method = method(key, value);
  else
    throw Error(ErrorKind::kInvalidArgument, "there is no key \"" + key +
                                                 "\"; there are min, max, amax, scale_amax, num_bits, "
                                                 "unsigned, axis, narrow_range, method, enabled");
}

// By default, what needs the images again is left to the search, so that a method by name depends on
// statistics alone.
BiasCorrection bias_correction(const SchemeFlags& flags) {
  if (flags.bias_correction == "off") return BiasCorrection::kOff;
  const bool measured = flags.bias_correction == "on" ||
                        (flags.bias_correction == "auto" &&
                         (flags.weight_rounding == "fitted" || flags.scheme.method == kAutoMethod));
  return measured ? BiasCorrection::kMeasured : BiasCorrection::kClosedForm;
}

std::map<std::string, ValueOverride> load_overrides(const std::string& path) {
  const std::string text = read_text(path);
  return with_context([&] { return path; }, [&] { return parse_overrides(text); });
}

}  // namespace

void add_scheme_options(CLI::App& app, SchemeFlags& flags) {
  QuantizationScheme& scheme = flags.scheme;
  const auto choice = [&](const char* name, std::string& value, const std::vector<std::string>& choices,
                          const char* group) {
    return app.add_option(name, value, join(choices, ", ") + " (default " + value + ")")
        ->type_name("NAME")
        ->check(CLI::IsMember(choices))
        ->group(group);
  };
  scheme.method = kAutoMethod;
  std::vector<std::string> methods = method_names();
  methods.insert(methods.begin(), kAutoMethod);
  choice("--method", scheme.method, methods, app.option_defaults()->get_group().c_str());
  app.add_option("--percentile", scheme.percentile, "of the method of that name (default 99.99)")
      ->type_name("P")
      ->check(CLI::Range(50.0, 100.0))
      ->group(kGroup);
  choice("--bias-correction", flags.bias_correction, {"auto", "on", "closed-form", "off"}, kGroup);
  choice("--weight-rounding", flags.weight_rounding, {"auto", "nearest", "fitted"}, kGroup);
  choice("--equalize", flags.equalize, {"auto", "on", "off"}, kGroup);
  app.add_option("--weight-bits", scheme.weights.num_bits, "of the weights' codes, held as s8 (default 8)")
      ->type_name("N")
      ->check(CLI::Range(2, 8))
      ->group(kGroup);
  choice("--weights", flags.weights, {"per-channel", "per-tensor"}, kGroup);
  choice("--activations", flags.activations, {"u8", "s8"}, kGroup);
  app.add_flag("--symmetric", flags.symmetric, "zero point of activations in the middle")->group(kGroup);
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

void add_target_option(CLI::App& app, std::string& target, const std::string& otherwise) {
  std::vector<std::string> targets;
  for (const TargetProfile* profile : all_targets()) targets.push_back(profile->name);
  app.add_option("--target", target,
                 "whose rules choose what is quantized: " + join(targets, ", ") + " (" + otherwise + ")")
      ->type_name("NAME")
      ->check(CLI::IsMember(targets))
      ->group(kGroup);
}

QuantizationScheme make_scheme(const SchemeFlags& flags) {
  QuantizationScheme scheme = flags.scheme;
  if (flags.weight_rounding == "fitted" && flags.bias_correction == "off")
    throw Error(ErrorKind::kInvalidArgument,
                "--weight-rounding fitted leaves the mean to the biases; leave out --bias-correction off");
  scheme.bias_correction = bias_correction(flags);
  scheme.equalization = flags.equalize == "on"    ? Equalization::kOn
                        : flags.equalize == "off" ? Equalization::kOff
                                                  : Equalization::kTried;
  const bool fitted = flags.weight_rounding == "fitted" ||
                      (flags.weight_rounding == "auto" && flags.scheme.method == kAutoMethod &&
                       scheme.bias_correction != BiasCorrection::kOff);
  scheme.weight_rounding = fitted ? WeightRounding::kFitted : WeightRounding::kNearest;
  scheme.per_channel_weights = flags.weights == "per-channel";
  scheme.activations.dtype = flags.activations == "u8" ? DataType::kU8 : DataType::kS8;
  scheme.activations.symmetric = flags.symmetric;
  if (flags.reduce_range) scheme.weights.num_bits = std::min(scheme.weights.num_bits, 7);
  for (const std::string& pattern : scheme.include) check_regex("--include", pattern);
  for (const std::string& pattern : scheme.exclude) check_regex("--exclude", pattern);
  for (const std::string& op_type : scheme.op_types) check_op_type(op_type);
  for (const std::string& op_type : scheme.exclude_op_types) check_op_type(op_type);
  if (!flags.overrides.empty()) scheme.overrides = load_overrides(flags.overrides);
  return scheme;
}

std::map<std::string, ValueOverride> parse_overrides(const std::string& json) {
  const Json parsed = Json::parse(json, nullptr, false);
  if (!parsed.is_object())
    throw Error(ErrorKind::kInvalidArgument, "the overrides are not a JSON object of value names");
  std::map<std::string, ValueOverride> overrides;
  for (const auto& [name, settings] : parsed.items()) {
    with_context([&, &name = name] { return "override of '" + name + "'"; },
                 [&, &name = name, &settings = settings] {
                   if (!settings.is_object())
                     throw Error(ErrorKind::kInvalidArgument, "it is not a JSON object");
                   for (const auto& [key, value] : settings.items()) set(overrides[name], key, value);
                 });
  }
  return overrides;
}

}  // namespace quantize
