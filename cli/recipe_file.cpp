#include "cli/recipe_file.h"

#include <filesystem>

#include "calibration/images/parse_json.h"
#include "calibration/images/read_file.h"
#include "cli/option_checks.h"
#include "cli/rule_json.h"
#include "core/error.h"

namespace quantize {

namespace {

constexpr size_t kMostBytes = size_t{1} << 20;

void check_size(uint64_t bytes, const std::string& what) {
  if (bytes > kMostBytes)
    throw Error(ErrorKind::kInvalidArgument, what + " has " + std::to_string(bytes) +
                                                 " bytes; a recipe has at most " +
                                                 std::to_string(kMostBytes));
}

std::vector<Rule> parse_rules(const nlohmann::json& list) {
  if (!list.is_array()) throw Error(ErrorKind::kInvalidArgument, "\"rules\" must be a list of objects");
  std::vector<Rule> rules;
  for (const nlohmann::json& rule : list)
    with_context([&] { return "rule " + std::to_string(rules.size() + 1); },
                 [&] { rules.push_back(parse_rule(rule)); });
  return rules;
}

}  // namespace

RecipeFile parse_recipe(const std::string& text, const std::string& what) {
  check_size(text.size(), what);
  const nlohmann::json parsed = parse_json(text, what, JsonComments::kIgnored);
  if (!parsed.is_object())
    throw Error(ErrorKind::kInvalidArgument, what + " is not a JSON object of options");
  RecipeFile recipe;
  for (const auto& [key, value] : parsed.items()) {
    if (key == "rules")
      recipe.rules = parse_rules(value);
    else if (key != "$schema" && key != "description")
      recipe.options.emplace_back(key, value);
    else if (!value.is_string())
      throw Error(ErrorKind::kInvalidArgument, "\"" + key + "\" must be a text");
  }
  return recipe;
}

RecipeFile load_recipe(const std::string& path) {
  return with_context([&] { return path; },
                      [&] {
                        std::error_code ignored;
                        if (std::filesystem::is_regular_file(path, ignored))
                          check_size(std::filesystem::file_size(path), "the recipe");
                        return parse_recipe(read_text(path), "the recipe");
                      });
}

RecipeFile load_preset(const std::string& name) {
  std::vector<std::string> names;
  for (const Preset& preset : all_presets()) {
    if (preset.name == name)
      return with_context([&] { return "preset " + name; },
                          [&] { return parse_recipe(std::string(preset.text), "the preset"); });
    names.emplace_back(preset.name);
  }
  throw Error(ErrorKind::kInvalidArgument, "\"preset\": " + one_of(names)(name));
}

}  // namespace quantize
