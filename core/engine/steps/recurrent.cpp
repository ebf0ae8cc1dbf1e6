// The fast forms of LSTM, GRU and RNN, and of DynamicQuantizeLSTM. Read Recurrent::run_group() first.
#include "core/ops/recurrent.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "core/engine/steps/matrix_product.h"
#include "core/ops/support/dynamic_range.h"

namespace quantize {

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

/// Numbers of the products of inputs that are kept at once, and the fewest steps that are multiplied together.
constexpr int64_t kKeptProducts = int64_t{1} << 18, kFewestSteps = 32;

void add(const float* x, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] += x[i];
}
void add_product(const float* a, const float* b, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] += a[i] * b[i];
}

/// The products of one direction.
struct Direction {
  MatrixProduct input, state;
  std::vector<MatrixProduct> candidate;  // of a GRU that resets the state before its product; else none
  const RecurrentFunction* functions;
  bool reverse;
};

/// Samples [first, first + count) of one direction, and the memory of a call.
struct Group {
  const StepContext& call;
  int64_t direction = 0, first = 0, count = 0;
  const float* x = nullptr;
  float* rounded = nullptr;                           // x as its codes, where the operator rounds it
  float *bias = nullptr, *state_bias = nullptr;       // [gates * hidden]
  float* inputs = nullptr;                            // products, [count][block of steps][gates * hidden]
  float *states = nullptr, *candidates = nullptr;     // products, [count][their columns]
  float *h = nullptr, *c = nullptr, *seen = nullptr;  // [count][hidden]
  std::span<std::byte> of_product = {};               // scratch memory of MatrixProduct
};

size_t padded(int64_t floats) {
  return (static_cast<size_t>(floats) * sizeof(float) + 63) / 64 * 64;
}

class Recurrent {
 public:
  Recurrent(CompileContext& context, const RecurrentCell& cell, const Tensor& weights,
            const Tensor& recurrence);

  void run(const StepContext& call) const;

 private:
  void add_direction(const Node& node, const float* weights, const float* recurrence);
  size_t scratch_bytes();
  void run_group(Group& group) const;
  void load_bias(const Group& group) const;
  void load_states(const Group& group) const;
  void write_states(const Group& group, int64_t i) const;
  void multiply_inputs(const Group& group, int64_t first_step) const;
  void step(const Group& group, int64_t s) const;
  void lstm(const Group& group, int64_t i, const float* input) const;
  void reset(const Group& group, int64_t i, const float* input) const;
  void gru(const Group& group, int64_t i, const float* input) const;
  void rnn(const Group& group, int64_t i, const float* input) const;

  const Direction& direction(const Group& group) const {
    return directions_[static_cast<size_t>(group.direction)];
  }
  int64_t length(const Group& group, int64_t i) const {
    return recurrent_length(e_, group.call.input(kLengths), group.first + i);
  }
  /// The place in the sequence of the s-th step of a sample.
  int64_t place(const Group& group, int64_t i, int64_t s) const {
    return direction(group).reverse ? length(group, i) - 1 - s : s;
  }
  void activate(const RecurrentFunction& function, float* x, int64_t n) const;
  /// A row of gates, clipped, through the `which`-th function of the direction.
  void apply(const Group& group, size_t which, float* x, int64_t n) const;
  /// The peepholes of a gate, or nullptr.
  const float* peepholes(const Group& group, int64_t which) const;

  const KernelTable& kernels_;
  const RecurrentCell& cell_;
  RecurrentExtents e_;
  std::vector<RecurrentFunction> functions_;
  float clip_;
  bool couples_, resets_after_, rounds_;
  std::vector<Direction> directions_;
  int64_t rows_, state_rows_;  // gates * hidden, and how many of them the first product of the state makes
  int64_t group_, block_;      // samples and steps that are computed together
  std::vector<std::pair<float * Group::*, int64_t>> places_;  // the scratch memory, in floats
  size_t chunks_ = 1;
};

Recurrent::Recurrent(CompileContext& context, const RecurrentCell& cell, const Tensor& weights,
                     const Tensor& recurrence)
    : kernels_(context.kernels),
      cell_(cell),
      e_(recurrent_extents(context.node, context.shape(kX), recurrence.shape())),
      functions_(recurrent_functions(context.node, cell)),
      clip_(context.node.float_attribute("clip", 0)),
      couples_(context.node.int_attribute("input_forget", 0) != 0),
      resets_after_(context.node.int_attribute("linear_before_reset", 0) != 0),
      rounds_(context.node.input(kWeightScale) != kNoValue),
      rows_(cell.gates * e_.hidden),
      state_rows_(cell.gates == 3 && !resets_after_ ? 2 * e_.hidden : rows_) {
  const int64_t units = e_.directions * e_.batch;
  const double macs = static_cast<double>(units * e_.steps) * static_cast<double>(rows_) *
                      static_cast<double>(e_.inputs + e_.hidden);
  context.chunks = chunks_ = context.cut(kCoarseChunks, macs / 20, units);
  const auto chunks = static_cast<int64_t>(chunks_);
  group_ = std::max<int64_t>(1, std::min(e_.batch, (units + chunks - 1) / chunks));
  block_ = std::min(e_.steps, std::max(kFewestSteps, kKeptProducts / (group_ * rows_)));
  for (int64_t d = 0; d < e_.directions; ++d)
    add_direction(context.node, weights.data<float>() + d * rows_ * e_.inputs,
                  recurrence.data<float>() + d * rows_ * e_.hidden);
  context.weights_packed = true;
  context.scratch_bytes = scratch_bytes();
}

