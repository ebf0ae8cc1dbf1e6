// From NAME and NAME=REGEX to the modes of a scheme.
#include "cli/mode_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstring>
#include <tuple>

#include "calibration/search/choose_plan.h"
#include "cli/option_checks.h"
#include "cli/text.h"
#include "core/error.h"
#include "core/quantization/activation_bits.h"
#include "core/quantization/modes/mode.h"
#include "core/quantization/modes/weight_grids.h"

namespace quantize {

namespace {

constexpr const char* kGroup = "Quantization";
constexpr int64_t kMostBlock = 65536;
constexpr int64_t kLeastFixed = 2, kMostFixed = 8, kFarthestPoint = 32;  // of fixed:W.I
constexpr DataType kRestTypes[] = {DataType::kF32, DataType::kF16, DataType::kBF16};

/// "fixed:8.1": 8 bits, 1 of them before the point. Nothing for any other text.
std::optional<std::pair<int64_t, int64_t>> parse_fixed(const std::string& text) {
  constexpr const char* kBegin = "fixed:";
  const size_t point = text.find('.');
  if (text.rfind(kBegin, 0) != 0 || point == std::string::npos) return std::nullopt;
  const std::string bits = text.substr(std::strlen(kBegin), point - std::strlen(kBegin)),
                    before = text.substr(point + 1);
  if (!whole_number(kLeastFixed, kMostFixed)(bits).empty() ||
      !whole_number(-kFarthestPoint, kFarthestPoint)(before).empty())
    return std::nullopt;
  return std::pair(std::stoll(bits), std::stoll(before));
}

OptionCheck a_grid() {
  return [](const std::string& text) {
    std::vector<std::string> names;
    for (const WeightGridForm& form : all_grids()) names.emplace_back(form.name);
    return parse_fixed(text) ? std::string()
           : text.rfind("fixed", 0) == 0
               ? "'fixed:W.I' needs numbers: W of " + std::to_string(kLeastFixed) + " to " +
                     std::to_string(kMostFixed) + " bits, one for the sign, and I of -" +
                     std::to_string(kFarthestPoint) + " to " + std::to_string(kFarthestPoint) +
                     " of them before the point"
               : one_of(names)(text);
  };
}

/// True if weights are stored in a way that one mode alone has.
bool asks_for_storage(const SchemeFlags& flags) {
  return flags.weight_codebook || (!flags.weight_grid.empty() && flags.weight_grid != "linear");
}

void set_storage(const SchemeFlags& flags, QuantizationScheme& scheme) {
  WeightStorage& storage = scheme.storage;
  if (!flags.weight_codebook && storage.group != 0)
    throw Error(ErrorKind::kInvalidArgument,
                "--codebook-group says how many channels share a codebook; give --weight-codebook BITS");
  if (flags.weight_codebook) {
    storage.grid = WeightGrid::kCodebook;
    storage.bits = *flags.weight_codebook;
    storage.channel_scales = flags.weights != "per-tensor";
  }
  if (const auto fixed = parse_fixed(flags.weight_grid)) {
    storage.grid = WeightGrid::kFixed;
    std::tie(storage.bits, storage.before_point) = *fixed;
  }
  for (const WeightGridForm& form : all_grids())
    if (form.name == flags.weight_grid) storage.grid = form.grid;
}

/// Errors: Error(kInvalidArgument) for --weight-bits where every node's bits are said by another option.
void check_bits(const QuantizationScheme& scheme) {
  const WeightGrid grid = scheme.storage.grid;
  const bool says_bits = scheme.storage.bits != 0 || (grid != WeightGrid::kCodebook &&
                                                      form_of(grid).least_bits == form_of(grid).most_bits);
  const auto modes = modes_of(scheme);
  const bool others = std::any_of(modes.begin(), modes.end(),
                                  [](const Mode* mode) { return mode->takes_bits && !mode->takes_storage; });
  if (says_bits && !others && scheme.weights.num_bits != 8)
    throw Error(ErrorKind::kInvalidArgument,
                "--weight-bits has no effect beside " +
                    std::string(grid == WeightGrid::kCodebook ? "--weight-codebook" : "--weight-grid") + " " +
                    (grid == WeightGrid::kCodebook ? std::to_string(scheme.storage.bits) : name_of(grid)) +
                    ", which says the bits; leave it out");
}

/// Only the modes of a scheme, and the rules that set some.
void parse_modes(const SchemeFlags& flags, QuantizationScheme& scheme) {
  scheme.rules = flags.rules;
  bool has_default = false;
  if (flags.modes.empty() && asks_for_storage(flags)) scheme.mode = kWeightOnlyMode.name;
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

/// Only the bits of activations of a scheme.
void parse_bits(const SchemeFlags& flags, QuantizationScheme& scheme) {
  std::optional<int> all;
  for (const std::string& text : flags.activation_bits) {
    const size_t equals = text.find('=');
    const std::string number = text.substr(0, equals);
    if (number != "8" && number != "16")
      throw Error(ErrorKind::kInvalidArgument,
                  "--activation-bits takes 8, 16, or one of them with names of nodes, as 16=REGEX; not '" +
                      text + "'");
    const int bits = number == "8" ? 8 : 16;
    if (equals != std::string::npos)
      scheme.bits_rules.push_back({bits, text.substr(equals + 1)});
    else if (all && *all != bits)
      throw Error(
          ErrorKind::kInvalidArgument,
          "--activation-bits gives all nodes both 8 and 16; give one of them some nodes, as 16=REGEX");
    else
      scheme.activation_bits = *(all = bits);
  }
  BitsChoice{scheme};  // refuses what is no regular expression
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
      {"--activation-bits", !flags.activation_bits.empty()},
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
  app.add_option(
         "--activation-bits", flags.activation_bits,
         "8 (default) or 16, where the target has them; N=REGEX: of the nodes with such names; repeatable; "
         "without it a bound may take 16")
      ->type_name("N[=REGEX]")
      ->allow_extra_args(false)
      ->group(kGroup);
  app.add_option("--weight-block", flags.scheme.weight_block,
                 "weights that share a scale, for --mode weight-only (default: an output channel)")
      ->type_name("N")
      ->check(whole_number(2, kMostBlock))
      ->group(kGroup);
  CLI::Option* codebook =
      app.add_option(
             "--weight-codebook", flags.weight_codebook,
             "weights as codes of so many bits that count levels found by k-means; --mode weight-only "
             "where no mode is given; times a scale per output channel, unless --weights per-tensor")
          ->type_name("1|2|3|4|6|8")
          ->check(one_of({"1", "2", "3", "4", "6", "8"}))
          ->group(kGroup);
  app.add_option("--codebook-group", flags.scheme.storage.group,
                 "output channels that share a codebook (default: all)")
      ->type_name("N")
      ->check(whole_number(1, kMostBlock))
      ->group(kGroup);
  std::vector<std::string> grids;
  for (const WeightGridForm& form : all_grids())
    grids.push_back(std::string(form.name) + " (" + form.description + ")");
  app.add_option("--weight-grid", flags.weight_grid,
                 "reals of stored weights, up to a scale: " + join(grids, ", ") +
                     "; --mode weight-only where no mode is given")
      ->type_name("NAME")
      ->check(a_grid())
      ->excludes(codebook)
      ->group(kGroup);
}

void set_modes(const SchemeFlags& flags, QuantizationScheme& scheme) {
  parse_modes(flags, scheme);
  set_storage(flags, scheme);
  check_bits(scheme);
  parse_bits(flags, scheme);
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

bool asks_for_integers(const SchemeFlags& flags) {
  QuantizationScheme scheme;
  parse_modes(flags, scheme);
  return asks_for_integers(scheme);
}

}  // namespace quantize
