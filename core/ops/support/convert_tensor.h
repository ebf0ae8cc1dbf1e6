// Conversion of whole tensors between element types, those without arithmetic included.
#pragma once

#include "core/tensor.h"

namespace quantize {

/// How numbers outside an 8-bit float's range are written: as the largest (saturate) or as infinity or NaN,
/// and how a number between two powers of two becomes f8e8m0.
struct NarrowRule {
  enum class Power { kUp, kDown, kNearest };
  bool saturate = true;
  Power power = Power::kUp;
};

/// y[i] = x[i] as y's type. A float outside an integer's range saturates, and NaN is 0 then; integers wrap
/// around; floats of 16 bits and fewer round half to even. 4- and 2-bit integers lie one in a byte.
///
/// Shapes: of as many elements. Types: all but strings.
/// Source: ONNX Cast-24.
void convert_tensor(const TensorView& x, const MutableTensorView& y, const NarrowRule& rule = {});

/// The same into a new tensor.
Tensor converted(const Tensor& x, DataType dtype);

}  // namespace quantize
