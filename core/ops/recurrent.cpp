// LSTM, GRU and RNN: cells that carry a state along a sequence, in one or both directions. Read run_direction()
// first, then one of the cells. DynamicQuantizeLSTM of ONNX Runtime: an LSTM whose weights are codes, and whose
// operands are rounded to codes by their own range.
#include "core/ops/recurrent.h"

#include <algorithm>
#include <cmath>

#include "core/ops/support/dynamic_range.h"
#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/require.h"

namespace quantize {

const RecurrentCell kLstm{"LSTM", 4, {"Sigmoid", "Tanh", "Tanh"}};
const RecurrentCell kGru{"GRU", 3, {"Sigmoid", "Tanh"}};
const RecurrentCell kRnn{"RNN", 1, {"Tanh"}};

namespace {

using Kind = RecurrentFunction::Kind;

/// The activation function of this name; alpha and beta where it has some.
RecurrentFunction function_of(const std::string& name, std::optional<float> given_alpha,
                              std::optional<float> given_beta) {
  const auto lower = [](std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return text;
  };
  const std::string key = lower(name);
  const auto alpha = [&](float fallback) { return given_alpha.value_or(fallback); };
  const auto beta = [&](float fallback) { return given_beta.value_or(fallback); };
  const auto other = [](std::function<float(float)> value) {
    return RecurrentFunction{Kind::kOther, std::move(value)};
  };
  if (key == "sigmoid") return {Kind::kSigmoid, [](float x) { return 1 / (1 + std::exp(-x)); }};
  if (key == "tanh") return {Kind::kTanh, [](float x) { return std::tanh(x); }};
  if (key == "relu") return other([](float x) { return std::max(x, 0.0f); });
  if (key == "affine") return other([a = alpha(1), b = beta(0)](float x) { return a * x + b; });
  if (key == "leakyrelu") return other([a = alpha(0.01f)](float x) { return x < 0 ? a * x : x; });
  if (key == "thresholdedrelu") return other([a = alpha(1)](float x) { return x > a ? x : 0.0f; });
  if (key == "scaledtanh")
    return other([a = alpha(1), b = beta(1)](float x) { return a * std::tanh(b * x); });
  if (key == "hardsigmoid")
    return other([a = alpha(0.2f), b = beta(0.5f)](float x) { return std::clamp(a * x + b, 0.0f, 1.0f); });
  if (key == "elu") return other([a = alpha(1)](float x) { return x < 0 ? a * std::expm1(x) : x; });
  if (key == "softsign") return other([](float x) { return x / (1 + std::abs(x)); });
  if (key == "softplus")
    return other([](float x) { return std::max(x, 0.0f) + std::log1p(std::exp(-std::abs(x))); });
  invalid_model("'" + name + "' is no activation function of a recurrent operator");
}

int64_t direction_count(const Node& node) {
  const std::string direction = node.string_attribute("direction", "forward");
  if (direction == "bidirectional") return 2;
  require(direction == "forward" || direction == "reverse", "attribute 'direction' is '" + direction + "'");
  return 1;
}

std::vector<std::string> strings_attribute(const Node& node, const char* name) {
  const auto found = node.attributes.find(name);
  if (found == node.attributes.end()) return {};
  const auto* list = std::get_if<std::vector<std::string>>(&found->second);
  require(list != nullptr, "attribute '" + std::string(name) + "' is no list of strings");
  return *list;
}

}  // namespace

std::vector<RecurrentFunction> recurrent_functions(const Node& node, const RecurrentCell& cell) {
  std::vector<std::string> names = strings_attribute(node, "activations");
  const auto directions = static_cast<size_t>(direction_count(node));
  if (names.empty())
    for (size_t d = 0; d < directions; ++d)
      names.insert(names.end(), cell.functions.begin(), cell.functions.end());
  require(names.size() == directions * cell.functions.size(),
          std::to_string(names.size()) + " activation functions are given where " +
              std::to_string(directions * cell.functions.size()) + " are needed");
  const auto alphas = node.floats_attribute("activation_alpha", {}),
             betas = node.floats_attribute("activation_beta", {});
  const auto at = [](const std::vector<float>& list, size_t i) {
    return i < list.size() ? std::optional(list[i]) : std::nullopt;
  };
  std::vector<RecurrentFunction> functions;
  for (size_t i = 0; i < names.size(); ++i)
    functions.push_back(function_of(names[i], at(alphas, i), at(betas, i)));
  return functions;
}

RecurrentExtents recurrent_extents(const Node& node, Dims x, Dims recurrence) {
  require(x.size() == 3, "the input has shape " + to_string(x) + " where three axes belong");
  require(recurrence.size() == 3, "the weights of the state have shape " + to_string(recurrence));
  const bool batch_first = node.int_attribute("layout", 0) != 0;
  return {x[batch_first ? 1 : 0], x[batch_first ? 0 : 1], x[2],
          recurrence[2],          direction_count(node),  batch_first};
}

int64_t recurrent_length(const RecurrentExtents& e, const TensorView& lengths, int64_t b) {
  if (!lengths) return e.steps;
  const int32_t length = lengths.as<int32_t>()[b];
  if (length < 0 || length > e.steps) invalid_model("a sequence has length " + std::to_string(length));
  return length;
}

Tensor recurrent_reals(const TensorView& codes, const TensorView& scales, const TensorView& zeros) {
  const int64_t directions = codes.shape[0], columns = codes.shape[1], rows = codes.shape[2];
  const int64_t per_direction = scales.size() / directions;
  Tensor reals(DataType::kF32, {directions, rows, columns});
  const auto code_at = [](const TensorView& tensor, int64_t place) {
    return tensor.dtype == DataType::kU8 ? int32_t{tensor.as<uint8_t>()[place]}
                                         : int32_t{tensor.as<int8_t>()[place]};
  };
  for (int64_t d = 0; d < directions; ++d)
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t place = d * per_direction + (per_direction == 1 ? 0 : row);
      const int32_t zero = zeros ? code_at(zeros, zeros.size() == scales.size() ? place : 0) : 0;
      for (int64_t column = 0; column < columns; ++column)
        reals.mutable_data<float>()[(d * rows + row) * columns + column] =
            static_cast<float>(code_at(codes, (d * columns + column) * rows + row) - zero) *
            scales.as<float>()[place];
    }
  return reals;
}

