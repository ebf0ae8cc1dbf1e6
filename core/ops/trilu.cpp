// Trilu: the upper or lower triangle of matrices; zeros stand in the other. EyeLike: ones on a diagonal.
#include <algorithm>
#include <cstring>

#include "core/ops/support/convert.h"
#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"

namespace quantize {

namespace {

void infer_trilu(InferContext& context) {
  const auto x = context.shape(0);
  if (x && x->size() < 2) invalid_model("the input has shape " + to_string(*x) + ", which is no matrix");
  require_type(context, 1, kIndexTypes);
  only_integer(context, 1);
  infer_same_as_input(context);
}

/// Column j of row i belongs to the upper triangle if j - i >= k, to the lower if j - i <= k.
void evaluate_trilu(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  const bool upper = context.node.int_attribute("upper", 1) != 0;
  const int64_t rows = x.shape[x.shape.size() - 2], columns = x.shape.back();
  // Beyond these all diagonals are alike.
  const int64_t k =
      context.input(1) ? std::clamp(only_integer(context.inputs[1]), -rows - 1, columns + 1) : 0;
  const auto width = static_cast<int64_t>(size_of(x.dtype));
  const auto* from = static_cast<const std::byte*>(x.data);
  auto* to = static_cast<std::byte*>(context.outputs[0].data);
  for (int64_t row = 0; row < x.size() / columns; ++row, from += columns * width, to += columns * width) {
    const int64_t i = row % rows;
    const int64_t first = upper ? std::clamp<int64_t>(i + k, 0, columns) : 0;
    const int64_t last = upper ? columns : std::clamp<int64_t>(i + k + 1, 0, columns);
    std::memset(to, 0, static_cast<size_t>(columns * width));
    if (first < last)
      std::memcpy(to + first * width, from + first * width, static_cast<size_t>((last - first) * width));
  }
}

void infer_eye_like(InferContext& context) {
  const auto x = context.shape(0);
  if (x && x->size() != 2) invalid_model("the input has shape " + to_string(*x) + ", which is no matrix");
  const int64_t wanted = context.node.int_attribute("dtype", 0);
  const DataType dtype = wanted == 0 ? context.input(0).dtype : static_cast<DataType>(wanted);
  if (dtype != DataType::kUndefined && dtype != DataType::kBool &&
      std::find(kNumberTypes.begin(), kNumberTypes.end(), dtype) == kNumberTypes.end())
    throw Error(
        ErrorKind::kUnsupported,
        "EyeLike of data type number " + std::to_string(static_cast<int64_t>(dtype)) + " is not supported");
  context.set_output(0, dtype, x);
}

template <typename T>
void fill_diagonal(const EvaluateContext& context) {
  const MutableTensorView& y = context.outputs[0];
  const int64_t k = std::clamp(context.node.int_attribute("k", 0), -y.shape[0], y.shape[1]);
  std::fill_n(y.as<T>(), y.size(), T(0));
  for (int64_t i = std::max<int64_t>(0, -k); i < y.shape[0] && i + k < y.shape[1]; ++i)
    y.as<T>()[i * y.shape[1] + i + k] = T(1);
}

void evaluate_eye_like(const EvaluateContext& context) {
  if (context.outputs[0].dtype == DataType::kBool) return fill_diagonal<bool>(context);
  visit_number(context.outputs[0].dtype, [&]<typename T>() { fill_diagonal<T>(context); });
}

}  // namespace

void add_trilu(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "EyeLike",
                 .domain = "",
                 .min_opset = 9,
                 .max_opset = kNewestOpset,
                 .infer = infer_eye_like,
                 .evaluate = evaluate_eye_like,
                 .reads_shape_only = true});
  ops.push_back({.op_type = "Trilu",
                 .domain = "",
                 .min_opset = 14,
                 .max_opset = kNewestOpset,
                 .max_inputs = 2,
                 .infer = infer_trilu,
                 .evaluate = evaluate_trilu});
}

}  // namespace quantize
