// Everything one calibration run learned: what the statistics file holds.
#pragma once

#include <map>
#include <string>

#include "calibration/images/held_samples.h"
#include "calibration/statistics/tap_statistics.h"
#include "calibration/statistics/tensor_statistics.h"
#include "core/graph.h"

namespace quantize {

/// Statistics of all observed values of one model, and of which samples and preprocessing they are. Every
/// method can be decided from them.
struct StatisticsTable {
  std::string model;          // fingerprint() of the prepared graph
  std::string preprocessing;  // what was done to the images, as text; empty for tensors taken as they are
  std::string preprocessing_origin;  // where that was known from (origin_json); empty as above
  uint64_t samples = 0;
  HeldSamples held;  // which samples these are
  std::map<std::string, TensorStatistics> values;
  std::map<std::string, TapStatistics> taps;  // by the name of the Conv's output value

  /// Adds the statistics of other samples, exactly: shards added in any order equal one run, bit for bit.
  /// Errors: those of check_origin, with the other's origin as what is expected.
  void add(const StatisticsTable& other);

  friend bool operator==(const StatisticsTable&, const StatisticsTable&) = default;
};

/// A hash of what the graph computes and how its values are called: 16 hexadecimal digits. Metadata and
/// documentation do not count.
std::string fingerprint(const Graph& graph);

/// StatisticsTable::preprocessing in a sentence.
std::string name_of_preprocessing(const std::string& preprocessing);

/// Doubts about the constants of the model (core/fusion/constant_doubts.h); about masks and open bounds that
/// hold infinity only if some value was not finite in calibration.
std::vector<std::string> doubts_about_constants(const Graph& model, const StatisticsTable& table);

/// Makes sure that statistics belong to this model and preprocessing.
/// Errors: Error(kCalibration) saying which of them differs.
void check_origin(const StatisticsTable& table, const std::string& model, const std::string& preprocessing);

}  // namespace quantize