namespace {

void require_shape(const InferContext& context, size_t i, const Shape& expected) {
  const auto shape = context.shape(i);
  require(!shape || !is_static(*shape) || !is_static(expected) || *shape == expected,
          "input " + std::to_string(i) + " has shape " + (shape ? to_string(*shape) : "") + " where " +
              to_string(expected) + " belongs");
}

int64_t times(int64_t factor, int64_t extent) {
  return extent == kUnknownDim ? kUnknownDim : element_count(Shape{factor, extent});
}

/// Checks all inputs but x and the weights, whose gates have so many rows together, and sets the results.
void infer_states(InferContext& context, const RecurrentExtents& e, int64_t rows) {
  require_shape(context, kBias, {e.directions, times(2, rows)});
  require_shape(context, kLengths, {e.batch});
  require_shape(context, kInitialH, e.state());
  require_shape(context, kInitialC, e.state());
  require_shape(context, kPeepholes, {e.directions, times(3, e.hidden)});
  context.set_output(0, DataType::kF32, e.y());
  for (size_t i = 1; i < 3; ++i) context.set_output(i, DataType::kF32, e.state());
}

template <const RecurrentCell& kCell>
void infer(InferContext& context) {
  for (size_t i = 0; i < context.input_count(); ++i)
    if (i != kLengths) require_type(context, i, kF32Only);
  constexpr std::array kLengthTypes{DataType::kS32};
  require_type(context, kLengths, kLengthTypes);
  recurrent_functions(context.node, kCell);
  for (size_t i = 0; i < 3; ++i) context.set_output(i, DataType::kF32, std::nullopt);
  const auto x = context.shape(kX), recurrence = context.shape(kRecurrence);
  if (!x || !recurrence) return;
  const RecurrentExtents e = recurrent_extents(context.node, *x, *recurrence);
  require(e.hidden == kUnknownDim || context.node.int_attribute("hidden_size", e.hidden) == e.hidden,
          "attribute 'hidden_size' is not that of the weights");
  const int64_t rows = times(kCell.gates, e.hidden);
  require_shape(context, kWeights, {e.directions, rows, e.inputs});
  require_shape(context, kRecurrence, {e.directions, rows, e.hidden});
  infer_states(context, e, rows);
}

/// The operands of a cell for one step of one sample in one direction.
struct Step {
  std::vector<float> from_input, from_state;  // one per gate and hidden element, with their biases
  std::vector<float>*h, *c;
};

class Recurrent {
 public:
  /// rounds_state: every state is multiplied as the codes of its own range.
  Recurrent(const EvaluateContext& context, const RecurrentCell& cell, bool rounds_state = false)
      : context_(context),
        cell_(cell),
        rounds_state_(rounds_state),
        e_(recurrent_extents(context.node, context.inputs[kX].shape, context.inputs[kRecurrence].shape)),
        functions_(recurrent_functions(context.node, cell)),
        clip_(context.node.float_attribute("clip", 0)),
        reset_after_(context.node.int_attribute("linear_before_reset", 0) != 0),
        couples_(context.node.int_attribute("input_forget", 0) != 0) {}

