// The inputs of a layer as rows of a matrix: each row is multiplied with the weights for one output position.
#pragma once

#include "calibration/search/fit_rounding.h"
#include "core/graph.h"

namespace quantize {

/// How many rows to take of each of `samples` samples, at least one. All of them are kRowsPerInput for each weight of
/// an output channel, from kFewestRows to kMostRows: more would not change what is known of so few inputs. Their
/// elements stay below kMostRowElements.
size_t rows_per_sample(const WeightLayout& layout, size_t samples);

/// A layer whose input is cut into rows.
struct RowSource {
  const Graph& graph;
  const Node& layer;
  WeightLayout layout;
  const QuantParams& params;  // of its input
};

/// Writes evenly spread rows of what `layer` reads of one sample: the windows of output positions for a Conv,
/// zeros for padding; rows of the matrix for Gemm and MatMul. They become rows [first, first + count) of
/// `rows`, whose x has its full size.
///
/// Shapes:  x [N, C, spatial...] or [..., K]. Types: codes of u8 or s8, as `params` says.
/// Requires: has_rows(layout).
void take_rows(const RowSource& layer, const Tensor& x, size_t first, size_t count, LayerRows& rows);

/// True for the layers that take_rows knows: Conv, Gemm whose input is not transposed, MatMul.
bool has_rows(const WeightLayout& layout);

constexpr size_t kRowsPerInput = 64, kFewestRows = 1024, kMostRows = 2048;
constexpr size_t kMostRowElements = size_t{1} << 24;

}  // namespace quantize
