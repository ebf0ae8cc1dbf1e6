// Checks of what options are given: the one place that says which numbers and names an option may have.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace quantize {

/// Checks the text of an option before it is converted. The result is what is wrong with it, or nothing.
using OptionCheck = std::function<std::string(const std::string& text)>;

/// A whole number from `low` to `high`, in decimal digits.
OptionCheck whole_number(int64_t low, int64_t high);

/// One of these names, as they are spelt.
OptionCheck one_of(std::vector<std::string> names);

/// A finite number from `low` to `high`: no NaN, no infinity, nothing that overflows.
OptionCheck real_number(double low, double high);

}  // namespace quantize
