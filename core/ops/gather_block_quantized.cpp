// GatherBlockQuantized of ONNX Runtime: slices of a table of codes at the indices, as reals by a scale per block.
// Source: onnxruntime ContribOperators, com.microsoft.GatherBlockQuantized.
#include <vector>

#include "core/ops/support/element_types.h"
#include "core/ops/support/index.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/require.h"

namespace quantize {

namespace {

enum : size_t { kTable = 0, kIndices = 1, kScales = 2, kZeroPoints = 3 };

struct Axes {
  size_t gathered, blocks;
  int64_t block;
};

Axes axes_of(const Node& node, size_t rank) {
  const Axes axes{static_cast<size_t>(normalize_axis(node.int_attribute("gather_axis", 0), rank)),
                  static_cast<size_t>(normalize_axis(node.int_attribute("quantize_axis", 1), rank)),
                  node.int_attribute("block_size", 128)};
  require(axes.gathered != axes.blocks, "attributes gather_axis and quantize_axis name one axis");
  require(
      axes.block >= 16 && (axes.block & (axes.block - 1)) == 0,
      "attribute 'block_size' is " + std::to_string(axes.block) + ", but must be a power of two from 16 on");
  return axes;
}

void infer(InferContext& context) {
  constexpr std::array kTables{DataType::kU4, DataType::kS4};
  if (context.input(kTable).dtype == DataType::kU8)
    throw Error(ErrorKind::kUnsupported,
                "GatherBlockQuantized with a table of u8 is not supported; store it as s4 or u4");
  require_type(context, kTable, kTables);
  require_type(context, kIndices, kIndexTypes);
  require_type(context, kScales, kF32Only);
  require_type(context, kZeroPoints, kTables);
  const auto table = context.shape(kTable), indices = context.shape(kIndices);
  std::optional<Shape> y;
  if (table) {
    const Axes axes = axes_of(context.node, table->size());
    Shape scales = *table;
    int64_t& extent = scales[axes.blocks];
    if (extent != kUnknownDim) extent = extent / axes.block + (extent % axes.block != 0);
    for (const size_t i : {kScales, kZeroPoints})
      if (const auto own = context.shape(i); own && is_static(*own) && is_static(scales))
        require(*own == scales, "input " + std::to_string(i) + " of shape " + to_string(*own) +
                                    " is not one number per block, " + to_string(scales));
    if (indices) {
      const auto at = static_cast<std::ptrdiff_t>(axes.gathered);
      y = Shape(table->begin(), table->begin() + at);
      y->insert(y->end(), indices->begin(), indices->end());
      y->insert(y->end(), table->begin() + at + 1, table->end());
    }
  }
  context.set_output(0, DataType::kF32, std::move(y));
}

/// In memory, a code has a byte.
float code_at(const TensorView& codes, int64_t i) {
  return codes.dtype == DataType::kS4 ? static_cast<float>(static_cast<const int8_t*>(codes.data)[i])
                                      : static_cast<float>(static_cast<const uint8_t*>(codes.data)[i]);
}

void evaluate(const EvaluateContext& context) {
  const TensorView &table = context.inputs[kTable], zero_points = context.input(kZeroPoints);
  const Axes axes = axes_of(context.node, table.shape.size());
  const int64_t extent = table.shape[axes.gathered];
  const int64_t inner = extent_product(table.shape, axes.gathered + 1, table.shape.size());
  const int64_t behind = extent_product(table.shape, axes.blocks + 1, table.shape.size());
  const int64_t length = table.shape[axes.blocks], blocks = (length + axes.block - 1) / axes.block;
  const float* scales = context.inputs[kScales].as<float>();
  const auto real_at = [&](int64_t i) {
    const int64_t place = i / behind % length, row = i / behind / length;
    const int64_t scale = (row * blocks + place / axes.block) * behind + i % behind;
    return (code_at(table, i) - (zero_points ? code_at(zero_points, scale) : 0.0f)) * scales[scale];
  };
  auto* y = context.outputs[0].as<float>();
  const std::vector<int64_t> indices = to_integers(context.inputs[kIndices]);
  for (int64_t outer = 0; outer < table.size() / (extent * inner); ++outer)
    for (const int64_t index : indices)
      for (int64_t i = 0; i < inner; ++i)
        *y++ = real_at((outer * extent + checked_index(index, extent)) * inner + i);
}

}  // namespace

void add_gather_block_quantized(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "GatherBlockQuantized",
                 .domain = "com.microsoft",
                 .min_opset = 1,
                 .max_opset = 1,
                 .min_inputs = 3,
                 .max_inputs = 4,
                 .infer = infer,
                 .evaluate = evaluate});
}

}  // namespace quantize
