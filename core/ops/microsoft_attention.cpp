// Attention and MultiHeadAttention of ONNX Runtime: what its tool for transformers writes for the attention of ViT.
// Source: onnxruntime ContribOperators, com.microsoft.Attention and com.microsoft.MultiHeadAttention.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/ops/support/broadcast.h"
#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/require.h"
#include "kernels/kernel_table.h"

namespace quantize {

namespace {

/// Inputs by position; Attention has one input and one matrix of weights for queries, keys and values.
enum : size_t { kInput = 0, kWeights = 1, kBias = 2 };
enum : size_t { kQuery = 0, kKey = 1, kTensorValue = 2, kMultiBias = 3 };
constexpr size_t kAttentionBias = 5;  // of both operators

int64_t heads_of(const Node& node) {
  const int64_t heads = node.int_attribute("num_heads", 0);
  require(heads > 0, "attribute 'num_heads' is " + std::to_string(heads));
  return heads;
}

/// Refuses what only text models have: masks, a past, rotation.
void check(const InferContext& context) {
  heads_of(context.node);
  for (size_t i = 0; i < context.input_count(); ++i) require_type(context, i, kF32Only);
  const bool is_multi = context.node.op_type == "MultiHeadAttention";
  for (size_t i = is_multi ? 4 : 3; i < context.input_count(); ++i)
    if (i != kAttentionBias && context.has_input(i))
      throw Error(ErrorKind::kUnsupported, context.node.op_type +
                                               " of com.microsoft with a mask or a past is not supported; "
                                               "export the model without ONNX Runtime's optimization");
  for (const char* name : {"do_rotary", "past_present_share_buffer"})
    require(context.node.int_attribute(name, 0) == 0,
            "attribute '" + std::string(name) + "' is not supported by " + context.node.op_type);
}

/// Columns of queries, keys and values in the weights of Attention.
std::array<int64_t, 3> widths_of(const Node& node, int64_t columns) {
  const auto given = node.ints_attribute("qkv_hidden_sizes", {});
  require(given.empty() || given.size() == 3, "attribute 'qkv_hidden_sizes' does not have three numbers");
  if (given.empty()) return {columns / 3, columns / 3, columns / 3};
  return {given[0], given[1], given[2]};
}

void check_widths(int64_t heads, int64_t q, int64_t k, int64_t v) {
  require(q > 0 && v > 0 && q == k && q % heads == 0 && v % heads == 0,
          "queries, keys and values of " + std::to_string(q) + ", " + std::to_string(k) + " and " +
              std::to_string(v) + " columns do not divide into " + std::to_string(heads) + " heads");
}

void infer_attention(InferContext& context) {
  check(context);
  const auto x = context.shape(kInput), w = context.shape(kWeights);
  if (!x || !w || !is_static(*w)) return context.set_output(0, DataType::kF32, std::nullopt);
  require(x->size() == 3 && w->size() == 2 && compatible((*x)[2], (*w)[0]),
          "an input of shape " + to_string(*x) + " and weights of shape " + to_string(*w) + " do not fit");
  const auto [q, k, v] = widths_of(context.node, (*w)[1]);
  check_widths(heads_of(context.node), q, k, v);
  require(q + k + v == (*w)[1], "the weights do not have the columns that qkv_hidden_sizes says");
  require_vector(context, kBias, (*w)[1]);
  context.set_output(0, DataType::kF32, Shape{(*x)[0], (*x)[1], v});
}

void infer_multi(InferContext& context) {
  check(context);
  const auto q = context.shape(kQuery), k = context.shape(kKey), v = context.shape(kTensorValue);
  if (!context.has_input(kKey) || !context.has_input(kTensorValue))
    throw Error(ErrorKind::kUnsupported,
                "MultiHeadAttention with packed inputs is not supported; give query, key and value");
  if (!q || !k || !v || !is_static(*q) || !is_static(*k) || !is_static(*v))
    return context.set_output(0, DataType::kF32, std::nullopt);
  require(q->size() == 3 && k->size() == 3 && v->size() == 3 && (*q)[0] == (*k)[0] && (*k)[0] == (*v)[0] &&
              (*k)[1] == (*v)[1],
          "query, key and value of shapes " + to_string(*q) + ", " + to_string(*k) + " and " + to_string(*v) +
              " do not fit");
  check_widths(heads_of(context.node), (*q)[2], (*k)[2], (*v)[2]);
  require_vector(context, kMultiBias, (*q)[2] + (*k)[2] + (*v)[2]);
  context.set_output(0, DataType::kF32, Shape{(*q)[0], (*q)[1], (*v)[2]});
}

/// Rows of queries, keys and values: [batch][length][width], a row `stride` after the one before.
struct Rows {
  const float* data;
  int64_t length, width, stride;

