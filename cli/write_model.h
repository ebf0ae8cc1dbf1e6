// From a plan to the file: the model that the default command writes.
#pragma once

#include <cstdint>
#include <optional>

#include "calibration/search/auto_preprocess.h"
#include "calibration/search/choose_plan.h"
#include "cli/quantize_flags.h"
#include "core/graph.h"
#include "core/passes/cut_unknown.h"

namespace quantize {

/// The circumstances of a plan that its file tells, and what it is a part of.
struct WrittenFor {
  const QuantizationScheme& scheme;
  const StatisticsTable& statistics;
  const std::optional<PreprocessChoice>& preprocessing;
  const CutModel* cut;  // what stands behind operators that are not known; nullptr: nothing
};

/// The plan carried out: the model as it is written.
Graph model_of(const QuantizeFlags& flags, const PlannedModel& planned, const Recipe& recipe,
               const WrittenFor& about);

/// Warns of what the options ask for and the file cannot have.
void warn_of_file(const QuantizeFlags& flags, const PlannedModel& planned, const QuantizationScheme& scheme,
                  Diagnostics& diagnostics);

/// Writes it, and its plan where that is wanted. Returns the bytes of the model. Errors: those of save_model.
uint64_t write(const QuantizeFlags& flags, const ChosenPlan& chosen, const WrittenFor& about);

}  // namespace quantize
