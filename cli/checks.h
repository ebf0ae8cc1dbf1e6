// Checks that were asked for: --min-agreement, --min-sqnr, --max-drop.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "calibration/search/sensitivity.h"
#include "cli/command.h"
#include "cli/console.h"

namespace quantize {

/// The figures that a bound is held against; nothing for a figure that is not known.
struct BoundFigures {
  std::optional<double> agreement, sqnr_db, drop;
  std::string drop_of = "top-1";  // what the labels measure
};

/// One part of a bound held against its figure.
struct Check {
  std::string name;             // "min-agreement", "min-sqnr", "max-drop": the option's
  std::string what, unit;       // for people
  std::optional<double> value;  // nothing: not known, which passes no check
  double limit;
  bool passed;
};

/// One check for every part of the bound.
std::vector<Check> checks_of(const Bound& bound, const BoundFigures& figures);

/// True if every check passed; true without any.
bool all_passed(const std::vector<Check>& checks);

/// [{"name", "value", "limit", "passed"}]
Json checks_json(const std::vector<Check>& checks);

/// A line for each, passed or not.
std::string checks_text(const std::vector<Check>& checks, const Style& style);

/// A sentence for each check that failed: its name, its figure and its limit. For Report::failures.
std::vector<std::string> failures_of(const std::vector<Check>& checks);

}  // namespace quantize
