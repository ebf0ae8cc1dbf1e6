// A function of every element that operators spell in several steps, as the engine runs it.
#pragma once

#include "core/graph.h"
#include "kernels/integer.h"

namespace quantize {

/// FusedFunction (domain "quantize"): y = f(x), the function told by the attributes "function" and "alpha" as
/// those of FusedConv are. With a scale and a zero point behind x, y is what QuantizeLinear makes of it. With the
/// attribute "short" = 1, y is computed by activation_f32: where nothing becomes codes.
Node fused_function(ValueId x, Function function, float alpha);

}  // namespace quantize
