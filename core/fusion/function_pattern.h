// Which function the operators behind a value compute, however an exporter has spelled it.
#pragma once

#include <optional>
#include <vector>

#include "core/graph.h"
#include "kernels/integer.h"

namespace quantize {

/// A function and the operators that spell it.
struct FunctionPattern {
  Function function;
  float alpha = 0;            // of kLeakyRelu
  std::vector<NodeId> nodes;  // that compute it, in order; the last one writes the result
};

/// How far a spelling's values may be from the function's, times max(1, |x|). Before a rounding to codes
/// constants of a few digits do no harm; where reals follow, nothing but the rounding of f32 may.
constexpr float kSpelledForCodes = 2e-5f, kSpelledExactly = 2e-6f;

/// The function that element-wise operators compute of `value`, if nothing but them reads it or what stands
/// between them; the longest chain that is one. Told by what comes out: SiLU as Sigmoid and Mul, HardSwish as
/// Add, Clip, Mul, Div or GELU as five operators around Erf are the same to it. Cost: a hundred elements per
/// candidate. Requires: `value` is f32; of fewer than four axes, constants may give the result more.
std::optional<FunctionPattern> function_behind(const Graph& graph, const GraphIndex& index, ValueId value,
                                               float tolerance = kSpelledForCodes);

}  // namespace quantize
