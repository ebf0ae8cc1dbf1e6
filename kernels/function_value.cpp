// The reference of the functions in front of a rounding.
#include "kernels/kernel_table.h"
#include "kernels/scalar/vector.h"
#include "kernels/simd/function.h"

namespace quantize {

float function_value(Function function, float alpha, float x) noexcept {
  return simd::with_function(function,
                             [&]<Function kFunction>() { return simd::apply<F32x1, kFunction>(x, alpha); });
}

}  // namespace quantize
