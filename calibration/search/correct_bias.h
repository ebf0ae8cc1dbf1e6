// The second step of bias correction: the means that the quantized network has, measured layer by layer.
#pragma once

#include "calibration/search/fit_rounding.h"
#include "calibration/statistics/calibrate.h"
#include "core/quantization/plan.h"
#include "core/quantization/scheme.h"

namespace quantize {

/// Replaces the closed-form corrections in the plan by measured ones. The quantized network is run on samples
/// up to each layer in turn; the layer's bias is set so that the mean of its output becomes that of the float
/// network (bias_shift with the means of both networks' inputs); then the run goes on with that bias, since
/// a shift upstream changes the inputs of layers downstream (LayerWalk). Both networks see the same samples, so that
/// their choice cancels out. The result does not depend on the number of threads.
/// `options.progress` is told of every sample of the float run, then of every layer.
///
/// With WeightRounding::kFitted, weights without planned codes are first rounded anew for the input that
/// their layer has there (fit_rounding), except those that are too_costly_to_fit. With
/// BiasCorrection::kClosedForm their biases then correct the shift of the mean that the new codes cause, and
/// nothing else.
///
/// Errors: those of the loader and of Engine::run.
void correct_bias(PlannedModel& planned, size_t count, const SampleLoader& load, BiasCorrection correction,
                  WeightRounding rounding, const CalibrateOptions& options);

/// A layer whose weights are not rounded anew, as that would cost too much.
struct TooCostly {
  NodeId node = kNoNode;
  FitCost cost;
};

/// The layers that WeightRounding::kFitted leaves out: those that would exceed the budget's bytes, and of the
/// others the most costly ones, so that all the rest together stay within its multiplications.
std::vector<TooCostly> too_costly_to_fit(const PlannedModel& planned, const Budget& budget);

}  // namespace quantize
