// Shapes: extents of a tensor, some of which may be unknown before the program runs.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace quantize {

/// Extents, outermost first. A static shape has none of kUnknownDim; a scalar is {}.
using Shape = std::vector<int64_t>;

/// A borrowed Shape: every function that only reads extents takes this.
using Dims = std::span<const int64_t>;

constexpr int64_t kUnknownDim = -1;

/// True if no extent is unknown.
bool is_static(Dims shape);

/// Number of elements of a static shape; 1 for a scalar.
/// Errors: Error(kInvalidModel) if the product overflows int64 or an extent is negative.
int64_t element_count(Dims shape);

/// Requires extents that a tensor can have: none below kUnknownDim. Those other than 0 and kUnknownDim multiply to at
/// most 2^48; where one is 0, so that no memory bounds the others, to at most 2^31. Errors: Error(kInvalidModel).
void check_extents(Dims shape);

/// "1x3x224x224", "?" for an unknown extent, "scalar" for {}.
std::string to_string(Dims shape);

/// The shape of an elementwise operator over a and b (numpy broadcasting); unknown extents stay unknown
/// unless the other side decides them. Errors: Error(kInvalidModel) if they do not broadcast. Source: ONNX
/// Broadcasting.
Shape broadcast(Dims a, Dims b);

/// A negative axis counted from the end. Errors: Error(kInvalidModel) if outside [-rank, rank).
int64_t normalize_axis(int64_t axis, size_t rank);

}  // namespace quantize
