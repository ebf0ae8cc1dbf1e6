// The parts of LSTM, GRU and RNN that their reference and the engine share.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/ops/op.h"

namespace quantize {

/// Inputs by position. DynamicQuantizeLSTM, whose weights are codes [directions, inputs or hidden, rows], has those
/// behind kPeepholes.
enum RecurrentInput : size_t {
  kX,
  kWeights,
  kRecurrence,
  kBias,
  kLengths,
  kInitialH,
  kInitialC,
  kPeepholes,
  kWeightScale,
  kWeightZero,
  kRecurrenceScale,
  kRecurrenceZero
};

/// An operator that carries a state along a sequence.
struct RecurrentCell {
  const char* op_type;
  int64_t gates;
  std::vector<std::string> functions;  // the default ones of one direction
};

extern const RecurrentCell kLstm, kGru, kRnn;

/// An activation function of a cell.
struct RecurrentFunction {
  enum class Kind { kSigmoid, kTanh, kOther } kind;
  std::function<float(float)> value;
};

/// The functions of all directions, RecurrentCell::functions of each. Names that take a number take the next of
/// activation_alpha and activation_beta, each in its turn. Errors: Error(kInvalidModel) for unknown names and a wrong
/// number of them.
std::vector<RecurrentFunction> recurrent_functions(const Node& node, const RecurrentCell& cell);

/// The extents of a node, and where the elements of its operands stand.
struct RecurrentExtents {
  int64_t steps, batch, inputs, hidden, directions;
  bool batch_first;  // attribute layout: x [batch, steps, inputs]

  Shape y() const {
    return batch_first ? Shape{batch, steps, directions, hidden} : Shape{steps, directions, batch, hidden};
  }
  Shape state() const {
    return batch_first ? Shape{batch, directions, hidden} : Shape{directions, batch, hidden};
  }
  int64_t state_place(int64_t direction, int64_t b) const {
    return (batch_first ? b * directions + direction : direction * batch + b) * hidden;
  }
  int64_t y_place(int64_t step, int64_t direction, int64_t b) const {
    return (batch_first ? (b * steps + step) * directions + direction
                        : (step * directions + direction) * batch + b) *
           hidden;
  }
  int64_t x_place(int64_t step, int64_t b) const {
    return (batch_first ? b * steps + step : step * batch + b) * inputs;
  }
  /// True if a direction runs from the end of each sequence.
  static bool is_reverse(const Node& node, int64_t direction) {
    return direction == 1 || node.string_attribute("direction", "forward") == "reverse";
  }
};

/// `x` is the shape of the input, `recurrence` that of the weights of the state, [directions, rows, hidden].
/// Errors: Error(kInvalidModel) for another rank or direction.
RecurrentExtents recurrent_extents(const Node& node, Dims x, Dims recurrence);

/// The number of steps of sample b, of the lengths where they are given. Errors: Error(kInvalidModel) outside of the
/// sequence.
int64_t recurrent_length(const RecurrentExtents& e, const TensorView& lengths, int64_t b);

/// The weights of DynamicQuantizeLSTM in reals, as LSTM has them: [directions, rows, inputs or hidden].
/// zeros may be left out.
Tensor recurrent_reals(const TensorView& codes, const TensorView& scales, const TensorView& zeros);

}  // namespace quantize
