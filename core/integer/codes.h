// The 8-bit operands of integer operators, u8 or s8, as their reference code reads and writes them.
#pragma once

#include <vector>

#include "core/integer/quantized_operand.h"
#include "core/ops/matmul.h"
#include "core/ops/op.h"

namespace quantize {

/// Requires inputs of u8 or s8 at `codes`, each followed by its f32 scale and its zero point.
/// Errors: Error(kInvalidModel) if there are no codes; Error(kUnsupported) for other types.
void require_codes(const InferContext& context, size_t codes);

/// The type of the output whose f32 scale is input `scale`: that of the zero point behind it, or where this
/// is left out that of the codes at input `like`. Errors: Error(kUnsupported) for other types.
DataType code_type(const InferContext& context, size_t scale, size_t like);

/// Scale at input `scale` and zero point behind it, of one element each. Errors: Error(kInvalidModel) if the
/// scale is no positive finite number or there are several.
ScalarParams scalar_operand(const EvaluateContext& context, size_t scale);

/// Scales at input `scale` and zero points at input `zero_point`: one, or one for each of `channels`. Errors:
/// Error(kInvalidModel) also if there is another number of them.
OperandParams channel_operand(const EvaluateContext& context, size_t scale, size_t zero_point,
                              int64_t channels);

/// code - zero point of every element; element i has zero point [i / inner % number of zero points]. Sums of
/// their products are to be of 64 bits: those of 32 may be too small (core/integer/exact_sums.h).
std::vector<int32_t> centred_codes(const TensorView& codes, const std::vector<int32_t>& zero_point,
                                   int64_t inner);

/// The codes as numbers.
std::vector<int32_t> codes_of(const TensorView& codes);

/// Smallest and largest code of u8 or s8.
struct CodeLimits {
  int32_t low, high;
};
CodeLimits code_limits(DataType dtype);

/// Writes codes: element i becomes clamp(round_half_even(x) + zero_point), x a float already in steps of the
/// output's scale.
class CodeWriter {
 public:
  explicit CodeWriter(const MutableTensorView& y, int32_t zero_point = 0)
      : to_(static_cast<uint8_t*>(y.data)), limits_(code_limits(y.dtype)), zero_point_(zero_point) {}
  void write(int64_t i, float steps) const { write(i, steps, zero_point_); }
  void append(float steps) { append(steps, zero_point_); }
  /// The same with another zero point.
  void append(float steps, int32_t zero_point) { write(next_++, steps, zero_point); }

 private:
  void write(int64_t i, float steps, int32_t zero_point) const;

  uint8_t* to_;
  CodeLimits limits_;
  int32_t zero_point_;
  int64_t next_ = 0;
};

/// Calls visit(sum, j) for each element of a product of centred codes, in the order of the output: the exact sum, and
/// its column. a and b hold the matrices of shapes.a and shapes.b one after the other.
template <typename Visit>
void for_each_product(const MatMulOperands& shapes, const std::vector<int32_t>& a,
                      const std::vector<int32_t>& b, const Visit& visit) {
  const int64_t m = shapes.a[shapes.a.size() - 2], k = shapes.a.back(), n = shapes.b.back();
  for (int64_t batch = 0; batch < element_count(shapes.batch); ++batch) {
    const int32_t* left = a.data() + matrix_index(shapes.batch, shapes.a, batch) * m * k;
    const int32_t* right = b.data() + matrix_index(shapes.batch, shapes.b, batch) * k * n;
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        int64_t sum = 0;
        for (int64_t l = 0; l < k; ++l) sum += int64_t{left[i * k + l]} * right[l * n + j];
        visit(sum, j);
      }
  }
}

}  // namespace quantize
