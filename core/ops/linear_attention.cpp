// Operators that carry a state along a sequence: LinearAttention, CausalConvWithState.
#include <algorithm>
#include <cmath>

#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/require.h"

namespace quantize {

namespace {

/// The update rule of a state: whether it decays, and whether a key's old value is taken off first.
struct Rule {
  bool decays, corrects;
};

Rule rule_of(const Node& node) {
  const std::string name = node.string_attribute("update_rule", "gated_delta");
  if (name == "linear") return {false, false};
  if (name == "gated") return {true, false};
  if (name == "delta") return {false, true};
  if (name == "gated_delta") return {true, true};
  invalid_model("attribute 'update_rule' is '" + name + "'");
}

/// query [batch, steps, heads * key_size], key and value with kv_heads.
struct Extents {
  int64_t batch, steps, heads, kv_heads, key_size, value_size;
};

Extents extents_of(const Node& node, Dims q, Dims k, Dims v) {
  const int64_t heads = node.int_attribute("q_num_heads", 0),
                kv_heads = node.int_attribute("kv_num_heads", 0);
  require(heads >= 1 && kv_heads >= 1 && heads % kv_heads == 0,
          "numbers of heads " + std::to_string(heads) + " and " + std::to_string(kv_heads) + " do not fit");
  require(q.size() == 3 && k.size() == 3 && v.size() == 3 && q[2] % heads == 0 && k[2] % kv_heads == 0 &&
              v[2] % kv_heads == 0 && q[2] / heads == k[2] / kv_heads && q[0] == k[0] && q[0] == v[0] &&
              q[1] == k[1] && q[1] == v[1],
          "query, key and value of shapes " + to_string(q) + ", " + to_string(k) + " and " + to_string(v) +
              " do not fit");
  return {q[0], q[1], heads, kv_heads, q[2] / heads, v[2] / kv_heads};
}

/// Checks an operand [batch, steps, n], n one of `widths`.
void check_gate(const InferContext& context, size_t i, const Extents& e,
                std::initializer_list<int64_t> widths) {
  const auto shape = context.shape(i);
  require(context.has_input(i), "input " + std::to_string(i) + " is missing");
  if (!shape || !is_static(*shape)) return;
  require(shape->size() == 3 && (*shape)[0] == e.batch && (*shape)[1] == e.steps &&
              std::find(widths.begin(), widths.end(), (*shape)[2]) != widths.end(),
          "input " + std::to_string(i) + " has shape " + to_string(*shape) + ", which does not fit");
}

void infer_attention(InferContext& context) {
  require_f32(context);
  const Rule rule = rule_of(context.node);
  const auto q = context.shape(0), k = context.shape(1), v = context.shape(2), past = context.shape(3);
  context.set_output(0, DataType::kF32, std::nullopt);
  context.set_output(1, DataType::kF32, std::nullopt);
  if (!q || !k || !v || !is_static(*q) || !is_static(*k) || !is_static(*v)) return;
  const Extents e = extents_of(context.node, *q, *k, *v);
  const Shape state{e.batch, e.kv_heads, e.key_size, e.value_size};
  require(!past || !is_static(*past) || *past == state, "the past state does not fit the inputs");
  if (rule.decays) check_gate(context, 4, e, {e.kv_heads, e.kv_heads * e.key_size});
  if (rule.corrects) check_gate(context, 5, e, {e.kv_heads, 1});
  context.set_output(0, DataType::kF32, Shape{e.batch, e.steps, e.heads * e.value_size});
  context.set_output(1, DataType::kF32, state);
}

/// The state [key_size, value_size] of one head, and the row of a step that updates it.
class HeadState {
 public:
  HeadState(const EvaluateContext& context, const Extents& e, int64_t b, int64_t head)
      : context_(context),
        e_(e),
        rule_(rule_of(context.node)),
        b_(b),
        head_(head),
        state_(static_cast<size_t>(e.key_size * e.value_size), 0.0f),
        seen_(static_cast<size_t>(e.value_size)) {
    if (!context.input(3)) return;
    const float* past = context.inputs[3].as<float>() + place();
    std::copy_n(past, state_.size(), state_.begin());
  }

  void update(int64_t step) {
    const float* key = row(1, step, e_.key_size);
    const float* value = row(2, step, e_.value_size);
    if (rule_.decays) decay(step);
    float rate = 1;
    std::fill(seen_.begin(), seen_.end(), 0.0f);
    if (rule_.corrects) {
      const TensorView& beta = context_.inputs[5];
      const int64_t width = beta.shape[2];
      rate = beta.as<float>()[(b_ * e_.steps + step) * width + (width == 1 ? 0 : head_)];
      each([&](float& element, int64_t i, int64_t j) { seen_[static_cast<size_t>(j)] += element * key[i]; });
    }
    each([&](float& element, int64_t i, int64_t j) {
      element += rate * key[i] * (value[j] - seen_[static_cast<size_t>(j)]);
    });
  }

  /// y += query * state.
  void read(const float* query, float scale, float* y) {
    each([&](float& element, int64_t i, int64_t j) { y[j] += scale * query[i] * element; });
  }

  void copy_to(float* present) const { std::copy(state_.begin(), state_.end(), present + place()); }

 private:
  template <typename Body>
  void each(Body body) {
    for (int64_t i = 0; i < e_.key_size; ++i)
      for (int64_t j = 0; j < e_.value_size; ++j)
        body(state_[static_cast<size_t>(i * e_.value_size + j)], i, j);
  }

