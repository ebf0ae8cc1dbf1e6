// --recipe, --preset, --dry-run and --print-recipe: options of a command that are given elsewhere than on its line.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"
#include "core/quantization/scheme.h"

namespace quantize {

/// Values of the four options.
struct RecipeFlags {
  std::string preset, recipe;  // a name, a file; empty: none
  bool dry_run = false, print_recipe = false;
};

/// The options of one command as fields of recipes. CLI11's own table of options says which there are and what each takes.
class RecipeOptions {
 public:
  /// Adds --recipe, --preset, --dry-run and --print-recipe. Every other option that `app` has by then is a field.
  /// `app` and `flags` must outlive it.
  RecipeOptions(CLI::App& app, RecipeFlags& flags);

  /// Fills the options that the command line does not have: from the preset, over which the recipe goes, and appends the
  /// rules of both. Requires: `app` has parsed.
  /// Errors: Error(kInvalidArgument) for a field that is no option, or a value that the option would not take; those of
  /// load_recipe and load_preset.
  void take(std::vector<Rule>& rules) const;

  /// The recipe in force: every option that has a value, and the rules. Given back, it does the same. Requires: take().
  Json in_force(const std::vector<Rule>& rules) const;

 private:
  void fill(const std::string& field, const nlohmann::json& value) const;
  std::string known_field(const std::string& name) const;

  CLI::App& app_;
  RecipeFlags& flags_;
  std::vector<std::string> fields_;  // long names
};

}  // namespace quantize
