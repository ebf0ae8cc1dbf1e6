// The Reduce* operators. One walk over the input adds every element to its accumulator; a reducer says how,
// and what becomes of the accumulator in the end. Axes are an attribute up to opset 17 (ReduceSum: 12), an
// input after.
#include <algorithm>
#include <cmath>

#include "core/ops/support/convert.h"
#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/strided.h"

namespace quantize {

namespace {

/// Which axes go. Without axes, or with an empty list, all do, unless noop_with_empty_axes keeps them.
std::vector<bool> reduced_axes(const Node& node, const std::optional<std::vector<int64_t>>& axes,
                               size_t rank) {
  if (!axes || axes->empty())
    return std::vector<bool>(rank, node.int_attribute("noop_with_empty_axes", 0) == 0);
  std::vector<bool> reduced(rank, false);
  for (int64_t axis : normalize_axes(*axes, rank)) reduced[static_cast<size_t>(axis)] = true;
  return reduced;
}

void infer(InferContext& context) {
  const auto x = context.shape(0);
  const bool keepdims = context.node.int_attribute("keepdims", 1) != 0;
  const IntegerOperand axes = integer_operand(context, "axes", 1);
  std::optional<Shape> y;
  if (x && axes.given == axes.values.has_value()) {
    const std::vector<bool> reduced = reduced_axes(context.node, axes.values, x->size());
    y.emplace();
    for (size_t i = 0; i < x->size(); ++i)
      if (!reduced[i] || keepdims) y->push_back(reduced[i] ? 1 : (*x)[i]);
  } else if (x && keepdims) {
    y = Shape(x->size(), kUnknownDim);
  }
  context.set_output(0, context.input(0).dtype, std::move(y));
}

void infer_numbers(InferContext& context) {
  require_type(context, 0, kNumberTypes);
  infer(context);
}

/// The largest and smallest may also be asked of bools, from opset 20.
void infer_selected(InferContext& context) {
  if (context.input(0).dtype == DataType::kBool)
    infer(context);
  else
    infer_numbers(context);
}

void infer_floats(InferContext& context) {
  require_type(context, 0, kFloatTypes);
  infer(context);
}

/// Sums of floats in double, of integers modulo 2^64.
template <typename T>
using Wide = std::conditional_t<std::is_floating_point_v<T>, double, uint64_t>;

template <typename T>
struct Sum {
  using Accumulator = Wide<T>;
  static constexpr Accumulator kStart = 0;
  static Accumulator step(Accumulator a, T x) { return a + static_cast<Accumulator>(x); }
  static Accumulator merge(Accumulator a, Accumulator b) { return a + b; }
  static T finish(Accumulator a, int64_t) { return static_cast<T>(a); }
};

template <typename T>
struct Mean : Sum<T> {
  static T finish(Wide<T> a, int64_t count) {
    if constexpr (std::is_floating_point_v<T>)
      return static_cast<T>(a / static_cast<double>(count));
    else
      return static_cast<T>(static_cast<int64_t>(a) / std::max<int64_t>(count, 1));
  }
};

template <typename T>
struct SumOfMagnitudes : Sum<T> {
  static Wide<T> step(Wide<T> a, T x) { return a + static_cast<Wide<T>>(x < T(0) ? negated(x) : x); }
};

template <typename T>
struct SumOfSquares : Sum<T> {
  static Wide<T> step(Wide<T> a, T x) { return a + static_cast<Wide<T>>(x) * static_cast<Wide<T>>(x); }
};

template <typename T>
struct Norm : SumOfSquares<T> {
  static T finish(Wide<T> a, int64_t) { return static_cast<T>(std::sqrt(static_cast<double>(a))); }
};

template <typename T>
struct LogOfSum : Sum<T> {
  static T finish(Wide<T> a, int64_t) { return static_cast<T>(std::log(a)); }
};

template <typename T>
struct Product {
  using Accumulator = Wide<T>;
  static constexpr Accumulator kStart = 1;
  static Accumulator step(Accumulator a, T x) { return a * static_cast<Accumulator>(x); }
  static Accumulator merge(Accumulator a, Accumulator b) { return a * b; }
  static T finish(Accumulator a, int64_t) { return static_cast<T>(a); }
};

/// std::vector<bool> has no elements to point at.
template <typename T>
using Single = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;

template <typename T>
struct Largest {
  using Accumulator = Single<T>;
  static constexpr Accumulator kStart = lowest_value<T>();
  static Accumulator step(Accumulator a, T x) { return a > x || a != a ? a : x; }
  static Accumulator merge(Accumulator a, Accumulator b) { return step(a, static_cast<T>(b)); }
  static T finish(Accumulator a, int64_t) { return static_cast<T>(a); }
};

template <typename T>
struct Smallest {
  using Accumulator = Single<T>;
  static constexpr Accumulator kStart = highest_value<T>();
  static Accumulator step(Accumulator a, T x) { return a < x || a != a ? a : x; }
  static Accumulator merge(Accumulator a, Accumulator b) { return step(a, static_cast<T>(b)); }
  static T finish(Accumulator a, int64_t) { return static_cast<T>(a); }
};

/// Reduces a row to one value in four chains, so that no step waits for the one before it.
template <typename Reducer, typename T>
typename Reducer::Accumulator reduce_row(const T* x, int64_t n) {
  typename Reducer::Accumulator chains[4] = {Reducer::kStart, Reducer::kStart, Reducer::kStart,
                                             Reducer::kStart};
  int64_t i = 0;
  for (; i + 4 <= n; i += 4)
    for (int64_t k = 0; k < 4; ++k) chains[k] = Reducer::step(chains[k], x[i + k]);
  for (; i < n; ++i) chains[0] = Reducer::step(chains[0], x[i]);
  return Reducer::merge(Reducer::merge(chains[0], chains[1]), Reducer::merge(chains[2], chains[3]));
}

/// The walk: x in order, y with stride 0 along the reduced axes.
StridedLoop reduction_loop(const EvaluateContext& context) {
  const Dims x = context.inputs[0].shape;
  const std::vector<bool> reduced = reduced_axes(context.node, integer_operand(context, "axes", 1), x.size());
  Shape kept(x.begin(), x.end());
  for (size_t i = 0; i < kept.size(); ++i)
    if (reduced[i]) kept[i] = 1;
  return {x, {strides_of(x), broadcast_strides(kept, x)}};
}

template <template <typename> typename Reducer, typename T>
void reduce(const EvaluateContext& context) {
  using R = Reducer<T>;
  const StridedLoop loop = reduction_loop(context);
  const T* x = static_cast<const T*>(context.inputs[0].data);
  const auto size = static_cast<size_t>(context.outputs[0].size());
  std::vector<typename R::Accumulator> accumulators(size, R::kStart);
  const int64_t n = loop.row_size();
  const bool row_is_reduced = loop.row_stride(1) == 0;
  loop.for_each_row([&](const int64_t* offsets) {
    auto* a = accumulators.data() + offsets[1];
    if (row_is_reduced)
      *a = R::merge(*a, reduce_row<R>(x + offsets[0], n));
    else
      for (int64_t i = 0; i < n; ++i) a[i] = R::step(a[i], x[offsets[0] + i]);
  });
  const int64_t count = context.inputs[0].size() / static_cast<int64_t>(size);
  T* y = static_cast<T*>(context.outputs[0].data);
  for (size_t i = 0; i < size; ++i) y[i] = R::finish(accumulators[i], count);
}

template <template <typename> typename Reducer>
void evaluate_numbers(const EvaluateContext& context) {
  visit_number(context.outputs[0].dtype, [&]<typename T>() { reduce<Reducer, T>(context); });
}

template <template <typename> typename Reducer>
void evaluate_selected(const EvaluateContext& context) {
  if (context.outputs[0].dtype == DataType::kBool)
    reduce<Reducer, bool>(context);
  else
    evaluate_numbers<Reducer>(context);
}

template <template <typename> typename Reducer>
void evaluate_floats(const EvaluateContext& context) {
  visit_float(context.outputs[0].dtype, [&]<typename T>() { reduce<Reducer, T>(context); });
}

/// log(sum(exp(x))) = max + log(sum(exp(x - max))), which does not overflow.
template <typename T>
void log_sum_exp(const EvaluateContext& context) {
  reduce<Largest, T>(context);
  T* y = context.outputs[0].as<T>();
  const T* x = context.inputs[0].as<T>();
  const auto size = static_cast<size_t>(context.outputs[0].size());
  std::vector<T> shift(y, y + size);
  for (T& value : shift)
    if (!std::isfinite(value)) value = 0;
  std::vector<double> sums(size, 0.0);
  const StridedLoop loop = reduction_loop(context);
  loop.for_each_row([&](const int64_t* offsets) {
    for (int64_t i = 0; i < loop.row_size(); ++i) {
      const auto place = static_cast<size_t>(offsets[1] + i * loop.row_stride(1));
      sums[place] += std::exp(static_cast<double>(x[offsets[0] + i]) - static_cast<double>(shift[place]));
    }
  });
  for (size_t i = 0; i < size; ++i) y[i] = static_cast<T>(std::log(sums[i]) + static_cast<double>(shift[i]));
}

void evaluate_log_sum_exp(const EvaluateContext& context) {
  visit_float(context.outputs[0].dtype, [&]<typename T>() { log_sum_exp<T>(context); });
}

OpDef reduction(const char* op_type, void (*infer)(InferContext&), void (*evaluate)(const EvaluateContext&),
                bool selects = false) {
  return {.op_type = op_type,
          .domain = "",
          .min_opset = 7,
          .max_opset = kNewestOpset,
          .max_inputs = 2,
          .infer = infer,
          .evaluate = evaluate,
          .selects = selects};
}

}  // namespace

void add_reduce(std::vector<OpDef>& ops) {
  ops.push_back(reduction("ReduceL1", infer_numbers, evaluate_numbers<SumOfMagnitudes>));
  ops.push_back(reduction("ReduceL2", infer_numbers, evaluate_numbers<Norm>));
  ops.push_back(reduction("ReduceLogSum", infer_floats, evaluate_floats<LogOfSum>));
  ops.push_back(reduction("ReduceLogSumExp", infer_floats, evaluate_log_sum_exp));
  ops.push_back(reduction("ReduceMax", infer_selected, evaluate_selected<Largest>, true));
  ops.push_back(reduction("ReduceMean", infer_numbers, evaluate_numbers<Mean>));
  ops.push_back(reduction("ReduceMin", infer_selected, evaluate_selected<Smallest>, true));
  ops.push_back(reduction("ReduceProd", infer_numbers, evaluate_numbers<Product>));
  ops.push_back(reduction("ReduceSum", infer_numbers, evaluate_numbers<Sum>));
  ops.push_back(reduction("ReduceSumSquare", infer_numbers, evaluate_numbers<SumOfSquares>));
}

}  // namespace quantize
