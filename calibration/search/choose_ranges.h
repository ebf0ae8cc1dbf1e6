// Ranges of activations decided value by value, by what they do to the nodes that read them.
#pragma once

#include <vector>

#include "calibration/statistics/calibrate.h"
#include "core/quantization/plan.h"
#include "core/quantization/scheme.h"
#include "core/range_table.h"

namespace quantize {

/// Candidates are measured in rounds, each on more samples than the one before, and only those that are left.
/// One sample tells which are hopeless: those that leave a quarter more than a candidate may leave in the end.
struct RangeRound {
  size_t samples;
  double slack;  // times the error that a candidate may leave
};
constexpr RangeRound kRangeRounds[] = {{1, 1.25}, {4, 1}, {16, 1}, {64, 1}};
/// The most that each round may multiply and keep, if more than one sample is looked at.
constexpr uint64_t kRangeMacs = 16'000'000'000, kRangeBytes = 256 << 20;

/// The first table, with the range of another where that harms the readers of a value less. Compared are the
/// ranges of all tables and, where both ends differ, each end of them beside the other end of the first. A
/// range's error: rounding the value to it changes the results of each reader; the energy of that change, as
/// a share of the results' energy, is summed over the readers. A Relu, Clip or function behind a reader or
/// the value counts as part of the reader, so that errors that it cuts off or flattens cost nothing. All
/// candidates are recorded (ValueRange::candidates) for the values that the plan holds by a scale of their
/// own, without an override.
///
/// The plan was made of the first table. Samples of the `count` there are, as many as kRangeRounds says, are run in the float network.
/// The result does not depend on the number of threads. Errors: those of the loader and of Engine::run.
RangeTable choose_ranges(const PlannedModel& planned, const std::vector<RangeTable>& tables,
                         const QuantizationScheme& scheme, size_t count, const SampleLoader& load,
                         const CalibrateOptions& options);

}  // namespace quantize
