// QuantizeLinear and DequantizeLinear, per tensor and per axis, for 8- and 16-bit integers; DequantizeLinear
// also for s32. The formulae are those of core/quant_params.h. Blocks and narrower codes: narrow_codes.
#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/integer/narrow_codes.h"
#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"
#include "core/quant_params.h"
#include "kernels/kernel_table.h"

namespace quantize {

namespace {

constexpr std::array kQuantizedTypes{DataType::kU8, DataType::kS8, DataType::kU16, DataType::kS16};
constexpr std::array kDequantizedTypes{DataType::kU8, DataType::kS8, DataType::kU16, DataType::kS16,
                                       DataType::kS32};
constexpr std::array kRealTypes{DataType::kF32, DataType::kS32};

/// Checks scale and zero point against input 0 as far as the shapes are known.
void check_parameters(const InferContext& context) {
  require_type(context, 1, kF32Only);
  if (has_blocks(context.node)) return check_blocks(context);
  const auto x = context.shape(0), scale = context.shape(1), zero_point = context.shape(2);
  const auto is_one = [](const Shape& shape) {
    return element_count(shape) == 1;
  };  // a scalar, or a vector of one
  if (scale && zero_point && is_static(*scale) && is_static(*zero_point) && *scale != *zero_point &&
      !(is_one(*scale) && is_one(*zero_point)))
    invalid_model("scale has shape " + to_string(*scale) + " and zero point has shape " +
                  to_string(*zero_point));
  if (!scale || !is_static(*scale) || element_count(*scale) == 1) return;
  if (context.opset < 13) invalid_model("scales per axis need opset 13");
  if (!x) return require_vector(context, 1, kUnknownDim);
  const int64_t axis = normalize_axis(context.node.int_attribute("axis", 1), x->size());
  require_vector(context, 1, (*x)[static_cast<size_t>(axis)]);
}

void infer_quantize(InferContext& context) {
  require_type(context, 0, kRealTypes);
  if (!is_narrow_code(context.input(2).dtype)) require_type(context, 2, kQuantizedTypes);
  check_parameters(context);
  DataType dtype = context.has_input(2) ? context.input(2).dtype : DataType::kU8;
  if (const int64_t wanted = context.node.int_attribute("output_dtype", 0); wanted != 0) {
    const auto type = wanted > 0 && wanted < 100 ? static_cast<DataType>(wanted) : DataType::kUndefined;
    if (!is_narrow_code(type) &&
        std::find(kQuantizedTypes.begin(), kQuantizedTypes.end(), type) == kQuantizedTypes.end())
      throw Error(ErrorKind::kUnsupported, "quantization to data type number " + std::to_string(wanted) +
                                               " is not supported; use 8 or 16 bits");
    if (context.has_input(2) && dtype != type && dtype != DataType::kUndefined)
      invalid_model("output_dtype is not the type of the zero point");
    dtype = type;
  }
  context.set_output(0, dtype, context.shape(0));
}

void infer_dequantize(InferContext& context) {
  if (!is_narrow_code(context.input(0).dtype)) require_type(context, 0, kDequantizedTypes);
  check_parameters(context);
  if (context.has_input(2)) require_same_type(context, 0, 2);
  context.set_output(0, DataType::kF32, context.shape(0));
}

/// Scale and zero point of every run of elements that share them: run r of `inner` elements has those of
/// channel r % channels.
struct Parameters {
  const float* scale;
  std::vector<int32_t> zero_point;
  int64_t channels = 1, inner = 1;
};

Parameters parameters_of(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  Parameters parameters{context.inputs[1].as<float>(), {}, context.inputs[1].size(), x.size()};
  if (parameters.channels != 1) {
    const auto axis =
        static_cast<size_t>(normalize_axis(context.node.int_attribute("axis", 1), x.shape.size()));
    parameters.inner = extent_product(x.shape, axis + 1, x.shape.size());
  }
  for (int64_t c = 0; c < parameters.channels; ++c)
    if (!(parameters.scale[c] > 0) || !std::isfinite(parameters.scale[c]))
      invalid_model("a scale is " + std::to_string(parameters.scale[c]) + ", but must be finite and above 0");
  parameters.zero_point.assign(static_cast<size_t>(parameters.channels), 0);
  if (const TensorView zero_point = context.input(2))
    visit_types<uint8_t, int8_t, uint16_t, int16_t, int32_t>(zero_point.dtype, [&]<typename T>() {
      std::copy_n(zero_point.as<T>(), parameters.channels, parameters.zero_point.begin());
    });
  return parameters;
}

/// Calls body(first element, scale, zero point) for every run.
template <typename Body>
void for_each_run(const Parameters& parameters, int64_t size, Body&& body) {
  for (int64_t begin = 0, c = 0; begin < size; begin += parameters.inner) {
    body(begin, parameters.scale[c], parameters.zero_point[static_cast<size_t>(c)]);
    if (++c == parameters.channels) c = 0;
  }
}

template <typename X, typename Y>
void quantize(const TensorView& x, const Parameters& parameters, const MutableTensorView& y) {
  using Limits = std::numeric_limits<Y>;
  for_each_run(parameters, x.size(), [&](int64_t begin, float scale, int32_t zero_point) {
    for (int64_t i = begin; i < begin + parameters.inner; ++i)
      y.as<Y>()[i] = static_cast<Y>(
          quantize_value(static_cast<float>(x.as<X>()[i]), scale, zero_point, Limits::min(), Limits::max()));
  });
}

/// The kernels take a tensor of one scale without NaN; false if this is none.
bool quantize_fast(const EvaluateContext& context, const Parameters& parameters) {
  const TensorView& x = context.inputs[0];
  const MutableTensorView& y = context.outputs[0];
  const auto size = static_cast<size_t>(x.size());
  if (parameters.channels != 1 || x.dtype != DataType::kF32 || size_of(y.dtype) != 1) return false;
  const float* from = x.as<float>();
  if (context.kernels.minmax_f32(from, size).non_finite != 0) return false;
  if (y.dtype == DataType::kU8)
    context.kernels.quantize_f32_u8(from, size, *parameters.scale, parameters.zero_point[0], y.as<uint8_t>());
  else
    context.kernels.quantize_f32_s8(from, size, *parameters.scale, parameters.zero_point[0], y.as<int8_t>());
  return true;
}

void evaluate_quantize(const EvaluateContext& context) {
  if (has_blocks(context.node) || is_narrow_code(context.outputs[0].dtype)) return quantize_any(context);
  const Parameters parameters = parameters_of(context);
  if (quantize_fast(context, parameters)) return;
  visit_types<float, int32_t>(context.inputs[0].dtype, [&]<typename X>() {
    visit_types<uint8_t, int8_t, uint16_t, int16_t>(context.outputs[0].dtype, [&]<typename Y>() {
      quantize<X, Y>(context.inputs[0], parameters, context.outputs[0]);
    });
  });
}

void evaluate_dequantize(const EvaluateContext& context) {
  if (has_blocks(context.node) || is_narrow_code(context.inputs[0].dtype)) return dequantize_any(context);
  const TensorView& x = context.inputs[0];
  const Parameters parameters = parameters_of(context);
  const bool has_zero_point = std::any_of(parameters.zero_point.begin(), parameters.zero_point.end(),
                                          [](int32_t zero_point) { return zero_point != 0; });
  if (x.dtype == DataType::kS32 && has_zero_point) invalid_model("the zero point of an s32 tensor must be 0");
  float* y = context.outputs[0].as<float>();
  visit_types<uint8_t, int8_t, uint16_t, int16_t, int32_t>(x.dtype, [&]<typename X>() {
    for_each_run(parameters, x.size(), [&](int64_t begin, float scale, int32_t zero_point) {
      for (int64_t i = begin; i < begin + parameters.inner; ++i)
        y[i] = dequantize_value(int32_t{x.as<X>()[i]}, scale, zero_point);
    });
  });
}

OpDef quantizer(const char* op_type, void (*infer)(InferContext&), void (*evaluate)(const EvaluateContext&),
                CodeSlots slots) {
  return {.op_type = op_type,
          .domain = "",
          .min_opset = 10,
          .max_opset = kNewestOpset,
          .min_inputs = 2,
          .max_inputs = 3,
          .infer = infer,
          .evaluate = evaluate,
          .elementwise = true,
          .slots = std::move(slots)};
}

}  // namespace

void add_quantize_linear(std::vector<OpDef>& ops) {
  ops.push_back(quantizer("DequantizeLinear", infer_dequantize, evaluate_dequantize, {{operand_at(0)}}));
  ops.push_back(quantizer("QuantizeLinear", infer_quantize, evaluate_quantize, {{}, 1}));
}

}  // namespace quantize
