// The parts of Attention that its reference and the engine share. Read Attention, at the end, first.
#pragma once

#include <vector>

#include "core/ops/op.h"

namespace quantize {

/// A tensor of heads: rank 4 [batch, heads, length, size] or rank 3 [batch, length, heads * size].
struct AttentionHeads {
  int64_t batch, heads, length, size;
  int64_t head_stride, step_stride, batch_stride;  // in elements

  int64_t at(int64_t b, int64_t head, int64_t step) const {
    return b * batch_stride + head * head_stride + step * step_stride;
  }
};

/// The extents of a node whose input shapes are static.
struct AttentionExtents {
  AttentionHeads q, k, v;
  int64_t past, total;  // keys of the past, and all

  int64_t group() const { return q.heads / k.heads; }  // heads of queries that share one of keys
  int64_t units() const { return k.batch * k.heads; }
};

/// Errors: Error(kInvalidModel) for shapes that do not fit. `past`: of the past keys; empty without.
AttentionExtents attention_extents(const Node& node, Dims q, Dims k, Dims v, Dims past);

/// The number added to each score: 0, that of a mask, or -inf where a key is not to be seen.
class AttentionBias {
 public:
  AttentionBias(const EvaluateContext& context, const AttentionExtents& e);
  float operator()(int64_t b, int64_t head, int64_t query, int64_t key) const;
  /// True if it is 0 for every score.
  bool is_zero() const { return is_zero_; }

 private:
  TensorView mask_;
  bool is_zero_;
  bool causal_;
  int64_t left_, right_, keys_ = 0;
  std::vector<int64_t> offsets_, visible_;  // per sample of the batch
  Shape strides_;
};

/// A node of Attention as it runs. A unit is a head of keys and values of one sample, with the heads of queries that share
/// it; units do not depend on each other.
class Attention {
 public:
  explicit Attention(const EvaluateContext& context);

  const AttentionExtents& extents() const { return e_; }
  /// The factor of queries and of keys, whose product is the scale.
  float root() const { return root_; }

  /// Keys and values of a unit, those of the past first: [total][size]. They are results of the node as well.
  std::vector<float> keys(int64_t unit) const;
  std::vector<float> values(int64_t unit) const;

  /// The query of one of the heads of a unit, and where the result belongs.
  const float* query(int64_t unit, int64_t head, int64_t step) const;
  float* result(int64_t unit, int64_t head, int64_t step) const;

  /// Turns the scaled products of a query with all keys, [total], into weights that sum up to 1; zeros where every key is
  /// masked.
  void weigh(int64_t unit, int64_t head, int64_t step, float* scores) const;

 private:
  std::vector<float> with_past(int64_t unit, const TensorView& x, const AttentionHeads& heads, size_t past,
                               size_t present) const;
  int64_t head_of_queries(int64_t unit, int64_t head) const { return unit % e_.k.heads * e_.group() + head; }

  const EvaluateContext& context_;
  AttentionExtents e_;
  AttentionBias bias_;
  AttentionHeads y_;
  float softcap_, root_ = 1;
  int64_t mode_;
};

}  // namespace quantize