void Recurrent::add_direction(const Node& node, const float* weights, const float* recurrence) {
  const auto columns = [](int64_t rows, int64_t size) {
    return MatrixLayout::row_major(rows, size).transposed();
  };
  const size_t index = directions_.size();
  const MatrixLayout x{block_, e_.inputs, e_.x_place(1, 0), 1};
  const MatrixLayout h = MatrixLayout::row_major(group_, e_.hidden);
  Direction direction{MatrixProduct(kernels_, x, columns(rows_, e_.inputs)),
                      MatrixProduct(kernels_, h, columns(state_rows_, e_.hidden)),
                      {},
                      functions_.data() + index * cell_.functions.size(),
                      RecurrentExtents::is_reverse(node, static_cast<int64_t>(index))};
  direction.input.pack_b(weights, 1, 1.0f);
  direction.state.pack_b(recurrence, 1, 1.0f);
  if (state_rows_ < rows_) {
    direction.candidate.emplace_back(kernels_, h, columns(e_.hidden, e_.hidden));
    direction.candidate[0].pack_b(recurrence + state_rows_ * e_.hidden, 1, 1.0f);
  }
  directions_.push_back(std::move(direction));
}

size_t Recurrent::scratch_bytes() {
  const int64_t state = group_ * e_.hidden;
  places_ = {{&Group::bias, rows_},
             {&Group::state_bias, rows_},
             {&Group::inputs, element_count(Shape{group_, block_, rows_})},
             {&Group::states, group_ * state_rows_},
             {&Group::candidates, state},
             {&Group::h, state},
             {&Group::c, state},
             {&Group::seen, state}};
  if (rounds_) places_.emplace_back(&Group::rounded, element_count(Shape{e_.steps, e_.batch, e_.inputs}));
  size_t bytes = 0;
  for (const auto& [member, floats] : places_) bytes += padded(floats);
  const Direction& any = directions_[0];
  size_t of_product = std::max(any.input.scratch_bytes(), any.state.scratch_bytes());
  for (const MatrixProduct& candidate : any.candidate)
    of_product = std::max(of_product, candidate.scratch_bytes());
  return bytes + of_product;
}

void Recurrent::run(const StepContext& call) const {
  Group group{.call = call};
  group.of_product = call.scratch;
  for (const auto& [member, floats] : places_) {
    group.*member = reinterpret_cast<float*>(group.of_product.data());
    group.of_product = group.of_product.subspan(padded(floats));
  }
  const TensorView& x = call.inputs[kX];
  group.x = x.as<float>();
  if (rounds_) {
    const DynamicCodes codes(group.x, x.size());
    for (int64_t i = 0; i < x.size(); ++i) group.rounded[i] = codes.rounded(group.x[i]);
    group.x = group.rounded;
  }
  const UnitRange units = units_of(call, e_.directions * e_.batch, chunks_);
  for (int64_t unit = units.begin; unit < units.end; unit += group.count) {
    group.direction = unit / e_.batch;
    group.first = unit % e_.batch;
    group.count = std::min({group_, units.end - unit, e_.batch - group.first});
    run_group(group);
  }
}

/// The products of the inputs of a block of steps are made at once; then come, step by step, that of the states and
/// the cells of all samples whose sequence is not over.
void Recurrent::run_group(Group& group) const {
  load_bias(group);
  load_states(group);
  int64_t longest = 0;
  for (int64_t i = 0; i < group.count; ++i) longest = std::max(longest, length(group, i));
  for (int64_t s = 0; s < longest; ++s) {
    if (s % block_ == 0) multiply_inputs(group, s);
    step(group, s);
  }
  for (int64_t i = 0; i < group.count; ++i) write_states(group, i);
}