  const float* at(int64_t batch, int64_t step) const { return data + (batch * length + step) * stride; }
  /// Some columns of one sample.
  MatrixF32 matrix(int64_t batch, int64_t first, int64_t columns) const {
    return {.data = at(batch, 0) + first,
            .rows = static_cast<size_t>(length),
            .columns = static_cast<size_t>(columns),
            .row_stride = static_cast<size_t>(stride)};
  }
};

/// c = a * b + column_bias, all but a row-major.
struct Product {
  MatrixF32 a;
  const float* b = nullptr;
  size_t b_stride = 0, columns = 0;
  const float* column_bias = nullptr;  // or null
  float* c = nullptr;
  size_t c_stride = 0;
};

void multiply(const KernelTable& kernels, const Product& p) {
  std::vector<float> packed(packed_gemm_a_bytes(kernels, p.a.rows, p.a.columns) / sizeof(float));
  pack_gemm_a_f32(kernels, p.a, packed.data());
  std::vector<size_t> rows(p.a.columns);
  for (size_t k = 0; k < rows.size(); ++k) rows[k] = k * p.b_stride;
  kernels.gemm_f32({.m = p.a.rows,
                    .n = p.columns,
                    .k = p.a.columns,
                    .a = packed.data(),
                    .b = p.b,
                    .b_rows = rows.data(),
                    .segment = p.columns,
                    .c = p.c,
                    .ldc = p.c_stride,
                    .column_bias = p.column_bias,
                    .low = -HUGE_VALF,
                    .high = HUGE_VALF});
}

class Heads {
 public:
  Heads(const EvaluateContext& context, int64_t batches, const Rows& q, const Rows& k, const Rows& v)
      : context_(context),
        heads_(heads_of(context.node)),
        q_(q),
        k_(k),
        v_(v),
        bias_(context.input(kAttentionBias)),
        causal_(context.node.int_attribute("unidirectional", 0) != 0),
        scale_(context.node.float_attribute("scale", 0)) {
    if (scale_ == 0) scale_ = 1 / std::sqrt(static_cast<float>(q.width / heads_));
    scores_.resize(static_cast<size_t>(q.length * k.length));
    keys_.resize(static_cast<size_t>(k.length * (k.width / heads_)));
    const Shape all{batches, heads_, q.length, k.length};
    require(!bias_ || broadcast(bias_.shape, all) == all, "the bias of attention does not broadcast");
    if (bias_) bias_strides_ = broadcast_strides(bias_.shape, all);
    for (int64_t b = 0; b < batches; ++b)
      for (int64_t head = 0; head < heads_; ++head) attend(b, head);
  }

 private:
  /// Softmax(q k' * scale + bias) v of one head.
  void attend(int64_t b, int64_t head) {
    const int64_t size = q_.width / heads_, out = v_.width / heads_, keys = k_.length;
    for (int64_t i = 0; i < keys; ++i)
      for (int64_t c = 0; c < size; ++c)
        keys_[static_cast<size_t>(c * keys + i)] = k_.at(b, i)[head * size + c];
    multiply(context_.kernels, {.a = q_.matrix(b, head * size, size),
                                .b = keys_.data(),
                                .b_stride = static_cast<size_t>(keys),
                                .columns = static_cast<size_t>(keys),
                                .c = scores_.data(),
                                .c_stride = static_cast<size_t>(keys)});
    for (int64_t step = 0; step < q_.length; ++step) weigh(b, head, step);
    const auto rows = static_cast<size_t>(q_.length), columns = static_cast<size_t>(keys);
    multiply(context_.kernels,
             {.a = {.data = scores_.data(), .rows = rows, .columns = columns, .row_stride = columns},
              .b = v_.at(b, 0) + head * out,
              .b_stride = static_cast<size_t>(v_.stride),
              .columns = static_cast<size_t>(out),
              .c = context_.outputs[0].as<float>() + b * q_.length * v_.width + head * out,
              .c_stride = static_cast<size_t>(v_.width)});
  }

