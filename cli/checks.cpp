#include "cli/checks.h"

#include <algorithm>

#include "cli/text.h"

namespace quantize {

namespace {

std::string figure(const std::optional<double>& value, const std::string& unit) {
  return value ? format_fixed(*value, 2) + " " + unit : "unknown";
}

std::string wanted(const Check& check) {
  return (check.name == "max-drop" ? "at most " : "at least ") + figure(check.limit, check.unit);
}

}  // namespace

std::vector<Check> checks_of(const Bound& bound, const BoundFigures& figures) {
  std::vector<Check> checks;
  const auto add = [&](Check check, const std::optional<double>& limit) {
    if (!limit) return;
    const double sign = check.name == "max-drop" ? -1 : 1;
    check.limit = *limit;
    check.passed = check.value && sign * *check.value >= sign * *limit;
    checks.push_back(std::move(check));
  };
  add({"min-agreement", "agreement", "%", figures.agreement, 0, false}, bound.min_agreement);
  add({"min-sqnr", "SQNR of the worst output", "dB", figures.sqnr_db, 0, false}, bound.min_sqnr);
  add({"max-drop", "drop of " + figures.drop_of, "points", figures.drop, 0, false}, bound.max_drop);
  return checks;
}

bool all_passed(const std::vector<Check>& checks) {
  return std::all_of(checks.begin(), checks.end(), [](const Check& check) { return check.passed; });
}

Json checks_json(const std::vector<Check>& checks) {
  Json json = Json::array();
  for (const Check& check : checks)
    json.push_back({{"name", check.name},
                    {"value", or_null(check.value)},
                    {"limit", check.limit},
                    {"passed", check.passed}});
  return json;
}

std::string checks_text(const std::vector<Check>& checks, const Style& style) {
  std::string text;
  for (const Check& check : checks)
    text += (check.passed ? style.good("  passed  ") : style.bad("  FAILED  ")) + check.what + " " +
            figure(check.value, check.unit) + ", " + wanted(check) + " wanted\n";
  return text;
}

std::vector<std::string> failures_of(const std::vector<Check>& checks) {
  std::vector<std::string> failures;
  for (const Check& check : checks)
    if (!check.passed)
      failures.push_back("--" + check.name + " is not kept: the " + check.what + " is " +
                         figure(check.value, check.unit) + ", " + wanted(check) + " was asked for");
  return failures;
}

}  // namespace quantize
