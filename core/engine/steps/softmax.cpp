// The fast forms of Softmax, LogSoftmax and QLinearSoftmax.
#include <algorithm>

#include "core/engine/steps/step.h"
#include "core/integer/integer_formulas.h"

namespace quantize {

namespace {

template <bool kLog>
StepFunction compile_softmax(CompileContext& context) {
  const SoftmaxExtents extents = softmax_extents(context.node, context.opset, context.shape(0));
  const int64_t units = softmax_units(extents);
  const double elements =
      static_cast<double>(extents.outer * extents.inner) * static_cast<double>(extents.length);
  const size_t chunks = context.chunks = context.cut(kCoarseChunks, elements, units);
  return [extents, units, chunks](const StepContext& call) {
    const auto [begin, end] = units_of(call, units, chunks);
    softmax_part(call, extents, begin, end, kLog);
  };
}

enum : size_t { kX = 0, kYScale = 3 };  // inputs of QLinearSoftmax

/// Rows, or columns that lie side by side.
struct IntegerSoftmax {
  /// The work is cut between rows, or between blocks of columns.
  static constexpr int64_t kBlock = 256;

  int64_t blocks() const { return extents.inner == 1 ? 1 : (extents.inner + kBlock - 1) / kBlock; }
  int64_t units() const { return extents.outer * blocks(); }

  void run(const StepContext& context) const {
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

StepFunction compile_qlinear_softmax(CompileContext& context) {
  const Node& node = context.node;
  const auto is_u8 = [&](ValueId id) { return context.graph.value(id).dtype == DataType::kU8; };
  if (!is_u8(node.inputs[kX]) || !is_u8(node.outputs[0]) || !has_scalar_params(context.graph, node, kX + 1) ||
      !has_scalar_params(context.graph, node, kYScale))
    return nullptr;
  IntegerSoftmax step{qlinear_softmax_extents(node, context.shape(kX)),
                      scalar_params(context.graph, node, kX + 1),
                      scalar_params(context.graph, node, kYScale)};
  const auto length = static_cast<size_t>(step.extents.length);
  if (step.extents.inner != 1 && length > kSoftmaxMostRows) return nullptr;
  const double codes = static_cast<double>(element_count(context.shape(kX)));
  context.chunks = step.chunks = context.cut(kCoarseChunks, codes / 2, step.units());
  context.scratch_bytes = length * (step.extents.inner == 1 ? 1 : kSoftmaxColumns) * sizeof(float);
  return [step](const StepContext& run) { step.run(run); };
}

}  // namespace

void add_softmax_steps(std::vector<EngineForm>& forms) {
  forms.push_back({.op_type = "LogSoftmax", .domain = "", .compile = compile_softmax<true>});
  forms.push_back({.op_type = "Softmax", .domain = "", .compile = compile_softmax<false>});
  forms.push_back(
      {.op_type = "QLinearSoftmax", .domain = "com.microsoft", .compile = compile_qlinear_softmax});
}

}  // namespace quantize
