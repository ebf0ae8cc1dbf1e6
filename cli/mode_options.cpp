// From NAME and NAME=REGEX to the modes of a scheme.
#include "cli/mode_options.h"

#include <CLI/CLI.hpp>

#include "calibration/search/choose_plan.h"
#include "cli/option_checks.h"
#include "cli/text.h"
#include "core/error.h"
#include "core/quantization/modes/mode.h"

namespace quantize {

namespace {

constexpr const char* kGroup = "Quantization";
constexpr int64_t kMostBlock = 65536;
constexpr DataType kRestTypes[] = {DataType::kF32, DataType::kF16, DataType::kBF16};

/// Only the modes of a scheme.
void parse_modes(const SchemeFlags& flags, QuantizationScheme& scheme) {
  bool has_default = false;
  for (const std::string& text : flags.modes) {
    const size_t equals = text.find('=');
    const std::string name = text.substr(0, equals);
    find_mode(name);
    if (equals != std::string::npos) {
      scheme.mode_rules.push_back({name, text.substr(equals + 1)});
      continue;
    }
    if (has_default)
      throw Error(ErrorKind::kInvalidArgument, "--mode gives all nodes both " + scheme.mode + " and " + name +
                                                   "; give one of them some nodes, as --mode " + name +
                                                   "=REGEX");
    scheme.mode = name;
    has_default = true;
  }
  ModeChoice{scheme};  // refuses what is no regular expression
}

/// The options that only ranges of activations give a meaning.
std::vector<std::string> options_of_ranges(const SchemeFlags& flags) {
  const std::pair<const char*, bool> given[] = {
      {"--method", flags.scheme.method != kAutoMethod},
      {"--without", !flags.without.empty()},
      {"--bias-correction", flags.bias_correction != "auto" && flags.bias_correction != "off"},
      {"--weight-rounding", flags.weight_rounding == "fitted"},
      {"--equalize", flags.equalize == "on"},
      {"--activations", !flags.activations.empty()},
      {"--symmetric", flags.symmetric},
  };
  std::vector<std::string> options;
  for (const auto& [name, is_given] : given)
    if (is_given) options.emplace_back(name);
  return options;
}

}  // namespace

void add_mode_options(CLI::App& app, SchemeFlags& flags) {
  std::vector<std::string> modes;
  for (const Mode* mode : all_modes())
    modes.push_back(std::string(mode->name) + " (" + mode->description + ")");
  app.add_option("--mode", flags.modes,
                 join(modes, ", ") + "; NAME=REGEX: of the nodes with such names; repeatable")
      ->type_name("NAME[=REGEX]")
      ->allow_extra_args(false)
      ->group(kGroup);
  std::vector<std::string> rest;
  for (const DataType type : kRestTypes) rest.emplace_back(name_of(type));
  app.add_option("--rest", flags.rest,
                 "what is not integer is computed in: " + join(rest, ", ") + " (default f32)")
      ->type_name("TYPE")
      ->check(one_of(rest))
      ->group(kGroup);
  app.add_option("--weight-block", flags.scheme.weight_block,
                 "weights that share a scale, for --mode weight-only (default: an output channel)")
      ->type_name("N")
      ->check(whole_number(2, kMostBlock))
      ->group(kGroup);
}

void set_modes(const SchemeFlags& flags, QuantizationScheme& scheme) {
  parse_modes(flags, scheme);
  for (const DataType type : kRestTypes)
    if (name_of(type) == flags.rest) scheme.rest = type;
  if (takes_ranges(scheme)) return;
  if (const auto options = options_of_ranges(flags); !options.empty())
    throw Error(ErrorKind::kInvalidArgument, join(options, ", ") + (options.size() == 1 ? " has" : " have") +
                                                 " no effect without a node of --mode static; leave " +
                                                 (options.size() == 1 ? "it" : "them") + " out");
}

bool takes_ranges(const SchemeFlags& flags) {
  QuantizationScheme scheme;
  parse_modes(flags, scheme);
  return takes_ranges(scheme);
}

}  // namespace quantize
