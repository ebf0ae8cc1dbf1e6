// FusedConv: the engine's form of QLinearConv. It exists only as a step on pixels.
#include "core/ops/fused_conv.h"

#include "core/engine/integer/integer_passes.h"
#include "core/error.h"
#include "core/ops/conv.h"
#include "core/ops/operands.h"
#include "core/ops/window.h"

namespace quantize {

namespace {

void infer(InferContext& context) {
  const auto x = context.shape(0), w = context.shape(3);
  std::optional<Shape> y;
  if (x && w && w->size() >= 2) y = conv_window(context.node, *x, *w).output_shape((*x)[0], (*w)[0]);
  context.set_output(0, DataType::kU8, std::move(y));
}

void evaluate(const EvaluateContext&) {
  throw Error(ErrorKind::kInternal, "FusedConv is made for pixels only");
}

}  // namespace

void add_fused_conv(std::vector<OpDef>& ops) {
  ops.push_back(
      {.op_type = "FusedConv",
       .domain = kEngineDomain,
       .min_opset = 1,
       .max_opset = 1,
       .min_inputs = kFusedConvInputs,
       .max_inputs = kFusedConvInputs,
       .infer = infer,
       .evaluate = evaluate,
       .weight_layout = conv_weight_layout,
       .weight_input = 3,
       .compile = compile_pixel_conv,
       .pixels = {.takes = [](const Graph&, const Node&) { return true; }, .border = pixel_conv_border}});
}

}  // namespace quantize
