// The operators that compute an output of a network. They tell scores of classes from features or pixels.
#pragma once

#include <optional>
#include <string>

#include "core/graph.h"

namespace quantize {

/// The operator that gives an output its meaning.
enum class Ending {
  kProbabilities,  // Softmax, LogSoftmax
  kScores,         // Sigmoid, HardSigmoid
  kLinear,         // Conv, ConvTranspose, Gemm, MatMul
  kNormalized,  // a norm: LpNormalization, LayerNormalization, division by ReduceL2, BatchNormalization of a
                // vector
  kIndices,     // ArgMax
  kSelection,   // NonMaxSuppression
  kJoined,      // Concat
  kOther,
};

/// The operator that gives an output its meaning.
struct OutputEnding {
  Ending ending = Ending::kOther;
  std::string op_type;  // "" for an output that no node computes
  std::optional<int64_t>
      axis;  // of Softmax: the axis of the output, from 0; nothing if a Reshape stands behind it
};

/// Follows an output back through operators that move, convert, average or shift elements (and Relu or Clip
/// in front of a mean) to the one that gives it its meaning. Works on graphs as files have them, quantized or
/// not. `rank`: of the output, as a run gives it.
OutputEnding ending_of(const Graph& graph, ValueId output, size_t rank);

/// True for ONNX's Softmax, whose output are probabilities.
bool is_softmax(const Node& node);

}  // namespace quantize
