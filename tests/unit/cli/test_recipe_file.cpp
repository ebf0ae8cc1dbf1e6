#include <catch2/catch.hpp>

#include "cli/recipe_file.h"
#include "core/error.h"

using namespace quantize;
using Catch::Matchers::Contains;
using Kind = RuleSelector::Kind;

namespace {

std::string failure(const std::string& json) {
  try {
    parse_recipe(json, "r");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kInvalidArgument);
    return error.what();
  }
  return "none";
}

std::string of_rule(const std::string& json) {
  return failure(R"({"rules": [{"glob": "*", "mode": "float"}, )" + json + "]}");
}

Rule rule(const std::string& json) {
  return parse_recipe(R"({"rules": [)" + json + "]}", "r").rules.at(0);
}

}  // namespace

TEST_CASE("A recipe has options and rules, and may have comments", "[recipe]") {
  const RecipeFile recipe = parse_recipe(R"({
      "description": "of a test", "$schema": "x",  // neither does anything
      "method": "max", /* twice */ "symmetric": true, "percentile": 99.9, "include": ["a", "b"],
      "rules": [{"regex": "^head", "mode": "float"}]})",
                                         "r");
  REQUIRE(recipe.options.size() == 4);
  CHECK(recipe.rules.size() == 1);
  CHECK(recipe.rules[0].mode == "float");
  CHECK(recipe.rules[0].selects.regex == "^head");
}

TEST_CASE("Keys of a rule for nodes are of their weights or of what they compute", "[recipe]") {
  const Rule all = rule(
      R"({"glob": "a*", "op_type": ["Conv", "Gemm"], "from": "x", "to": "y", "mode": "weight-only", "enabled": true,
      "bits": 4, "per_channel": false, "activation_bits": 7, "method": "entropy", "symmetric": true, "unsigned": false})");
  CHECK(all.selects.of == Kind::kNodes);
  CHECK(all.selects.op_types == std::vector<std::string>{"Conv", "Gemm"});
  CHECK(all.mode == "weight-only");
  CHECK(all.weights.num_bits == 4);
  CHECK(all.weights.per_channel == false);
  CHECK(all.activations.num_bits == 7);
  CHECK(all.activations.method == "entropy");
  CHECK(all.activations.symmetric == true);
  CHECK(all.activations.is_unsigned == false);
  CHECK(rule(R"({"op_type": "Conv", "enabled": false})").mode == "float");
  CHECK(rule(R"({"op_type": "Conv", "enabled": true})").mode == "");
  CHECK(rule(R"({"op_type": "Conv", "enabled": false, "mode": "float"})").mode == "float");
}

TEST_CASE("Keys of a rule for values are those of overrides", "[recipe]") {
  const Rule told = rule(
      R"({"of": "activations", "regex": "out$", "amax": 6, "bits": 7, "enabled": true, "optional": true})");
  CHECK(told.selects.of == Kind::kActivations);
  CHECK(told.selects.may_be_empty);
  CHECK(told.activations.amax == 6.0f);
  CHECK(told.activations.num_bits == 7);
  CHECK(told.weights == told.activations);
  CHECK_FALSE(told.mode);
}

TEST_CASE("A rule that makes no sense is refused with its number and key", "[recipe]") {
  CHECK_THAT(of_rule(R"({"glob": "*", "mod": "float"})"),
             Contains("rule 2") && Contains("\"mod\"") && Contains("\"mode\""));
  CHECK_THAT(of_rule(R"({"of": "values", "glob": "*", "mode": "float"})"),
             Contains("a rule for values has no key \"mode\""));
  CHECK_THAT(of_rule(R"({"glob": "*", "amax": 6})"), Contains("a rule for nodes has no key \"amax\""));
  CHECK_THAT(of_rule(R"({"glob": "*", "mode": "flot"})"), Contains("no mode 'flot'"));
  CHECK_THAT(of_rule(R"({"glob": "*", "bits": 1})"), Contains("\"bits\"") && Contains("from 2 to 8"));
  CHECK_THAT(of_rule(R"({"glob": "*", "bits": 4.5})"), Contains("whole number"));
  CHECK_THAT(of_rule(R"({"glob": "*", "method": "auto"})"), Contains("one of max"));
  CHECK_THAT(of_rule(R"({"glob": "*", "enabled": false, "mode": "dynamic"})"), Contains("contradict"));
  CHECK_THAT(of_rule(R"({"glob": "*"})"), Contains("asks for nothing"));
  CHECK_THAT(of_rule(R"({"mode": "float"})"), Contains("selects nothing"));
  CHECK_THAT(of_rule(R"({"optional": true, "mode": "float"})"), Contains("selects nothing"));
  CHECK_THAT(of_rule(R"({"regex": "(", "mode": "float"})"), Contains("no regular expression"));
  CHECK_THAT(of_rule(R"({"glob": "", "mode": "float"})"), Contains("1 to 1000 characters"));
  CHECK_THAT(of_rule(R"({"op_type": [], "mode": "float"})"), Contains("not an empty one"));
  CHECK_THAT(of_rule(R"({"op_type": [3], "mode": "float"})"), Contains("\"op_type\""));
  CHECK_THAT(of_rule(R"({"of": "edges", "glob": "*", "mode": "float"})"),
             Contains("nodes, values, activations, weights"));
  CHECK_THAT(of_rule(R"("float")"), Contains("no") && Contains("JSON object"));
}

TEST_CASE("Hostile recipes are refused", "[recipe]") {
  CHECK_THAT(failure("[]"), Contains("not a JSON object"));
  CHECK_THAT(failure("{"), Contains("no valid JSON"));
  CHECK_THAT(failure(R"({"percentile": NaN})"), Contains("no valid JSON"));
  CHECK_THAT(failure(R"({"percentile": 1e400})"), Contains("beyond"));
  CHECK_THAT(failure(R"({"method": "max", "method": "mse"})"), Contains("stands twice"));
  CHECK_THAT(failure(R"({"rules": {}})"), Contains("\"rules\" must be a list"));
  CHECK_THAT(failure(R"({"description": 3})"), Contains("must be a text"));
  CHECK_THAT(failure("{\"rules\": " + std::string(100000, '[')), Contains("64 levels"));
  CHECK_THAT(failure("{" + std::string(size_t{1} << 20, ' ') + "}"), Contains("at most 1048576"));
  CHECK_THAT(of_rule("{\"regex\": \"" + std::string(1001, '(') + "\", \"mode\": \"float\"}"),
             Contains("1000"));
}

TEST_CASE("Every preset is a recipe", "[recipe]") {
  REQUIRE_FALSE(all_presets().empty());
  for (const Preset& preset : all_presets()) {
    INFO(preset.name);
    const RecipeFile recipe = load_preset(std::string(preset.name));
    const auto has = [&](const std::string& key) {
      return std::any_of(recipe.options.begin(), recipe.options.end(),
                         [&](const auto& each) { return each.first == key; });
    };
    CHECK(has("target"));
    CHECK(has("method"));
  }
  CHECK_THROWS_WITH(load_preset("pytorch"), Contains("pytorch-fbgemm"));
}
