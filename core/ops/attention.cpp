// Attention: softmax(Q K' * scale + bias) V per head, with masks, a cache of past keys and values, and windows.
// Read attend(), which computes one query of one head, first.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/ops/support/broadcast.h"
#include "core/ops/support/require.h"

namespace quantize {

namespace {

constexpr float kMasked = -std::numeric_limits<float>::infinity();

/// Inputs and outputs by position.
enum Input : size_t { kQuery, kKey, kTensorValue, kMask, kPastKey, kPastValue, kLengths };
enum Output : size_t { kResult, kPresentKey, kPresentValue, kScores };

/// A tensor of heads: rank 4 [batch, heads, length, size] or rank 3 [batch, length, heads * size].
struct Heads {
  int64_t batch, heads, length, size;
  int64_t head_stride, step_stride, batch_stride;  // in elements

  int64_t at(int64_t b, int64_t head, int64_t step) const {
    return b * batch_stride + head * head_stride + step * step_stride;
  }
};

int64_t head_count(const Node& node, const char* attribute) {
  const int64_t heads = node.int_attribute(attribute, 0);
  if (heads < 1) invalid_model("attribute '" + std::string(attribute) + "' is " + std::to_string(heads));
  return heads;
}

Heads heads_of(const Node& node, Dims x, const char* attribute) {
  if (x.size() == 4) return {x[0], x[1], x[2], x[3], x[2] * x[3], x[3], x[1] * x[2] * x[3]};
  const int64_t heads = head_count(node, attribute), size = x[2] / heads;
  return {x[0], heads, x[1], size, size, x[2], x[1] * x[2]};
}

/// The extents of a node whose input shapes are static.
struct Extents {
  Heads q, k, v;
  int64_t past, total;  // keys of the past, and all
};

Extents extents_of(const Node& node, Dims q, Dims k, Dims v, Dims past) {
  require((q.size() == 3 || q.size() == 4) && k.size() == q.size() && v.size() == q.size(),
          "query, key and value must have three axes, or four");
  Extents e{heads_of(node, q, "q_num_heads"), heads_of(node, k, "kv_num_heads"),
            heads_of(node, v, "kv_num_heads"), past.empty() ? 0 : past[2], 0};
  e.total = e.past + e.k.length;
  const bool divides = q.size() == 4 || (e.q.size * e.q.heads == q[2] && e.k.size * e.k.heads == k[2] &&
                                         e.v.size * e.v.heads == v[2]);
  require(divides && e.k.heads > 0 && e.q.heads % e.k.heads == 0 && e.k.heads == e.v.heads &&
              e.q.batch == e.k.batch && e.q.batch == e.v.batch && e.q.size == e.k.size &&
              e.k.length == e.v.length,
          "query, key and value of shapes " + to_string(q) + ", " + to_string(k) + " and " + to_string(v) +
              " do not fit");
  return e;
}

void check_attributes(const InferContext& context) {
  for (const char* name : {"left_window_size", "right_window_size"})
    require(context.node.int_attribute(name, -1) >= -1, "a window of Attention is below -1");
  const int64_t mode = context.node.int_attribute("qk_matmul_output_mode", 0);
  require(mode >= 0 && mode <= 3, "attribute 'qk_matmul_output_mode' is " + std::to_string(mode));
  require(context.has_input(kPastKey) == context.has_input(kPastValue),
          "past keys and values must be given together");
  require(!context.has_input(kLengths) || !context.has_input(kPastKey),
          "lengths of sequences and past keys exclude each other");
}

/// Past keys or values must be [batch, heads, past, size] of what they precede.
void check_past(const std::optional<Shape>& past, const Heads& heads, int64_t length) {
  if (!past || !is_static(*past)) return;
  require(past->size() == 4 && *past == Shape{heads.batch, heads.heads, length, heads.size},
          "past keys or values of shape " + to_string(*past) + " do not fit the new ones");
}

void check_mask(const InferContext& context, const Extents& e) {
  auto mask = context.shape(kMask);
  if (!mask || !is_static(*mask)) return;
  require(!mask->empty() && mask->size() <= 4 && (mask->back() <= e.total),
          "a mask of shape " + to_string(*mask) + " has more keys than there are");
  if (mask->back() != 1 || e.total == 1) mask->back() = e.total;
  const Shape scores{e.q.batch, e.q.heads, e.q.length, e.total};
  require(broadcast(*mask, scores) == scores, "the mask does not broadcast to " + to_string(scores));
}

void infer(InferContext& context) {
  for (const size_t i : {kQuery, kKey, kTensorValue, kPastKey, kPastValue})
    require_type(context, i, kF32Only);
  constexpr std::array kMaskTypes{DataType::kF32, DataType::kBool};
  require_type(context, kMask, kMaskTypes);
  require_type(context, kLengths, kIndexTypes);
  check_attributes(context);
  for (size_t i = 0; i < 4; ++i) context.set_output(i, DataType::kF32, std::nullopt);
  const auto q = context.shape(kQuery), k = context.shape(kKey), v = context.shape(kTensorValue),
             past = context.shape(kPastKey);
  if (!q || !k || !v || !is_static(*q) || !is_static(*k) || !is_static(*v)) return;
  if (context.has_input(kPastKey) && (!past || !is_static(*past) || past->size() != 4)) return;
  const Extents e = extents_of(context.node, *q, *k, *v, past.value_or(Shape()));
  check_past(past, e.k, e.past);
  check_past(context.shape(kPastValue), e.v, e.past);
  check_mask(context, e);
  require_vector(context, kLengths, e.q.batch);
  context.set_output(kResult, DataType::kF32,
                     q->size() == 4
                         ? Shape{e.q.batch, e.q.heads, e.q.length, e.v.size}
                         : Shape{e.q.batch, e.q.length, element_count(Shape{e.q.heads, e.v.size})});
  context.set_output(kPresentKey, DataType::kF32, Shape{e.k.batch, e.k.heads, e.total, e.k.size});
  context.set_output(kPresentValue, DataType::kF32, Shape{e.v.batch, e.v.heads, e.total, e.v.size});
  context.set_output(kScores, DataType::kF32, Shape{e.q.batch, e.q.heads, e.q.length, e.total});
}

/// Past and new steps of all heads, [batch, heads, total, size].
std::vector<float> with_past(const TensorView& x, const Heads& heads, const TensorView& past,
                             int64_t past_steps) {
  std::vector<float> all;
  all.reserve(static_cast<size_t>(heads.batch * heads.heads * (past_steps + heads.length) * heads.size));
  for (int64_t b = 0; b < heads.batch; ++b)
    for (int64_t h = 0; h < heads.heads; ++h) {
      if (past_steps > 0) {
        const float* from = past.as<float>() + (b * heads.heads + h) * past_steps * heads.size;
        all.insert(all.end(), from, from + past_steps * heads.size);
      }
      for (int64_t s = 0; s < heads.length; ++s) {
        const float* from = x.as<float>() + heads.at(b, h, s);
        all.insert(all.end(), from, from + heads.size);
      }
    }
  return all;
}

/// The number added to each score: 0, that of a mask, or kMasked where a key is not to be seen.
class Bias {
 public:
  Bias(const EvaluateContext& context, const Extents& e)
      : mask_(context.input(kMask)),
        causal_(context.node.int_attribute("is_causal", 0) != 0),
        left_(context.node.int_attribute("left_window_size", -1)),
        right_(context.node.int_attribute("right_window_size", -1)),
        offsets_(static_cast<size_t>(e.q.batch), e.past),
        visible_(static_cast<size_t>(e.q.batch), e.total) {
    if (context.input(kLengths)) {
      visible_ = to_integers(context.inputs[kLengths]);
      for (size_t b = 0; b < visible_.size(); ++b) offsets_[b] = visible_[b] - e.q.length;
    }
    if (!mask_) return;
    Shape shape(mask_.shape.begin(), mask_.shape.end());
    keys_ = shape.back() == 1 && e.total != 1 ? e.total : shape.back();
    strides_ = broadcast_strides(shape, Shape{e.q.batch, e.q.heads, e.q.length, keys_});
  }

