// Read take() first.
#include "cli/recipe_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

#include "cli/option_checks.h"
#include "cli/recipe_file.h"
#include "cli/text.h"
#include "core/error.h"
#include "core/near_names.h"

namespace quantize {

namespace {

constexpr const char* kGroup = "Recipes";
constexpr size_t kMostItems = 10000;

bool is_flag(const CLI::Option& option) {
  return option.get_expected_max() == 0;
}

bool is_list(const CLI::Option& option) {
  return option.get_items_expected_max() > 1;
}

/// The words that would stand on the command line. Numbers are written as JSON has them, which option_checks read the same.
std::string text_of(const nlohmann::json& value, const std::string& wanted) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_number()) throw Error(ErrorKind::kInvalidArgument, "must be " + wanted);
  return value.dump();
}

std::vector<std::string> texts_of(const CLI::Option& option, const nlohmann::json& value) {
  if (is_flag(option)) {
    if (!value.is_boolean()) throw Error(ErrorKind::kInvalidArgument, "must be true or false");
    return value.get<bool>() ? std::vector<std::string>{"true"} : std::vector<std::string>{};
  }
  const std::string wanted = is_list(option) ? "a text, a number, or a list of such" : "a text or a number";
  if (!is_list(option) || !value.is_array()) return {text_of(value, wanted)};
  if (value.empty() || value.size() > kMostItems)
    throw Error(ErrorKind::kInvalidArgument, "must have 1 to " + std::to_string(kMostItems) + " items");
  std::vector<std::string> texts;
  for (const nlohmann::json& item : value) texts.push_back(text_of(item, wanted));
  return texts;
}

/// A number where the text is one that JSON writes so, else a text.
Json value_of(const std::string& text) {
  const Json number = Json::parse(text, nullptr, false);
  return number.is_number() && number.dump() == text ? number : Json(text);
}

}  // namespace

RecipeOptions::RecipeOptions(CLI::App& app, RecipeFlags& flags) : app_(app), flags_(flags) {
  std::vector<std::string> presets;
  for (const Preset& preset : all_presets()) presets.emplace_back(preset.name);
  app.add_option("--preset", flags.preset, "options that do what another system does: " + join(presets, ", "))
      ->type_name("NAME")
      ->check(one_of(presets))
      ->group(kGroup);
  for (const CLI::Option* option : app.get_options())
    if (!option->get_lnames().empty() && option != app.get_help_ptr())
      fields_.push_back(option->get_lnames().front());
  app.add_option("--recipe", flags.recipe,
                 "JSON: options by their names, and rules for parts of the network; the command line wins")
      ->type_name("FILE")
      ->group(kGroup);
  CLI::Option* dry_run =
      app.add_flag("--dry-run", flags.dry_run, "shows what each rule and selector names, and writes nothing")
          ->group(kGroup);
  app.add_flag("--print-recipe", flags.print_recipe,
               "prints the recipe in force: preset, recipe and command line as one, to be given to --recipe")
      ->excludes(dry_run)
      ->group(kGroup);
}

/// The first name of an option that has this one. Errors: those of take().
std::string RecipeOptions::known_field(const std::string& name) const {
  const CLI::Option* option = app_.get_option_no_throw("--" + name);
  if (option != nullptr &&
      std::find(fields_.begin(), fields_.end(), option->get_lnames().front()) != fields_.end())
    return option->get_lnames().front();
  std::vector<std::string> known = fields_;
  known.insert(known.end(), {"rules", "description", "$schema"});
  throw Error(ErrorKind::kInvalidArgument,
              "there is no option \"" + name + "\"" + near_names_hint(name, known));
}

/// As if it stood on the command line.
void RecipeOptions::fill(const std::string& field, const nlohmann::json& value) const {
  CLI::Option& option = *app_.get_option("--" + field);
  if (option.count() != 0) return;
  const std::vector<std::string> texts =
      with_context([&] { return "\"" + field + "\""; }, [&] { return texts_of(option, value); });
  if (texts.empty()) return;
  for (const std::string& text : texts) option.add_result(text);
  try {
    option.run_callback();
  } catch (const CLI::ParseError& error) {
    throw Error(ErrorKind::kInvalidArgument, error.what());
  }
}

void RecipeOptions::take(std::vector<Rule>& rules) const {
  RecipeFile recipe;
  if (!flags_.recipe.empty()) recipe = load_recipe(flags_.recipe);
  const auto in_recipe = [&](const auto& body) {
    if (flags_.recipe.empty()) return body();
    with_context([&] { return flags_.recipe; }, body);
  };
  std::map<std::string, nlohmann::json> values;
  in_recipe([&] {
    for (const auto& [field, value] : recipe.options) {
      if (!values.try_emplace(known_field(field), value).second)
        throw Error(ErrorKind::kInvalidArgument, "\"" + field + "\" is given twice, by two of its names");
    }
    if (const auto preset = values.find("preset"); preset != values.end()) fill("preset", preset->second);
  });
  if (!flags_.preset.empty()) {
    const RecipeFile preset = load_preset(flags_.preset);
    for (const auto& [field, value] : preset.options) values.try_emplace(known_field(field), value);
    rules = preset.rules;
  }
  rules.insert(rules.end(), recipe.rules.begin(), recipe.rules.end());
  in_recipe([&] {
    for (const auto& [field, value] : values) fill(field, value);
  });
}

Json RecipeOptions::in_force(const std::vector<Rule>& rules) const {
  Json recipe = Json::object();
  for (const std::string& field : fields_) {
    const CLI::Option& option = *app_.get_option("--" + field);
    if (option.count() == 0 || field == "preset") continue;
    if (is_flag(option)) {
      if (option.as<bool>()) recipe[field] = true;
    } else if (is_list(option)) {
      for (const std::string& text : option.results()) recipe[field].push_back(value_of(text));
    } else {
      recipe[field] = value_of(option.results().back());
    }
  }
  for (const Rule& rule : rules) recipe["rules"].push_back(Json::parse(rule.text));
  return recipe;
}

}  // namespace quantize
