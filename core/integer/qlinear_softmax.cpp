// QLinearSoftmax of ONNX Runtime: a softmax of codes. Source: onnxruntime ContribOperators, com.microsoft.
#include <algorithm>
#include <vector>

#include "core/integer/codes.h"
#include "core/ops/softmax.h"
#include "core/ops/support/operands.h"

namespace quantize {

namespace {

enum : size_t { kX = 0, kYScale = 3 };

/// The operator means what Softmax means in the opset that it names.
SoftmaxExtents extents_of(const Node& node, Dims x) {
  return softmax_extents(node, node.int_attribute("opset", 13), x);
}

void infer(InferContext& context) {
  require_codes(context, kX);
  const auto x = context.shape(kX);
  if (x && is_static(*x)) extents_of(context.node, *x);
  context.set_output(0, code_type(context, kYScale, kX), x);
}

/// Codes of s8 are those of u8 less 128.
uint8_t shift_of(DataType dtype) {
  return dtype == DataType::kS8 ? 128 : 0;
}

void evaluate(const EvaluateContext& context) {
  const auto [outer, length, inner] = extents_of(context.node, context.inputs[kX].shape);
  const ScalarParams x_params = scalar_operand(context, kX + 1), y_params = scalar_operand(context, kYScale);
  const uint8_t x_shift = shift_of(context.inputs[kX].dtype), y_shift = shift_of(context.outputs[0].dtype);
  const auto* x = static_cast<const uint8_t*>(context.inputs[kX].data);
  auto* y = static_cast<uint8_t*>(context.outputs[0].data);
  std::vector<uint8_t> row(static_cast<size_t>(length));
  std::vector<float> reals(row.size());
  for (int64_t i = 0; i < outer * inner; ++i) {
    const int64_t first = i / inner * length * inner + i % inner;
    for (size_t k = 0; k < row.size(); ++k)
      row[k] = static_cast<uint8_t>(x[first + static_cast<int64_t>(k) * inner] + x_shift);
    context.kernels.softmax_u8({row.data(), row.data(), reals.data(), row.size(), x_params.scale,
                                y_params.scale, y_params.zero_point + y_shift});
    for (size_t k = 0; k < row.size(); ++k)
      y[first + static_cast<int64_t>(k) * inner] = static_cast<uint8_t>(row[k] - y_shift);
  }
}

/// Rows, or columns that lie side by side.
struct SoftmaxStep {
  /// The work is cut between rows, or between blocks of columns.
  static constexpr int64_t kBlock = 256;

  int64_t blocks() const { return extents.inner == 1 ? 1 : (extents.inner + kBlock - 1) / kBlock; }
  int64_t units() const { return extents.outer * blocks(); }

  void run(const EvaluateContext& context) const {
    const UnitRange range = units_of(context, units(), chunks);
    SoftmaxU8 call;
    call.reals = reinterpret_cast<float*>(context.scratch.data());
    call.n = static_cast<size_t>(extents.length);
    call.x_scale = x.scale;
    call.y_scale = y.scale;
    call.zero_point = y.zero_point;
    call.stride = static_cast<size_t>(extents.inner);
    for (int64_t unit = range.begin; unit < range.end; ++unit) {
      const int64_t column = unit % blocks() * kBlock;
      const int64_t first = unit / blocks() * extents.length * extents.inner + column;
      call.columns = static_cast<size_t>(std::min(kBlock, extents.inner - column));
      call.x = static_cast<const uint8_t*>(context.inputs[kX].data) + first;
      call.y = static_cast<uint8_t*>(context.outputs[0].data) + first;
      (extents.inner == 1 ? context.kernels.softmax_u8 : context.kernels.softmax_columns_u8)(call);
    }
  }

  SoftmaxExtents extents;
  ScalarParams x, y;
  size_t chunks = 1;
};

StepFunction compile(CompileContext& context) {
  const Node& node = context.node;
  const auto is_u8 = [&](ValueId id) { return context.graph.value(id).dtype == DataType::kU8; };
  if (!is_u8(node.inputs[kX]) || !is_u8(node.outputs[0]) || !has_scalar_params(context.graph, node, kX + 1) ||
      !has_scalar_params(context.graph, node, kYScale))
    return nullptr;
  SoftmaxStep step{extents_of(node, context.shape(kX)), scalar_params(context.graph, node, kX + 1),
                   scalar_params(context.graph, node, kYScale)};
  const auto length = static_cast<size_t>(step.extents.length);
  if (step.extents.inner != 1 && length > kSoftmaxMostRows) return nullptr;
  const double codes = static_cast<double>(element_count(context.shape(kX)));
  context.chunks = step.chunks = context.chunks_for(step.units(), codes / 2000);
  context.scratch_bytes = length * (step.extents.inner == 1 ? 1 : kSoftmaxColumns) * sizeof(float);
  return [step](const EvaluateContext& run) { step.run(run); };
}

}  // namespace

void add_qlinear_softmax(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "QLinearSoftmax",
                 .domain = "com.microsoft",
                 .min_opset = 1,
                 .max_opset = 1,
                 .min_inputs = 5,
                 .max_inputs = 5,
                 .infer = infer,
                 .evaluate = evaluate,
                 .compile = compile,
                 .code_slots = [](const Node&) {
                   return CodeSlots{{{kX, kX + 1, kX + 2}}, kYScale};
                 }});
}

}  // namespace quantize
