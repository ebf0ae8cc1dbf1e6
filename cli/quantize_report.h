// What the default command tells: its summary, its JSON, and the plan as JSON.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "calibration/choose_plan.h"
#include "calibration/preprocess_choice.h"
#include "cli/checks.h"
#include "cli/command.h"

namespace quantize {

struct QuantizeFacts {
  std::string model, output, format;
  std::optional<PreprocessChoice> preprocessing;  // nothing: tensors
  uint64_t samples, skipped_images, bytes_before, bytes_after;
  std::string statistics;  // the file; empty: none
  bool statistics_read;    // or written
  const Graph& graph;      // that the plan was made for
  const ChosenPlan& chosen;
  std::optional<double> time_ratio;  // of the written model to the float model, if measured
};
Report quantize_report(const QuantizeFacts& facts, const Console& console);

/// What to say when no model was written, because no int8 model keeps the bound.
Report unmet_report(const std::string& model, const Bound& bound, const ChosenPlan& chosen,
                    const Console& console);

/// What a bound is held against; nothing for a network that was not judged.
BoundFigures figures_of(const std::optional<Quality>& quality);

/// How a network did on held-back samples, in the JSON of a report; null if it was not judged.
Json quality_json(const std::optional<Quality>& quality);

/// Every value's type, scale, zero point, range and reason; every node's placement and reason.
Json plan_json(const Graph& graph, const QuantizationPlan& plan);

/// What a search has chosen, or what was asked for by name.
Json recipe_json(const Recipe& recipe);

/// What the user asked for, as it goes into the model's metadata; `more` are options beside the scheme.
Json options_json(const QuantizationScheme& scheme, const std::map<std::string, std::string>& more);

}  // namespace quantize
