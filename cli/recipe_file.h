// Recipe files: options and rules as JSON. A preset is one that stands in the program.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/quantization/scheme.h"

namespace quantize {

/// The content of a recipe file. The options are not checked here: RecipeOptions knows them.
struct RecipeFile {
  std::vector<std::pair<std::string, nlohmann::json>> options;  // by long name, without "--"
  std::vector<Rule> rules;
};

/// Reads a recipe: a JSON object, comments allowed, of options by their long names, "rules" (parse_rule), and
/// "$schema" and "description", texts that do nothing. `what` names it in errors.
/// Errors: Error(kInvalidArgument) for text that is no such JSON, more than 1 MiB, and the errors of parse_rule with the
/// number of the rule.
RecipeFile parse_recipe(const std::string& text, const std::string& what);

/// parse_recipe() of a file. Errors: also Error(kIo).
RecipeFile load_recipe(const std::string& path);

/// A recipe that stands in the program.
struct Preset {
  std::string_view name, text;
};

/// Every preset: the files of cli/presets that CMakeLists.txt names.
std::span<const Preset> all_presets();

/// The recipe of a preset. Errors: Error(kInvalidArgument) naming those there are.
RecipeFile load_preset(const std::string& name);

}  // namespace quantize
