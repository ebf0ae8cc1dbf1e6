// QLinearAveragePool and QLinearGlobalAveragePool of ONNX Runtime: means of codes, rounded once.
// Source: onnxruntime ContribOperators, com.microsoft.
#include "core/error.h"
#include "core/integer/codes.h"
#include "core/integer/integer_formulas.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/pool.h"
#include "core/ops/support/require.h"

namespace quantize {

namespace {

enum : size_t { kX = 0, kYScale = 3 };

void require_channels_first(const InferContext& context) {
  if (context.node.int_attribute("channels_last", 0) != 0)
    throw Error(ErrorKind::kUnsupported, "images with their channels last are not supported");
}

void infer_pool(InferContext& context) {
  require_codes(context, kX);
  require_channels_first(context);
  const auto x = context.shape(kX);
  const DataType dtype = code_type(context, kYScale, kX);
  if (!x) return context.set_output(0, dtype, std::nullopt);
  context.set_output(0, dtype, pool_window(context.node, *x).output_shape((*x)[0], (*x)[1]));
}

void infer_global(InferContext& context) {
  require_codes(context, kX);
  require_channels_first(context);
  auto shape = context.shape(kX);
  if (shape) {
    require(shape->size() >= 2, "the input has shape " + to_string(*shape) + ", but must be at least N x C");
    std::fill(shape->begin() + 2, shape->end(), 1);
  }
  context.set_output(0, code_type(context, kYScale, kX), shape);
}

/// Sums of code - zero point over what the window holds, for every window of every channel.
void evaluate_pool(const EvaluateContext& context) {
  const TensorView& x = context.inputs[kX];
  const ScalarParams x_params = scalar_operand(context, kX + 1), y_params = scalar_operand(context, kYScale);
  const Window window = pool_window(context.node, x.shape);
  const bool with_padding = context.node.int_attribute("count_include_pad", 0) != 0;
  const std::vector<int32_t> numbers = centred_codes(x, {x_params.zero_point}, 1);
  const std::vector<int64_t> codes(numbers.begin(), numbers.end());
  std::vector<int64_t> sums(static_cast<size_t>(window.out_size())),
      row(static_cast<size_t>(window.width().in));
  const auto& [d, h, w] = window.axes;
  CodeWriter y(context.outputs[0], y_params.zero_point);
  for (int64_t c = 0; c < x.shape[0] * x.shape[1]; ++c) {
    pool_channel(window, codes.data() + c * window.in_size(), sums.data(), row.data(), int64_t{0},
                 [](int64_t a, int64_t b) { return a + b; });
    size_t next = 0;
    for (int64_t i = 0; i < d.out; ++i)
      for (int64_t j = 0; j < h.out; ++j)
        for (int64_t k = 0; k < w.out; ++k)
          y.append(static_cast<float>(sums[next++]) *
                   mean_multiplier(x_params, y_params,
                                   qlinear_divisor(d, i, with_padding) * qlinear_divisor(h, j, with_padding) *
                                       qlinear_divisor(w, k, with_padding)));
  }
}

void evaluate_global(const EvaluateContext& context) {
  const TensorView& x = context.inputs[kX];
  const ScalarParams x_params = scalar_operand(context, kX + 1), y_params = scalar_operand(context, kYScale);
  const std::vector<int32_t> codes = centred_codes(x, {x_params.zero_point}, 1);
  const int64_t size = element_count(x.shape.subspan(2));
  const float multiplier = mean_multiplier(x_params, y_params, size);
  CodeWriter y(context.outputs[0], y_params.zero_point);
  for (int64_t c = 0; c < context.outputs[0].size(); ++c) {
    int64_t sum = 0;
    for (int64_t i = 0; i < size; ++i) sum += codes[static_cast<size_t>(c * size + i)];
    y.append(static_cast<float>(sum) * multiplier);
  }
}

OpDef pool(const char* op_type, void (*infer)(InferContext&), void (*evaluate)(const EvaluateContext&)) {
  return {.op_type = op_type,
          .domain = "com.microsoft",
          .min_opset = 1,
          .max_opset = 1,
          .min_inputs = 4,
          .max_inputs = 5,
          .infer = infer,
          .evaluate = evaluate,
          .slots = {{operand_at(0)}, 3}};
}

}  // namespace

void add_qlinear_pool(std::vector<OpDef>& ops) {
  ops.push_back(pool("QLinearAveragePool", infer_pool, evaluate_pool));
  ops.push_back(pool("QLinearGlobalAveragePool", infer_global, evaluate_global));
}

}  // namespace quantize
