// The nodes and values that rules of a recipe and selectors of the command line name; --dry-run.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"
#include "core/error.h"
#include "core/quantization/node_selection.h"
#include "core/quantization/rules/apply_rules.h"

namespace quantize {

/// Everything that a request selects in one model.
struct Selected {
  std::vector<AppliedRule> rules;
  std::vector<Selector> selectors;  // of options
};

/// Looks all of it up in the prepared graph, and checks the request that comes of it. Errors: those of resolve_selectors,
/// apply_rules and check_scheme.
Selected look_up(const Graph& source, const Graph& graph, const TargetProfile& target,
                 QuantizationScheme& scheme);

/// Rules and selectors alike, as reports list them; explained with --verbose.
std::vector<Selector> all_selectors(const Selected& selected, Console& console);

/// Warns of rules and of overrides whose values the plan does not round, so that they change nothing.
void warn_of_idle_wishes(const Selected& selected, const QuantizationScheme& scheme,
                         const PlannedModel& planned, Diagnostics& diagnostics);

/// Lists all of it, with the values that could not take a rule, instead of quantizing.
Report dry_run_report(const std::string& model, const std::string& target, const Selected& selected);

}  // namespace quantize
