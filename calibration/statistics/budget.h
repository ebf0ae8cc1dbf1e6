// The cost that optional work may have: known before it begins, so that no step takes more than it is worth.
#pragma once

#include <cstdint>

#include "core/graph.h"

namespace quantize {

/// The most that one optional step may take. Costs are counted, not measured, so that the same input gives
/// the same result on every machine.
struct Budget {
  static constexpr uint64_t kMostBytes = uint64_t{1} << 30;
  /// About a second of one core: too little to leave anything out for.
  static constexpr uint64_t kLeastMacs = 20'000'000'000;

  uint64_t bytes = kMostBytes;
  uint64_t macs = kLeastMacs;  // multiply-accumulates; at least as many as the rest of the command does
};

/// Bytes that quantizing a prepared graph takes with all optional work left out:
///
///   3.5 times the constants     as they are in each of two graphs, packed by the engine, and as codes
///   threads times activations   of one sample, all of which calibration keeps
///
/// An unknown extent counts as 1. Requires: shapes were inferred.
uint64_t needed_bytes(const Graph& graph, int threads);

/// Multiply-accumulates of one inference; an unknown extent counts as 1. Requires: shapes were inferred.
uint64_t macs_of(const Graph& graph);

}  // namespace quantize
