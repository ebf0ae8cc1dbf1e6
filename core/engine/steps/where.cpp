// QLinearWhere on row-major codes: one table per operand.
#include <algorithm>

#include "core/engine/steps/pixel_steps.h"
#include "core/integer/integer_formulas.h"

namespace quantize {

namespace {

constexpr size_t kCondition = 0, kX = 1, kY = 4, kZScale = 7;
constexpr int64_t kUnit = 64;  // elements: no two threads write to one cache line

/// True if `part` has the last axes of `whole`: then it repeats in memory.
bool repeats_in(const Shape& part, const Shape& whole) {
  const auto is_extent = [](int64_t extent) { return extent != 1; };
  const Shape own(std::find_if(part.begin(), part.end(), is_extent), part.end());
  return own.size() <= whole.size() && std::equal(own.rbegin(), own.rend(), whole.rbegin());
}

struct Where {
  void run(const StepContext& context) const;

  std::vector<uint8_t> x_table, y_table;
  int64_t size, repeat;  // elements of the result, and after how many the condition begins anew
  size_t chunks = 1;
};

void Where::run(const StepContext& context) const {
  const bool* condition = context.inputs[kCondition].as<bool>();
  const auto *x = context.inputs[kX].as<uint8_t>(), *y = context.inputs[kY].as<uint8_t>();
  auto* z = context.outputs[0].as<uint8_t>();
  const UnitRange units = units_of(context, (size + kUnit - 1) / kUnit, chunks);
  const int64_t end = std::min(units.end * kUnit, size);
  for (int64_t i = units.begin * kUnit; i < end;) {
    const bool* row = condition + i % repeat;
    const int64_t count = std::min(repeat - i % repeat, end - i);
    for (int64_t k = 0; k < count; ++k) z[i + k] = row[k] ? x_table[x[i + k]] : y_table[y[i + k]];
    i += count;
  }
}

/// Operands of u8 and of the result's shape, with constant scales, and a condition that repeats in it.
StepFunction compile_where(CompileContext& context) {
  const Graph& graph = context.graph;
  const Node& node = context.node;
  const Shape& shape = context.output_shape();
  if (!is_plain_u8(graph, node) || context.shape(kX) != shape || context.shape(kY) != shape ||
      !repeats_in(context.shape(kCondition), shape))
    return nullptr;
  const ScalarParams z = scalar_params(graph, node, kZScale);
  Where step{requantize_table(scalar_params(graph, node, kX + 1), z),
             requantize_table(scalar_params(graph, node, kY + 1), z), element_count(shape),
             element_count(context.shape(kCondition))};
  step.chunks = context.cut(kFineChunks, static_cast<double>(step.size) / 2, (step.size + kUnit - 1) / kUnit);
  context.chunks = step.chunks;
  return [step = std::move(step)](const StepContext& run) { step.run(run); };
}

}  // namespace

void add_where_steps(std::vector<EngineForm>& forms) {
  forms.push_back({.op_type = "QLinearWhere", .domain = "com.microsoft", .compile = compile_where});
}

}  // namespace quantize