/// The halves of the bias are added up, but for what a GRU adds to the state before it resets it.
void Recurrent::load_bias(const Group& group) const {
  std::fill_n(group.bias, rows_, 0.0f);
  std::fill_n(group.state_bias, rows_, 0.0f);
  const TensorView given = group.call.input(kBias);
  if (!given) return;
  const float *of_input = given.as<float>() + 2 * group.direction * rows_, *of_state = of_input + rows_;
  const int64_t joined = resets_after_ && cell_.gates == 3 ? 2 * e_.hidden : rows_;
  std::copy_n(of_input, rows_, group.bias);
  add(of_state, group.bias, joined);
  std::copy(of_state + joined, of_state + rows_, group.state_bias + joined);
}

void Recurrent::load_states(const Group& group) const {
  const auto load = [&](RecurrentInput input, float* state) {
    const TensorView given = group.call.input(input);
    for (int64_t i = 0; i < group.count; ++i, state += e_.hidden)
      if (given)
        std::copy_n(given.as<float>() + e_.state_place(group.direction, group.first + i), e_.hidden, state);
      else
        std::fill_n(state, e_.hidden, 0.0f);
  };
  load(kInitialH, group.h);
  load(kInitialC, group.c);
  std::fill_n(group.seen, group.count * e_.hidden, 0.0f);
}

/// The results behind the last step, and zeros where the sequence was over before.
void Recurrent::write_states(const Group& group, int64_t i) const {
  const int64_t d = group.direction, b = group.first + i;
  const std::span<const MutableTensorView> outputs = group.call.outputs;
  for (int64_t s = length(group, i); s < e_.steps; ++s)
    std::fill_n(outputs[0].as<float>() + e_.y_place(s, d, b), e_.hidden, 0.0f);
  const auto write = [&](size_t output, const float* states) {
    if (output < outputs.size() && outputs[output])
      std::copy_n(states + i * e_.hidden, e_.hidden, outputs[output].as<float>() + e_.state_place(d, b));
  };
  write(1, group.h);
  write(2, group.c);
}

void Recurrent::multiply_inputs(const Group& group, int64_t first_step) const {
  for (int64_t i = 0; i < group.count; ++i) {
    const int64_t steps = std::min(block_, length(group, i) - first_step);
    if (steps <= 0) continue;
    const int64_t first = std::min(place(group, i, first_step), place(group, i, first_step + steps - 1));
    direction(group).input.run_rows({.a = group.x + e_.x_place(first, group.first + i),
                                     .c = group.inputs + i * block_ * rows_,
                                     .column_bias = group.bias,
                                     .low = -kInf,
                                     .high = kInf},
                                    steps, group.of_product);
  }
}

void Recurrent::step(const Group& group, int64_t s) const {
  const Direction& d = direction(group);
  const auto multiply = [&](const MatrixProduct& product, const float* a, float* c) {
    product.run_rows({.a = a, .c = c, .column_bias = group.state_bias, .low = -kInf, .high = kInf},
                     group.count, group.of_product);
  };
  const auto for_each_row = [&](auto cell) {
    const int64_t first = s / block_ * block_;  // of the block
    for (int64_t i = 0; i < group.count; ++i) {
      const int64_t steps = std::min(block_, length(group, i) - first);
      const int64_t row = d.reverse ? steps - 1 - (s - first) : s - first;
      if (s < length(group, i)) (this->*cell)(group, i, group.inputs + (i * block_ + row) * rows_);
    }
  };
  if (rounds_)
    for (int64_t i = 0; i < group.count; ++i) {
      const float* h = group.h + i * e_.hidden;
      const DynamicCodes codes(h, e_.hidden);
      std::transform(h, h + e_.hidden, group.seen + i * e_.hidden,
                     [&](float value) { return codes.rounded(value); });
    }
  multiply(d.state, rounds_ ? group.seen : group.h, group.states);
  if (!d.candidate.empty()) {
    for_each_row(&Recurrent::reset);
    multiply(d.candidate[0], group.seen, group.candidates);
  }
  for_each_row(cell_.gates == 4 ? &Recurrent::lstm : cell_.gates == 3 ? &Recurrent::gru : &Recurrent::rnn);
  for (int64_t i = 0; i < group.count; ++i)
    if (s < length(group, i))
      std::copy_n(group.h + i * e_.hidden, e_.hidden,
                  group.call.outputs[0].as<float>() +
                      e_.y_place(place(group, i, s), group.direction, group.first + i));
}

void Recurrent::apply(const Group& group, size_t which, float* x, int64_t n) const {
  if (clip_ > 0)
    for (int64_t i = 0; i < n; ++i) x[i] = std::clamp(x[i], -clip_, clip_);
  activate(direction(group).functions[which], x, n);
}

void Recurrent::activate(const RecurrentFunction& function, float* x, int64_t n) const {
  using Kind = RecurrentFunction::Kind;
  if (function.kind == Kind::kSigmoid) return kernels_.sigmoid_f32(x, x, static_cast<size_t>(n));
  if (function.kind == Kind::kTanh) return kernels_.tanh_f32(x, x, static_cast<size_t>(n));
  std::transform(x, x + n, x, [&](float value) { return function.value(value); });
}

