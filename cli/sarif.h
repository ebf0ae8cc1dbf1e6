// Findings as SARIF, which code hosts show beside a change.
#pragma once

#include <string>

#include "cli/command.h"
#include "core/quantization/forecast.h"

namespace quantize {

/// "note", "warning" or "error": the level's name in SARIF, JSON and for --fail-on.
const char* name_of(FlawLevel level);

/// One run with a rule for each flaw and a result for each finding, whose logical location is the node.
/// Source: SARIF 2.1.0 (OASIS).
Json sarif_of(const std::string& model, const Graph& graph, const Forecast& forecast);

}  // namespace quantize
