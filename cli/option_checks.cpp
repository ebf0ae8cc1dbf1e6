#include "cli/option_checks.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "cli/text.h"
#include "core/near_names.h"

namespace quantize {

namespace {

// The number that the whole text is; false if it is none, or does not fit.
template <typename Number>
bool parse(const std::string& text, Number& number) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end;
}

std::string refusal(const std::string& text, const char* kind, double low, double high) {
  char range[64];
  std::snprintf(range, sizeof range, " from %.10g to %.10g", low, high);
  return "'" + text + "' is no " + kind + range;
}

}  // namespace

OptionCheck whole_number(int64_t low, int64_t high) {
  return [=](const std::string& text) {
    int64_t number = 0;
    if (parse(text, number) && number >= low && number <= high) return std::string();
    return refusal(text, "whole number", static_cast<double>(low), static_cast<double>(high));
  };
}

OptionCheck one_of(std::vector<std::string> names) {
  return [names = std::move(names)](const std::string& text) -> std::string {
    if (std::find(names.begin(), names.end(), text) != names.end()) return "";
    const std::vector<std::string> near = near_names(text, names, 1);
    return "'" + text + "' is none of " + join(names, ", ") +
           (near.empty() ? "" : "; did you mean '" + near[0] + "'?");
  };
}

OptionCheck real_number(double low, double high) {
  return [=](const std::string& text) {
    double number = 0;
    if (parse(text, number) && number >= low && number <= high) return std::string();
    return refusal(text, "number", low, high);
  };
}

}  // namespace quantize
