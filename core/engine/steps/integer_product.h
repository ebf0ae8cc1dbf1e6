// Products of u8 rows with a constant matrix of codes: the fast form of QLinearMatMul and QGemm.
#pragma once

#include "core/engine/steps/packed_conv.h"
#include "core/engine/steps/step.h"

namespace quantize {

/// A, what B and the scales are, and B's extents.
struct IntegerProduct {
  size_t a;  // input of the node
  ConvOperands constants;
  size_t real_bias = kAnyNumber;  // f32, one per column, added to real results; kAnyNumber: none
  int64_t rows, columns;
};

/// The step; nullptr where only the reference code will do: A is not u8, B has a zero point, a scale or bias
/// is computed, or a sum could leave s32.
StepFunction compile_integer_product(CompileContext& context, const IntegerProduct& product);

}  // namespace quantize