  float operator()(int64_t b, int64_t head, int64_t query, int64_t key) const {
    const int64_t position = query + offsets_[static_cast<size_t>(b)];
    if (causal_ && key > position) return kMasked;
    if (left_ >= 0 && key < position - left_) return kMasked;
    if (right_ >= 0 && key > position + right_) return kMasked;
    if (key >= visible_[static_cast<size_t>(b)]) return kMasked;
    if (!mask_) return 0;
    if (key >= keys_) return kMasked;
    const int64_t place = b * strides_[0] + head * strides_[1] + query * strides_[2] + key * strides_[3];
    if (mask_.dtype == DataType::kBool) return mask_.as<bool>()[place] ? 0 : kMasked;
    return mask_.as<float>()[place];
  }

 private:
  TensorView mask_;
  bool causal_;
  int64_t left_, right_, keys_ = 0;
  std::vector<int64_t> offsets_, visible_;  // per sample of the batch
  Shape strides_;
};

/// Turns scores into weights that sum up to 1; zeros where every key is masked.
void softmax(std::vector<float>& scores, bool all_masked) {
  if (all_masked) return std::fill(scores.begin(), scores.end(), 0.0f);
  const float largest = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (float& score : scores) sum += score = std::exp(score - largest);
  for (float& score : scores) score = static_cast<float>(score / sum);
}

/// One head of one sample: all keys and values it sees.
struct Head {
  const float *keys, *values;
  int64_t b, index;
};

class Attention {
 public:
  Attention(const EvaluateContext& context, const Extents& e)
      : context_(context),
        e_(e),
        bias_(context, e),
        softcap_(context.node.float_attribute("softcap", 0)),
        mode_(context.node.int_attribute("qk_matmul_output_mode", 0)),
        scores_(static_cast<size_t>(e.total)) {
    const double scale = context.node.has_attribute("scale")
                             ? static_cast<double>(context.node.float_attribute("scale", 1))
                             : 1 / std::sqrt(static_cast<double>(e.q.size));
    root_ = static_cast<float>(std::sqrt(scale));
  }

