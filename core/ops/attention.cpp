// Attention: softmax(Q K' * scale + bias) V per head, with masks, a cache of past keys and values, and windows.
// Read attend(), which computes one head, first.
#include "core/ops/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/ops/support/broadcast.h"
#include "core/ops/support/require.h"
#include "kernels/kernel_table.h"

namespace quantize {

namespace {

constexpr int64_t kWidest = int64_t{1} << 40;  // a window of more keys than there are
constexpr float kMasked = -std::numeric_limits<float>::infinity();

/// Inputs and outputs by position.
enum Input : size_t { kQuery, kKey, kTensorValue, kMask, kPastKey, kPastValue, kLengths };
enum Output : size_t { kResult, kPresentKey, kPresentValue, kScores };

int64_t head_count(const Node& node, const char* attribute) {
  const int64_t heads = node.int_attribute(attribute, 0);
  if (heads < 1) invalid_model("attribute '" + std::string(attribute) + "' is " + std::to_string(heads));
  return heads;
}

AttentionHeads heads_of(const Node& node, Dims x, const char* attribute) {
  if (x.size() == 4) return {x[0], x[1], x[2], x[3], x[2] * x[3], x[3], x[1] * x[2] * x[3]};
  const int64_t heads = head_count(node, attribute), size = x[2] / heads;
  return {x[0], heads, x[1], size, size, x[2], x[1] * x[2]};
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
void check_past(const std::optional<Shape>& past, const AttentionHeads& heads, int64_t length) {
  if (!past || !is_static(*past)) return;
  require(past->size() == 4 && *past == Shape{heads.batch, heads.heads, length, heads.size},
          "past keys or values of shape " + to_string(*past) + " do not fit the new ones");
}

void check_mask(const InferContext& context, const AttentionExtents& e) {
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
  const AttentionExtents e = attention_extents(context.node, *q, *k, *v, past.value_or(Shape()));
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

/// One head of queries: y = weights * values, query by query.
void attend(const Attention& attention, int64_t unit, int64_t head, const std::vector<float>& keys,
            const std::vector<float>& values) {
  const AttentionExtents& e = attention.extents();
  const float root = attention.root();
  std::vector<float> scores(static_cast<size_t>(e.total));
  for (int64_t step = 0; step < e.q.length; ++step) {
    const float *q = attention.query(unit, head, step), *key = keys.data(), *value = values.data();
    for (float& score : scores) {
      float sum = 0;
      for (int64_t i = 0; i < e.q.size; ++i) sum += q[i] * root * (key[i] * root);
      score = sum;
      key += e.k.size;
    }
    attention.weigh(unit, head, step, scores.data());
    float* y = attention.result(unit, head, step);
    std::fill_n(y, e.v.size, 0.0f);
    for (const float weight : scores) {
      for (int64_t i = 0; i < e.v.size && weight != 0; ++i) y[i] += weight * value[i];
      value += e.v.size;
    }
  }
}

void evaluate(const EvaluateContext& context) {
  const Attention attention(context);
  for (int64_t unit = 0; unit < attention.extents().units(); ++unit) {
    const std::vector<float> keys = attention.keys(unit), values = attention.values(unit);
    for (int64_t head = 0; head < attention.extents().group(); ++head)
      attend(attention, unit, head, keys, values);
  }
}

AttentionHeads heads_of_result(const AttentionExtents& e, const TensorView& y) {
  const int64_t size = e.v.size, row = e.q.heads * size;
  if (y.shape.size() == 4)
    return {e.q.batch, e.q.heads, e.q.length, size, e.q.length * size, size, e.q.length * row};
  return {e.q.batch, e.q.heads, e.q.length, size, size, row, e.q.length * row};
}

}  // namespace

AttentionExtents attention_extents(const Node& node, Dims q, Dims k, Dims v, Dims past) {
  require((q.size() == 3 || q.size() == 4) && k.size() == q.size() && v.size() == q.size(),
          "query, key and value must have three axes, or four");
  AttentionExtents e{heads_of(node, q, "q_num_heads"), heads_of(node, k, "kv_num_heads"),
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

AttentionBias::AttentionBias(const EvaluateContext& context, const AttentionExtents& e)
    : mask_(context.input(kMask)),
      is_zero_(!mask_ && !context.input(kLengths) && context.node.int_attribute("is_causal", 0) == 0 &&
               context.node.int_attribute("left_window_size", -1) < 0 &&
               context.node.int_attribute("right_window_size", -1) < 0),
      causal_(context.node.int_attribute("is_causal", 0) != 0),
      left_(std::min(context.node.int_attribute("left_window_size", -1), kWidest)),
      right_(std::min(context.node.int_attribute("right_window_size", -1), kWidest)),
      offsets_(static_cast<size_t>(e.q.batch), e.past),
      visible_(static_cast<size_t>(e.q.batch), e.total) {
  if (context.input(kLengths)) {
    visible_ = to_integers(context.inputs[kLengths]);
    for (const int64_t length : visible_)
      require(length >= 0 && length <= e.total,
              "a sequence of " + std::to_string(e.total) + " keys has length " + std::to_string(length));
    for (size_t b = 0; b < visible_.size(); ++b) offsets_[b] = visible_[b] - e.q.length;
  }
  if (!mask_) return;
  Shape shape(mask_.shape.begin(), mask_.shape.end());
  keys_ = shape.back() == 1 && e.total != 1 ? e.total : shape.back();
  strides_ = broadcast_strides(shape, Shape{e.q.batch, e.q.heads, e.q.length, keys_});
}

float AttentionBias::operator()(int64_t b, int64_t head, int64_t query, int64_t key) const {
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

Attention::Attention(const EvaluateContext& context)
    : context_(context),
      e_(attention_extents(context.node, context.inputs[kQuery].shape, context.inputs[kKey].shape,
                           context.inputs[kTensorValue].shape, context.input(kPastKey).shape)),
      bias_(context, e_),
      y_(heads_of_result(e_, context.outputs[kResult])),
      softcap_(context.node.float_attribute("softcap", 0)),
      mode_(context.node.int_attribute("qk_matmul_output_mode", 0)) {
  const double scale = context.node.has_attribute("scale")
                           ? static_cast<double>(context.node.float_attribute("scale", 1))
                           : 1 / std::sqrt(static_cast<double>(e_.q.size));
  root_ = static_cast<float>(std::sqrt(scale));
}

std::vector<float> Attention::keys(int64_t unit) const {
  return with_past(unit, context_.inputs[kKey], e_.k, kPastKey, kPresentKey);
}

std::vector<float> Attention::values(int64_t unit) const {
  return with_past(unit, context_.inputs[kTensorValue], e_.v, kPastValue, kPresentValue);
}

std::vector<float> Attention::with_past(int64_t unit, const TensorView& x, const AttentionHeads& heads,
                                        size_t past, size_t present) const {
  const int64_t size = e_.total * heads.size;
  std::vector<float> all;
  all.reserve(static_cast<size_t>(size));
  if (e_.past > 0) {
    const float* from = context_.input(past).as<float>() + unit * e_.past * heads.size;
    all.insert(all.end(), from, from + e_.past * heads.size);
  }
  for (int64_t s = 0; s < heads.length; ++s) {
    const float* from = x.as<float>() + heads.at(unit / heads.heads, unit % heads.heads, s);
    all.insert(all.end(), from, from + heads.size);
  }
  if (present < context_.outputs.size() && context_.outputs[present])
    std::copy(all.begin(), all.end(), context_.outputs[present].as<float>() + unit * size);
  return all;
}

const float* Attention::query(int64_t unit, int64_t head, int64_t step) const {
  return context_.inputs[kQuery].as<float>() + e_.q.at(unit / e_.k.heads, head_of_queries(unit, head), step);
}

float* Attention::result(int64_t unit, int64_t head, int64_t step) const {
  return context_.outputs[kResult].as<float>() + y_.at(unit / e_.k.heads, head_of_queries(unit, head), step);
}

void Attention::weigh(int64_t unit, int64_t head, int64_t step, float* scores) const {
  const int64_t b = unit / e_.k.heads, index = head_of_queries(unit, head), n = e_.total;
  const auto show = [&](int64_t mode) {
    if (mode == mode_ && context_.outputs.size() > kScores && context_.outputs[kScores])
      std::copy_n(
          scores, n,
          context_.outputs[kScores].as<float>() + ((b * e_.q.heads + index) * e_.q.length + step) * n);
  };
  show(0);
  if (softcap_ != 0) {
    std::transform(scores, scores + n, scores, [&](float score) { return score / softcap_; });
    context_.kernels.tanh_f32(scores, scores, static_cast<size_t>(n));
    std::transform(scores, scores + n, scores, [&](float score) { return score * softcap_; });
  }
  show(1);
  bool all_masked = !bias_.is_zero();
  for (int64_t key = 0; key < n && !bias_.is_zero(); ++key) {
    const float bias = bias_(b, index, step, key);
    all_masked = all_masked && bias == kMasked;
    scores[key] += bias;
  }
  show(2);
  if (all_masked)
    std::fill_n(scores, n, 0.0f);
  else
    context_.kernels.softmax_f32(scores, scores, static_cast<size_t>(n));
  show(3);
}

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
