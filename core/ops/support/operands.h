// Reading what steers an operator: axes, shapes, pads, which were attributes in older opsets and are inputs
// in newer ones.
#pragma once

#include <optional>
#include <vector>

#include "core/ops/op.h"

namespace quantize {

/// Throws Error(kInvalidModel) with the message.
[[noreturn]] void invalid_model(const std::string& message);

/// An integer operand as shape inference sees it: left out, given but not known yet, or known.
struct IntegerOperand {
  bool given = false;
  std::optional<std::vector<int64_t>> values;
};

/// Attribute `name` if the node has it, else input `i`.
IntegerOperand integer_operand(const InferContext& context, const char* name, size_t i);

/// The same when everything is known; nothing if it is left out. Errors: Error(kInvalidModel) if the input is
/// neither s32 nor s64.
std::optional<std::vector<int64_t>> integer_operand(const EvaluateContext& context, const char* name,
                                                    size_t i);

/// The only element of integer input i, which is to be a scalar or to have one element; nothing where it is left out or
/// not known yet. Errors: Error(kInvalidModel) for another number of elements.
std::optional<int64_t> only_integer(const InferContext& context, size_t i);

/// The only element of an s32 or s64 tensor. Errors: as before, and those of to_integers.
int64_t only_integer(const TensorView& tensor);

/// Input i as the extents of a shape: kUnknownDim for those that are not known yet; nothing if not even the
/// rank is. `lowest` is the smallest number that may stand there (-1 only together with `unknown`, which
/// tells it from an unknown extent). Errors: Error(kInvalidModel) for smaller numbers.
struct RequestedShape {
  Shape extents;
  std::vector<bool> unknown;
};
std::optional<RequestedShape> requested_shape(const InferContext& context, size_t i, int64_t lowest);

/// The elements of an s32 or s64 tensor. Errors: Error(kInvalidModel) for other types.
std::vector<int64_t> to_integers(const TensorView& tensor);

/// The axes, counted from 0. Errors: Error(kInvalidModel) if one is outside the rank or given twice.
std::vector<int64_t> normalize_axes(const std::vector<int64_t>& axes, size_t rank);

/// Checks, as far as known, that input i is a vector of `extent` elements. Errors: Error(kInvalidModel).
void require_vector(const InferContext& context, size_t i, int64_t extent);

/// a + b. Errors: Error(kInvalidModel) on overflow.
int64_t checked_add(int64_t a, int64_t b);

/// A shape inference for operators whose output has the type and shape of input 0.
void infer_same_as_input(InferContext& context);

/// Product of the extents [first, last). Requires: static, known to be countable.
int64_t extent_product(Dims shape, size_t first, size_t last);

}  // namespace quantize