  /// y [size of a value] of one query; `shown` [total] or nullptr takes the scores.
  void attend(const Head& head, int64_t query, float* y, float* shown) {
    const float* q = context_.inputs[kQuery].as<float>() + e_.q.at(head.b, head.index, query);
    bool all_masked = true;
    const auto show = [&](int64_t mode) {
      if (shown != nullptr && mode == mode_) std::copy(scores_.begin(), scores_.end(), shown);
    };
    for (int64_t key = 0; key < e_.total; ++key) {
      float sum = 0;
      for (int64_t i = 0; i < e_.q.size; ++i) sum += q[i] * root_ * (head.keys[key * e_.k.size + i] * root_);
      scores_[static_cast<size_t>(key)] = sum;
    }
    show(0);
    if (softcap_ != 0)
      for (float& score : scores_) score = softcap_ * std::tanh(score / softcap_);
    show(1);
    for (int64_t key = 0; key < e_.total; ++key) {
      const float bias = bias_(head.b, head.index, query, key);
      all_masked = all_masked && bias == kMasked;
      scores_[static_cast<size_t>(key)] += bias;
    }
    show(2);
    softmax(scores_, all_masked);
    show(3);
    std::fill_n(y, e_.v.size, 0.0f);
    for (int64_t key = 0; key < e_.total; ++key)
      for (int64_t i = 0; i < e_.v.size; ++i)
        if (const float weight = scores_[static_cast<size_t>(key)]; weight != 0)
          y[i] += weight * head.values[key * e_.v.size + i];
  }

 private:
  const EvaluateContext& context_;
  const Extents& e_;
  Bias bias_;
  float softcap_, root_ = 1;
  int64_t mode_;
  std::vector<float> scores_;
};

void copy_to(const EvaluateContext& context, size_t output, const std::vector<float>& from) {
  if (output < context.outputs.size() && context.outputs[output])
    std::copy(from.begin(), from.end(), context.outputs[output].as<float>());
}

void evaluate(const EvaluateContext& context) {
  const TensorView past_key = context.input(kPastKey), past_value = context.input(kPastValue);
  const Extents e = extents_of(context.node, context.inputs[kQuery].shape, context.inputs[kKey].shape,
                               context.inputs[kTensorValue].shape, past_key.shape);
  const std::vector<float> keys = with_past(context.inputs[kKey], e.k, past_key, e.past),
                           values = with_past(context.inputs[kTensorValue], e.v, past_value, e.past);
  copy_to(context, kPresentKey, keys);
  copy_to(context, kPresentValue, values);
  const Heads y = context.outputs[kResult].shape.size() == 4
                      ? heads_of(context.node, context.outputs[kResult].shape, "q_num_heads")
                      : Heads{e.q.batch,
                              e.q.heads,
                              e.q.length,
                              e.v.size,
                              e.v.size,
                              e.q.heads * e.v.size,
                              e.q.length * e.q.heads * e.v.size};
  float* shown = context.outputs.size() > kScores && context.outputs[kScores]
                     ? context.outputs[kScores].as<float>()
                     : nullptr;
  Attention attention(context, e);
  for (int64_t b = 0; b < e.q.batch; ++b)
    for (int64_t h = 0; h < e.q.heads; ++h) {
      const int64_t kv = b * e.k.heads + h / (e.q.heads / e.k.heads);
      const Head head{keys.data() + kv * e.total * e.k.size, values.data() + kv * e.total * e.v.size, b, h};
      for (int64_t query = 0; query < e.q.length; ++query) {
        attention.attend(head, query, context.outputs[kResult].as<float>() + y.at(b, h, query), shown);
        if (shown != nullptr) shown += e.total;
      }
    }
}

}  // namespace

void add_attention(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Attention",
                 .domain = "",
                 .min_opset = 23,
                 .max_opset = kNewestOpset,
                 .min_inputs = 3,
                 .max_inputs = 7,
                 .max_outputs = 4,
                 .infer = infer,
                 .evaluate = evaluate});
}

}  // namespace quantize
