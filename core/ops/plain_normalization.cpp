// Normalizations by a mean of the elements themselves: RMSNormalization, LpNormalization, MeanVarianceNormalization.
#include <cmath>

#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/strided.h"

namespace quantize {

namespace {

size_t axis_of(const Node& node, size_t rank) {
  return static_cast<size_t>(normalize_axis(node.int_attribute("axis", -1), rank));
}

void infer_rms(InferContext& context) {
  require_type(context, 0, kFloatTypes);
  require_same_type(context, 0, 1);
  const auto x = context.shape(0), scale = context.shape(1);
  if (x) {
    const Shape normalized(x->begin() + static_cast<std::ptrdiff_t>(axis_of(context.node, x->size())),
                           x->end());
    if (scale && is_static(*scale) && is_static(normalized) && broadcast(*scale, normalized) != normalized)
      invalid_model("the scale does not broadcast to the normalized axes");
  }
  infer_same_as_input(context);
}

/// y = x / sqrt(mean(x^2) + epsilon) * scale over the axes from `axis` on.
template <typename T>
void normalize_rms(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  const Dims normalized = x.shape.subspan(axis_of(context.node, x.shape.size()));
  const int64_t block = element_count(normalized);
  std::vector<T> scale(static_cast<size_t>(block));
  const TensorView& given = context.inputs[1];
  copy_strided(normalized, given.data, broadcast_strides(given.shape, normalized), scale.data(), sizeof(T));
  const double epsilon = static_cast<double>(context.node.float_attribute("epsilon", 1e-5f));
  for (int64_t begin = 0; begin < x.size(); begin += block) {
    const T* from = x.as<T>() + begin;
    double squares = 0;
    for (int64_t i = 0; i < block; ++i)
      squares += static_cast<double>(from[i]) * static_cast<double>(from[i]);
    const auto factor = static_cast<T>(1 / std::sqrt(squares / static_cast<double>(block) + epsilon));
    for (int64_t i = 0; i < block; ++i)
      context.outputs[0].as<T>()[begin + i] = from[i] * factor * scale[static_cast<size_t>(i)];
  }
}

void evaluate_rms(const EvaluateContext& context) {
  visit_float(context.inputs[0].dtype, [&]<typename T>() { normalize_rms<T>(context); });
}

int64_t norm_order(const Node& node) {
  const int64_t p = node.int_attribute("p", 2);
  if (p != 1 && p != 2)
    invalid_model("the order of LpNormalization is " + std::to_string(p) + ", not 1 or 2");
  return p;
}

void infer_lp(InferContext& context) {
  require_type(context, 0, kFloatTypes);
  norm_order(context.node);
  if (const auto x = context.shape(0)) axis_of(context.node, x->size());
  infer_same_as_input(context);
}

/// y = x / norm along the axis; 0 where the norm is.
template <typename T>
void normalize_lp(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  const bool squares = norm_order(context.node) == 2;
  const size_t axis = axis_of(context.node, x.shape.size());
  const int64_t n = x.shape[axis], inner = extent_product(x.shape, axis + 1, x.shape.size());
  for (int64_t column = 0; column < x.size() / n; ++column) {
    const int64_t first = column / inner * n * inner + column % inner;
    double sum = 0;
    for (int64_t k = 0; k < n; ++k) {
      const auto value = static_cast<double>(x.as<T>()[first + k * inner]);
      sum += squares ? value * value : std::abs(value);
    }
    const auto norm = static_cast<T>(squares ? std::sqrt(sum) : sum);
    for (int64_t k = 0; k < n; ++k) {
      const int64_t i = first + k * inner;
      context.outputs[0].as<T>()[i] = norm == T(0) ? T(0) : x.as<T>()[i] / norm;
    }
  }
}

void evaluate_lp(const EvaluateContext& context) {
  visit_float(context.inputs[0].dtype, [&]<typename T>() { normalize_lp<T>(context); });
}

std::vector<int64_t> mean_axes(const Node& node, size_t rank) {
  return normalize_axes(node.ints_attribute("axes", {0, 2, 3}), rank);
}

void infer_mean_variance(InferContext& context) {
  require_type(context, 0, kFloatTypes);
  if (const auto x = context.shape(0)) mean_axes(context.node, x->size());
  infer_same_as_input(context);
}

/// y = (x - mean) / (deviation + 1e-9), with the mean of all elements that differ only in `axes`.
template <typename T>
void normalize_mean_variance(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  Shape kept(x.shape.begin(), x.shape.end());
  for (const int64_t axis : mean_axes(context.node, kept.size())) kept[static_cast<size_t>(axis)] = 1;
  const StridedLoop loop(x.shape, {strides_of(x.shape), broadcast_strides(kept, x.shape)});
  const auto groups = static_cast<size_t>(element_count(kept));
  std::vector<double> sums(groups, 0), squares(groups, 0);
  const auto each = [&](auto&& body) {
    loop.for_each_row([&](const int64_t* offsets) {
      for (int64_t i = 0; i < loop.row_size(); ++i)
        body(offsets[0] + i, static_cast<size_t>(offsets[1] + i * loop.row_stride(1)));
    });
  };
  const double count = static_cast<double>(x.size()) / static_cast<double>(groups);
  each([&](int64_t i, size_t group) { sums[group] += static_cast<double>(x.as<T>()[i]) / count; });
  each([&](int64_t i, size_t group) {
    const double distance = static_cast<double>(x.as<T>()[i]) - sums[group];
    squares[group] += distance * distance / count;
  });
  each([&](int64_t i, size_t group) {
    context.outputs[0].as<T>()[i] = static_cast<T>((static_cast<double>(x.as<T>()[i]) - sums[group]) /
                                                   (std::sqrt(squares[group]) + 1e-9));
  });
}

void evaluate_mean_variance(const EvaluateContext& context) {
  visit_float(context.inputs[0].dtype, [&]<typename T>() { normalize_mean_variance<T>(context); });
}

OpDef normalization(const char* op_type, int min_opset, size_t inputs, void (*infer)(InferContext&),
                    void (*evaluate)(const EvaluateContext&)) {
  return {.op_type = op_type,
          .domain = "",
          .min_opset = min_opset,
          .max_opset = kNewestOpset,
          .min_inputs = inputs,
          .max_inputs = inputs,
          .infer = infer,
          .evaluate = evaluate};
}

}  // namespace

void add_plain_normalization(std::vector<OpDef>& ops) {
  ops.push_back(normalization("LpNormalization", 7, 1, infer_lp, evaluate_lp));
  ops.push_back(
      normalization("MeanVarianceNormalization", 9, 1, infer_mean_variance, evaluate_mean_variance));
  ops.push_back(normalization("RMSNormalization", 23, 2, infer_rms, evaluate_rms));
}

}  // namespace quantize
