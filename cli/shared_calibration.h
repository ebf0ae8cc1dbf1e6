// One calibration by several processes: each takes parts of the samples, and the sum is that of one process.
#pragma once

#include <optional>
#include <string>

#include "cli/samples.h"
#include "cli/team.h"

namespace quantize {

/// How the samples are shared.
struct Sharing {
  Team* team = nullptr;  // nullptr: this process has all samples
  size_t shards = 0;     // parts of the samples; 0: one for each member
  std::string folder;    // keeps the statistics of every part; "": none does
};

/// The statistics in a file, if they are of this model, preprocessing and range of the samples: nothing is left
/// to do for these. Nothing if there is no such file or it is of anything else; `reason` says why.
/// Errors: Error(kIo) for a file that is there and cannot be read.
std::optional<StatisticsTable> finished_part(const std::string& file, const std::string& model,
                                             const SampleSource& source, const SampleRange& range,
                                             std::string& reason);

/// The statistics of all samples, as `calibrate` of them has; for the leader, nothing for the other members. Parts whose
/// statistics are in the folder are not run again. All that is warned of, is at the leader; oddities of the samples
/// (SampleCensus) only if no part was finished before. `samples.source` of the leader knows all images that cannot be used.
/// Errors: those of calibrate; Error(kCalibration) if members see another model or other samples.
StatisticsTable calibrate_shared(const Graph& model, Samples& samples, const EngineOptions& engine,
                                 const Sharing& sharing, Console& console, FloatOutputs* outputs);

}  // namespace quantize
