// Statistics of several files as one.
#pragma once

#include <string>
#include <vector>

#include "calibration/statistics/statistics_table.h"
#include "core/error.h"

namespace quantize {

/// Adds the statistics in several files, exactly. Warns of shards that are missing, and of samples under
/// different names with the same content.
///
/// Errors: those of load_statistics; Error(kCalibration) if the files are not all of one model and
/// preprocessing, naming one that differs from most, or if a file brings samples again that another has,
/// naming both.
StatisticsTable merge_statistics(const std::vector<std::string>& files, Diagnostics& diagnostics);

}  // namespace quantize
