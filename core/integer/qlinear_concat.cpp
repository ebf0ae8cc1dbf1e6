// QLinearConcat of ONNX Runtime: Concat of codes whose scales may differ from the output's.
// Source: onnxruntime ContribOperators, com.microsoft.QLinearConcat.
#include "core/integer/codes.h"
#include "core/integer/integer_formulas.h"
#include "core/ops/concat.h"
#include "core/ops/support/operands.h"

namespace quantize {

namespace {

constexpr size_t kYScale = 0, kFirst = 2;  // then triples: codes, scale, zero point

void infer(InferContext& context) {
  if ((context.input_count() - kFirst) % 3 != 0) invalid_model("the inputs do not come in threes");
  std::vector<std::optional<Shape>> shapes;
  for (size_t i = kFirst; i < context.input_count(); i += 3) {
    require_codes(context, i);
    shapes.push_back(context.shape(i));
  }
  context.set_output(0, code_type(context, kYScale, kFirst), concat_shape(context.node, shapes));
}

void evaluate(const EvaluateContext& context) {
  const MutableTensorView& y = context.outputs[0];
  const ScalarParams y_params = scalar_operand(context, kYScale);
  std::vector<Tensor> pieces;
  std::vector<TensorView> views;
  for (size_t i = kFirst; i < context.inputs.size(); i += 3) {
    const ScalarParams x_params = scalar_operand(context, i + 1);
    const TensorView& x = context.inputs[i];
    const std::vector<int32_t> codes = codes_of(x);
    pieces.emplace_back(y.dtype, Shape(x.shape.begin(), x.shape.end()));
    auto* to = static_cast<uint8_t*>(pieces.back().mutable_bytes());
    for (size_t k = 0; k < codes.size(); ++k)
      to[k] = static_cast<uint8_t>(requantized(codes[k], x_params, y_params, y.dtype));
  }
  views.reserve(pieces.size());
  for (const Tensor& piece : pieces) views.push_back(piece.view());
  concat_views(context.node, views, y);
}

}  // namespace

void add_qlinear_concat(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "QLinearConcat",
                 .domain = "com.microsoft",
                 .min_opset = 1,
                 .max_opset = 1,
                 .min_inputs = 5,
                 .max_inputs = kAnyNumber,
                 .infer = infer,
                 .evaluate = evaluate,
                 .slots = {{operand_at(kFirst)}, kYScale, 3}});
}

}  // namespace quantize
