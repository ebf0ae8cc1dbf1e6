// Bits of each layer's weights, so that a file takes no more than so many bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "calibration/search/choose_plan.h"
#include "core/quantization/pack_weights.h"

namespace quantize {

/// The file that is wanted.
struct SizeGoal {
  uint64_t bytes = 0;
  CodeForm form = CodeForm::kWholeBytes;  // of weights that are computed on as codes
  /// The bytes of the file that a plan makes.
  std::function<uint64_t(const PlannedModel&)> bytes_of;
};

/// The scheme with the bits of weights as overrides, so that the file of its plan takes at most `goal.bytes`.
///
/// A candidate is a constant that the plan stores as codes, by any mode, and whose bits no override says. It may have
/// as many bits as the scheme asks for, or any fewer that the target reads, packed where it has no type for them. Its
/// error is what rounding adds to the layer's result, as a share of that: of each input channel by its energy
/// where ranges of it are known, else of all alike. The choice is that of choose_bits, measured by the real file and
/// tightened until it fits. Deterministic.
///
/// Errors: Error(kInvalidArgument) without a candidate; Error(kUnsupported), with the least size that can be had, if
/// no choice is small enough; those of choose_plan.
QuantizationScheme fit_size(const Graph& graph, const StatisticsTable& statistics, const PlanRequest& request,
                            const SizeGoal& goal, int threads);

/// The bits of all constants that a plan stores as codes, and how many have them.
std::map<int64_t, size_t> bits_in(const PlannedModel& planned);

}  // namespace quantize
