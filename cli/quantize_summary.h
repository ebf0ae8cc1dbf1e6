// The summary of the default command: six lines, and the tables behind --explain.
#pragma once

#include <string>

#include "cli/console.h"
#include "cli/quantize_report.h"

namespace quantize {

/// A line each: wrote, accuracy, in int8, images, recipe, next; where there is something to say, also speed,
/// put back, selected and the checks that were asked for. At most 100 columns; facts.explain adds the tables
/// of what was tried and of the operators.
std::string summary_text(const QuantizeFacts& facts, const PlanSummary& summary, const Console& console);

}  // namespace quantize