  void run() {
    for (const MutableTensorView& y : context_.outputs)
      if (y) std::fill_n(y.as<float>(), y.size(), 0.0f);
    for (int64_t d = 0; d < e_.directions; ++d) {
      input_columns_ = by_column(kWeights, e_.inputs, d);
      state_columns_ = by_column(kRecurrence, e_.hidden, d);
      for (int64_t b = 0; b < e_.batch; ++b) run_direction(d, b);
    }
  }

 private:
  void run_direction(int64_t d, int64_t b) {
    const bool reverse = RecurrentExtents::is_reverse(context_.node, d);
    std::vector<float> h = initial(kInitialH, d, b), c = initial(kInitialC, d, b);
    const int64_t length = recurrent_length(e_, context_.input(kLengths), b);
    for (int64_t s = 0; s < length; ++s) {
      const int64_t step = reverse ? length - 1 - s : s;
      const float* x = context_.inputs[kX].as<float>() + e_.x_place(step, b);
      const std::vector<float> seen = rounds_state_ ? rounded(h) : h;
      Step now{products(kWeights, x, d), products(kRecurrence, seen.data(), d), &h, &c};
      if (cell_.gates == 4)
        lstm(now, d);
      else if (cell_.gates == 3)
        gru(now, d);
      else
        rnn(now, d);
      std::copy(h.begin(), h.end(), context_.outputs[0].as<float>() + e_.y_place(step, d, b));
    }
    write_state(1, h, d, b);
    write_state(2, c, d, b);
  }

  static std::vector<float> rounded(std::vector<float> x) {
    const DynamicCodes codes(x.data(), static_cast<int64_t>(x.size()));
    std::transform(x.begin(), x.end(), x.begin(), [&](float value) { return codes.rounded(value); });
    return x;
  }

  std::vector<float> initial(size_t input, int64_t d, int64_t b) const {
    if (!context_.input(input)) return std::vector<float>(static_cast<size_t>(e_.hidden), 0.0f);
    const float* from = context_.inputs[input].as<float>() + e_.state_place(d, b);
    return {from, from + e_.hidden};
  }

  void write_state(size_t output, const std::vector<float>& state, int64_t d, int64_t b) const {
    if (output < context_.outputs.size() && context_.outputs[output])
      std::copy(state.begin(), state.end(), context_.outputs[output].as<float>() + e_.state_place(d, b));
  }

  /// The weights of a direction by column: a product is a sum of columns, many rows side by side.
  std::vector<float> by_column(size_t weights, int64_t size, int64_t d) const {
    const int64_t rows = cell_.gates * e_.hidden;
    const float* w = context_.inputs[weights].as<float>() + d * rows * size;
    std::vector<float> columns(static_cast<size_t>(rows * size));
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t k = 0; k < size; ++k) columns[static_cast<size_t>(k * rows + i)] = w[i * size + k];
    return columns;
  }