  /// Makes weights of the products of one query with all keys; 0 for those that it does not see.
  void weigh(int64_t b, int64_t head, int64_t step) {
    const int64_t last = causal_ ? step + 1 + k_.length - q_.length : k_.length;
    const int64_t keys = std::clamp<int64_t>(last, 0, k_.length);
    float* const scores = scores_.data() + step * k_.length;
    for (int64_t i = 0; i < keys; ++i) scores[i] = scores[i] * scale_ + bias_at(b, head, step, i);
    if (keys > 0) context_.kernels.softmax_f32(scores, scores, static_cast<size_t>(keys));
    std::fill(scores + keys, scores + k_.length, 0.0f);
  }

  float bias_at(int64_t b, int64_t head, int64_t step, int64_t key) const {
    if (!bias_) return 0;
    return bias_.as<float>()[b * bias_strides_[0] + head * bias_strides_[1] + step * bias_strides_[2] +
                             key * bias_strides_[3]];
  }

  const EvaluateContext& context_;
  int64_t heads_;
  Rows q_, k_, v_;
  TensorView bias_;
  Shape bias_strides_;
  bool causal_;
  float scale_;
  std::vector<float> scores_, keys_;  // [queries][keys]; of one head, [size][keys]
};

void evaluate_attention(const EvaluateContext& context) {
  const TensorView &x = context.inputs[kInput], &w = context.inputs[kWeights], bias = context.input(kBias);
  const int64_t rows = x.shape[0] * x.shape[1], inner = w.shape[0], columns = w.shape[1];
  std::vector<float> y(static_cast<size_t>(rows * columns));
  multiply(context.kernels, {.a = {.data = x.as<float>(),
                                   .rows = static_cast<size_t>(rows),
                                   .columns = static_cast<size_t>(inner),
                                   .row_stride = static_cast<size_t>(inner)},
                             .b = w.as<float>(),
                             .b_stride = static_cast<size_t>(columns),
                             .columns = static_cast<size_t>(columns),
                             .column_bias = bias ? bias.as<float>() : nullptr,
                             .c = y.data(),
                             .c_stride = static_cast<size_t>(columns)});
  const auto [q, k, v] = widths_of(context.node, columns);
  const int64_t length = x.shape[1];
  Heads(context, x.shape[0], {y.data(), length, q, columns}, {y.data() + q, length, k, columns},
        {y.data() + q + k, length, v, columns});
}

/// The rows of input i plus its part of the bias.
std::vector<float> biased(const EvaluateContext& context, size_t i, int64_t first) {
  const TensorView &x = context.inputs[i], bias = context.input(kMultiBias);
  std::vector<float> y(x.as<float>(), x.as<float>() + x.size());
  const int64_t width = x.shape[2];
  for (int64_t j = 0; bias && j < x.size(); ++j)
    y[static_cast<size_t>(j)] += bias.as<float>()[first + j % width];
  return y;
}

void evaluate_multi(const EvaluateContext& context) {
  const Dims q = context.inputs[kQuery].shape, k = context.inputs[kKey].shape,
             v = context.inputs[kTensorValue].shape;
  const auto queries = biased(context, kQuery, 0), keys = biased(context, kKey, q[2]),
             values = biased(context, kTensorValue, q[2] + k[2]);
  Heads(context, q[0], {queries.data(), q[1], q[2], q[2]}, {keys.data(), k[1], k[2], k[2]},
        {values.data(), v[1], v[2], v[2]});
}

}  // namespace

void add_microsoft_attention(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Attention",
                 .domain = "com.microsoft",
                 .min_opset = 1,
                 .max_opset = 1,
                 .min_inputs = 2,
                 .max_inputs = 7,
                 .max_outputs = 1,
                 .infer = infer_attention,
                 .evaluate = evaluate_attention});
  ops.push_back({.op_type = "MultiHeadAttention",
                 .domain = "com.microsoft",
                 .min_opset = 1,
                 .max_opset = 1,
                 .min_inputs = 1,
                 .max_inputs = 10,
                 .max_outputs = 1,
                 .infer = infer_multi,
                 .evaluate = evaluate_multi});
}

}  // namespace quantize
