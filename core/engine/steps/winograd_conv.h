// Convolutions of 3 x 3 taps and stride 1 by Winograd's way: see kernels/winograd.h.
#pragma once

#include <memory>

#include "core/engine/steps/step.h"
#include "core/ops/support/window.h"

namespace quantize {

/// The input of a step that adds an image: see CompileContext::adds.
constexpr size_t kConvAddend = 3;

/// A convolution of floats, of `group` groups with so many channels each.
struct FloatConvShape {
  explicit FloatConvShape(const CompileContext& context);

  Window window;
  int64_t images, group;
  int64_t channels, outputs;  // of one group
  int64_t in_size, out_size;
  float low, high;
  bool adds;  // an image, input kConvAddend, before the clamp
};

/// The side of the tiles, 2 or 4, that a convolution is computed by; 0: directly. The faster way by an estimate that
/// knows of shapes alone, so that all levels decide alike.
int winograd_tile(const FloatConvShape& shape);

/// The step. Requires: constant weights and winograd_tile(shape) == tile > 0.
StepFunction compile_winograd(const FloatConvShape& shape, int tile, CompileContext& context);

}  // namespace quantize