  void decay(int64_t step) {
    const TensorView& gate = context_.inputs[4];
    const int64_t width = gate.shape[2];
    const bool per_key = width == e_.kv_heads * e_.key_size && width != e_.kv_heads;
    const float* from =
        gate.as<float>() + (b_ * e_.steps + step) * width + head_ * (per_key ? e_.key_size : 1);
    each([&](float& element, int64_t i, int64_t) { element *= std::exp(from[per_key ? i : 0]); });
  }

  const float* row(size_t input, int64_t step, int64_t size) const {
    return context_.inputs[input].as<float>() + ((b_ * e_.steps + step) * e_.kv_heads + head_) * size;
  }

  int64_t place() const { return (b_ * e_.kv_heads + head_) * e_.key_size * e_.value_size; }

  const EvaluateContext& context_;
  const Extents& e_;
  Rule rule_;
  int64_t b_, head_;
  std::vector<float> state_, seen_;
};

void evaluate_attention(const EvaluateContext& context) {
  const Extents e =
      extents_of(context.node, context.inputs[0].shape, context.inputs[1].shape, context.inputs[2].shape);
  const float given = context.node.float_attribute("scale", 0);
  const float scale = given != 0 ? given : 1 / std::sqrt(static_cast<float>(e.key_size));
  const int64_t sharing = e.heads / e.kv_heads;
  std::fill_n(context.outputs[0].as<float>(), context.outputs[0].size(), 0.0f);
  for (int64_t b = 0; b < e.batch; ++b)
    for (int64_t head = 0; head < e.kv_heads; ++head) {
      HeadState state(context, e, b, head);
      for (int64_t step = 0; step < e.steps; ++step) {
        state.update(step);
        for (int64_t h = head * sharing; h < (head + 1) * sharing; ++h) {
          const int64_t row = (b * e.steps + step) * e.heads + h;
          state.read(context.inputs[0].as<float>() + row * e.key_size, scale,
                     context.outputs[0].as<float>() + row * e.value_size);
        }
      }
      if (context.outputs.size() > 1 && context.outputs[1]) state.copy_to(context.outputs[1].as<float>());
    }
}

bool applies_swish(const Node& node) {
  const std::string name = node.string_attribute("activation", "none");
  require(name == "none" || name == "silu" || name == "swish", "attribute 'activation' is '" + name + "'");
  return name != "none";
}

void infer_conv(InferContext& context) {
  require_f32(context);
  applies_swish(context.node);
  infer_same_as_input(context);
  context.set_output(1, DataType::kF32, std::nullopt);
  const auto x = context.shape(0), w = context.shape(1), past = context.shape(3);
  if (!x || !w || !is_static(*x) || !is_static(*w)) return;
  require(x->size() == 3 && w->size() == 3 && (*w)[0] == (*x)[1] && (*w)[1] == 1 && (*w)[2] >= 1,
          "an input of shape " + to_string(*x) + " and weights of shape " + to_string(*w) + " do not fit");
  require_vector(context, 2, (*x)[1]);
  const Shape state{(*x)[0], (*x)[1], (*w)[2] - 1};
  require(!past || !is_static(*past) || *past == state, "the past state does not fit the inputs");
  context.set_output(1, DataType::kF32, state);
}

void evaluate_conv(const EvaluateContext& context) {
  const TensorView &x = context.inputs[0], &w = context.inputs[1];
  const TensorView bias = context.input(2), past = context.input(3);
  const bool swish = applies_swish(context.node);
  const int64_t channels = x.shape[1], length = x.shape[2], taps = w.shape[2], before = taps - 1;
  std::vector<float> line(static_cast<size_t>(before + length));
  for (int64_t row = 0; row < x.shape[0] * channels; ++row) {
    std::fill(line.begin(), line.end(), 0.0f);
    if (past) std::copy_n(past.as<float>() + row * before, before, line.begin());
    std::copy_n(x.as<float>() + row * length, length, line.begin() + before);
    const float* weights = w.as<float>() + row % channels * taps;
    for (int64_t i = 0; i < length; ++i) {
      float sum = bias ? bias.as<float>()[row % channels] : 0.0f;
      for (int64_t t = 0; t < taps; ++t) sum += weights[t] * line[static_cast<size_t>(i + t)];
      context.outputs[0].as<float>()[row * length + i] = swish ? sum / (1 + std::exp(-sum)) : sum;
    }
    if (context.outputs.size() > 1 && context.outputs[1])
      std::copy_n(line.end() - before, before, context.outputs[1].as<float>() + row * before);
  }
}

OpDef stateful(const char* op_type, size_t min_inputs, size_t max_inputs, void (*infer)(InferContext&),
               void (*evaluate)(const EvaluateContext&)) {
  return {.op_type = op_type,
          .domain = "",
          .min_opset = 27,
          .max_opset = kNewestOpset,
          .min_inputs = min_inputs,
          .max_inputs = max_inputs,
          .max_outputs = 2,
          .infer = infer,
          .evaluate = evaluate};
}

}  // namespace

void add_linear_attention(std::vector<OpDef>& ops) {
  ops.push_back(stateful("CausalConvWithState", 2, 4, infer_conv, evaluate_conv));
  ops.push_back(stateful("LinearAttention", 3, 6, infer_attention, evaluate_attention));
}

}  // namespace quantize