  /// weights * x + bias; the first half of the bias belongs to the input, the second to the state.
  std::vector<float> products(size_t weights, const float* x, int64_t d) const {
    const int64_t rows = cell_.gates * e_.hidden, size = weights == kWeights ? e_.inputs : e_.hidden;
    const float* column = (weights == kWeights ? input_columns_ : state_columns_).data();
    std::vector<float> y(static_cast<size_t>(rows), 0.0f);
    for (int64_t k = 0; k < size; ++k, column += rows)
      for (int64_t i = 0; i < rows; ++i) y[static_cast<size_t>(i)] += column[i] * x[k];
    if (context_.input(kBias)) {
      const float* bias = context_.inputs[kBias].as<float>() + (2 * d + (weights == kWeights ? 0 : 1)) * rows;
      for (int64_t i = 0; i < rows; ++i) y[static_cast<size_t>(i)] += bias[i];
    }
    return y;
  }

  float clipped(float x) const { return clip_ > 0 ? std::clamp(x, -clip_, clip_) : x; }

  const std::function<float(float)>& function(int64_t d, size_t i) const {
    return functions_[static_cast<size_t>(d) * cell_.functions.size() + i].value;
  }

  /// Gate `gate` of hidden element i, before its activation function.
  float gate(const Step& step, int64_t gate, size_t i) const {
    const size_t row = static_cast<size_t>(gate * e_.hidden) + i;
    return step.from_input[row] + step.from_state[row];
  }

  float peephole(int64_t d, int64_t which, size_t i) const {
    if (!context_.input(kPeepholes)) return 0;
    return context_.inputs[kPeepholes].as<float>()[(d * 3 + which) * e_.hidden + static_cast<int64_t>(i)];
  }

  /// Gates i, o, f, c.
  void lstm(const Step& step, int64_t d) const {
    for (size_t i = 0; i < step.h->size(); ++i) {
      float& c = (*step.c)[i];
      const float in = function(d, 0)(clipped(gate(step, 0, i) + peephole(d, 0, i) * c));
      const float forget =
          couples_ ? 1 - in : function(d, 0)(clipped(gate(step, 2, i) + peephole(d, 2, i) * c));
      c = forget * c + in * function(d, 1)(clipped(gate(step, 3, i)));
      const float out = function(d, 0)(clipped(gate(step, 1, i) + peephole(d, 1, i) * c));
      (*step.h)[i] = out * function(d, 2)(c);
    }
  }

  /// Gates z, r, h.
  void gru(const Step& step, int64_t d) const {
    const auto hidden = static_cast<size_t>(e_.hidden);
    std::vector<float> update(hidden), reset(hidden);
    for (size_t i = 0; i < hidden; ++i) {
      update[i] = function(d, 0)(clipped(gate(step, 0, i)));
      reset[i] = function(d, 0)(clipped(gate(step, 1, i)));
    }
    std::vector<float> state(step.from_state.begin() + static_cast<std::ptrdiff_t>(2 * hidden),
                             step.from_state.end());
    if (reset_after_) {
      for (size_t i = 0; i < hidden; ++i) state[i] *= reset[i];
    } else {
      std::vector<float> seen(hidden);
      for (size_t i = 0; i < hidden; ++i) seen[i] = reset[i] * (*step.h)[i];
      const std::vector<float> all = products(kRecurrence, seen.data(), d);
      std::copy(all.begin() + static_cast<std::ptrdiff_t>(2 * hidden), all.end(), state.begin());
    }
    for (size_t i = 0; i < hidden; ++i) {
      const float candidate = function(d, 1)(clipped(step.from_input[2 * hidden + i] + state[i]));
      (*step.h)[i] = (1 - update[i]) * candidate + update[i] * (*step.h)[i];
    }
  }

  void rnn(const Step& step, int64_t d) const {
    for (size_t i = 0; i < step.h->size(); ++i) (*step.h)[i] = function(d, 0)(clipped(gate(step, 0, i)));
  }

  const EvaluateContext& context_;
  const RecurrentCell& cell_;
  bool rounds_state_;
  RecurrentExtents e_;
  std::vector<RecurrentFunction> functions_;
  float clip_;
  bool reset_after_, couples_;
  std::vector<float> input_columns_, state_columns_;  // of the direction that runs
};

template <const RecurrentCell& kCell>
void evaluate(const EvaluateContext& context) {
  Recurrent(context, kCell).run();
}