const float* Recurrent::peepholes(const Group& group, int64_t which) const {
  const TensorView given = group.call.input(kPeepholes);
  return given ? given.as<float>() + (group.direction * 3 + which) * e_.hidden : nullptr;
}

/// Gates i, o, f, c.
void Recurrent::lstm(const Group& group, int64_t i, const float* input) const {
  const int64_t n = e_.hidden;
  float* const in = group.states + i * rows_;
  float *const out = in + n, *const forget = out + n, *const candidate = forget + n;
  float *const h = group.h + i * n, *const c = group.c + i * n;
  add(input, in, rows_);
  const auto gate = [&](float* x, int64_t peephole) {
    if (const float* weights = peepholes(group, peephole)) add_product(weights, c, x, n);
    apply(group, 0, x, n);
  };
  gate(in, 0);
  if (couples_)
    for (int64_t k = 0; k < n; ++k) forget[k] = 1 - in[k];
  else
    gate(forget, 2);
  apply(group, 1, candidate, n);
  for (int64_t k = 0; k < n; ++k) c[k] = forget[k] * c[k] + in[k] * candidate[k];
  gate(out, 1);
  std::copy_n(c, n, h);
  activate(direction(group).functions[2], h, n);
  for (int64_t k = 0; k < n; ++k) h[k] *= out[k];
}

/// Gates z, r, and the state that r lets through to the product of the candidate.
void Recurrent::reset(const Group& group, int64_t i, const float* input) const {
  const int64_t n = e_.hidden;
  float* const gates = group.states + i * state_rows_;
  const float* const h = group.h + i * n;
  add(input, gates, 2 * n);
  apply(group, 0, gates, 2 * n);
  for (int64_t k = 0; k < n; ++k) group.seen[i * n + k] = gates[n + k] * h[k];
}

/// Gates z, r, h.
void Recurrent::gru(const Group& group, int64_t i, const float* input) const {
  const int64_t n = e_.hidden;
  float* const gates = group.states + i * state_rows_;
  float *const candidate = state_rows_ < rows_ ? group.candidates + i * n : gates + 2 * n, *const h =
                                                                                               group.h +
                                                                                               i * n;
  if (state_rows_ == rows_) {
    add(input, gates, 2 * n);
    apply(group, 0, gates, 2 * n);
    for (int64_t k = 0; k < n; ++k) candidate[k] *= gates[n + k];
  }
  add(input + 2 * n, candidate, n);
  apply(group, 1, candidate, n);
  for (int64_t k = 0; k < n; ++k) h[k] = (1 - gates[k]) * candidate[k] + gates[k] * h[k];
}

void Recurrent::rnn(const Group& group, int64_t i, const float* input) const {
  float* const h = group.h + i * e_.hidden;
  std::copy_n(group.states + i * e_.hidden, e_.hidden, h);
  add(input, h, e_.hidden);
  apply(group, 0, h, e_.hidden);
}

/// The weights must be constant; those of codes become reals.
template <const RecurrentCell& kCell>
StepFunction compile_recurrent(CompileContext& context) {
  const Tensor *weights = context.constant(kWeights), *recurrence = context.constant(kRecurrence);
  if (weights == nullptr || recurrence == nullptr) return nullptr;
  const auto step = std::make_shared<Recurrent>(context, kCell, *weights, *recurrence);
  return [step](const StepContext& call) { step->run(call); };
}

StepFunction compile_codes(CompileContext& context) {
  const auto reals = [&](size_t codes, size_t scale) {
    const Tensor *c = context.constant(codes), *s = context.constant(scale), *z = context.constant(scale + 1);
    const bool is_constant =
        c != nullptr && s != nullptr && (z != nullptr || context.node.input(scale + 1) == kNoValue);
    return is_constant ? recurrent_reals(c->view(), s->view(), z == nullptr ? TensorView{} : z->view())
                       : Tensor();
  };
  const Tensor weights = reals(kWeights, kWeightScale), recurrence = reals(kRecurrence, kRecurrenceScale);
  if (!weights || !recurrence) return nullptr;
  const auto step = std::make_shared<Recurrent>(context, kLstm, weights, recurrence);
  return [step](const StepContext& call) { step->run(call); };
}

}  // namespace

void add_recurrent_steps(std::vector<EngineForm>& forms) {
  forms.push_back({.op_type = "GRU", .domain = "", .compile = compile_recurrent<kGru>});
  forms.push_back({.op_type = "LSTM", .domain = "", .compile = compile_recurrent<kLstm>});
  forms.push_back({.op_type = "RNN", .domain = "", .compile = compile_recurrent<kRnn>});
  forms.push_back({.op_type = "DynamicQuantizeLSTM", .domain = "com.microsoft", .compile = compile_codes});
}

}  // namespace quantize