void infer_codes(InferContext& context) {
  constexpr std::array kCodeTypes{DataType::kU8, DataType::kS8};
  constexpr std::array kLengthTypes{DataType::kS32};
  for (const size_t i : {kX, kBias, kInitialH, kInitialC, kPeepholes}) require_type(context, i, kF32Only);
  for (const size_t i : {kWeightScale, kRecurrenceScale}) {
    require(context.has_input(i), "the scale of the weights is missing");
    require_type(context, i, kF32Only);
  }
  for (const size_t i : {kWeights, kRecurrence}) require_type(context, i, kCodeTypes);
  for (const size_t i : {kWeightZero, kRecurrenceZero}) require_type(context, i, kCodeTypes);
  require_type(context, kLengths, kLengthTypes);
  recurrent_functions(context.node, kLstm);
  for (size_t i = 0; i < 3; ++i) context.set_output(i, DataType::kF32, std::nullopt);
  const auto x = context.shape(kX), weights = context.shape(kWeights),
             recurrence = context.shape(kRecurrence);
  if (!x || !recurrence || !weights || !is_static(*recurrence) || !is_static(*weights)) return;
  require(recurrence->size() == 3, "the weights of the state have shape " + to_string(*recurrence));
  const RecurrentExtents e =
      recurrent_extents(context.node, *x, Shape{(*recurrence)[0], (*recurrence)[2], (*recurrence)[1]});
  const int64_t rows = times(kLstm.gates, e.hidden);
  require_shape(context, kWeights, {e.directions, e.inputs, rows});
  require_shape(context, kRecurrence, {e.directions, e.hidden, rows});
  for (const size_t i : {kWeightScale, kRecurrenceScale}) {
    const auto scale = context.shape(i);
    require(
        !scale || !is_static(*scale) || *scale == Shape{e.directions} || *scale == Shape{e.directions, rows},
        "scales of weights of shape " + (scale ? to_string(*scale) : "") + " do not fit the weights");
  }
  infer_states(context, e, rows);
}

void evaluate_codes(const EvaluateContext& context) {
  const TensorView& x = context.inputs[kX];
  const DynamicCodes codes(x.as<float>(), x.size());
  Tensor rounded(DataType::kF32, Shape(x.shape.begin(), x.shape.end()));
  std::transform(x.as<float>(), x.as<float>() + x.size(), rounded.mutable_data<float>(),
                 [&](float value) { return codes.rounded(value); });
  const Tensor weights = recurrent_reals(context.inputs[kWeights], context.inputs[kWeightScale],
                                         context.input(kWeightZero)),
               recurrence = recurrent_reals(context.inputs[kRecurrence], context.inputs[kRecurrenceScale],
                                            context.input(kRecurrenceZero));
  std::vector<TensorView> inputs(context.inputs.begin(), context.inputs.begin() + kWeightScale);
  inputs[kX] = rounded.view();
  inputs[kWeights] = weights.view();
  inputs[kRecurrence] = recurrence.view();
  const EvaluateContext reals{context.node, context.opset, context.kernels, inputs, context.outputs};
  Recurrent(reals, kLstm, true).run();
}

template <const RecurrentCell& kCell>
OpDef recurrent(size_t max_inputs, size_t max_outputs) {
  return {.op_type = kCell.op_type,
          .domain = "",
          .min_opset = 7,
          .max_opset = kNewestOpset,
          .min_inputs = 3,
          .max_inputs = max_inputs,
          .max_outputs = max_outputs,
          .infer = infer<kCell>,
          .evaluate = evaluate<kCell>};
}

}  // namespace

void add_recurrent(std::vector<OpDef>& ops) {
  ops.push_back(recurrent<kGru>(6, 2));
  ops.push_back(recurrent<kLstm>(8, 3));
  ops.push_back(recurrent<kRnn>(6, 2));
  ops.push_back({.op_type = "DynamicQuantizeLSTM",
                 .domain = "com.microsoft",
                 .min_opset = 1,
                 .max_opset = 1,
                 .min_inputs = 3,
                 .max_inputs = 12,
                 .max_outputs = 3,
                 .infer = infer_codes,
                 .evaluate = evaluate_codes});
}

}  // namespace quantize
