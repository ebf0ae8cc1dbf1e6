// One element after the other, each with the scale of its place.
#include "core/integer/narrow_codes.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/ops/support/convert_tensor.h"
#include "core/ops/support/operands.h"
#include "core/quant_params.h"

namespace quantize {

namespace {

int64_t block_size(const Node& node) {
  return node.int_attribute("block_size", 0);
}

/// Which scale element i of x has.
class ScalePlace {
 public:
  ScalePlace(const Node& node, Dims x, int64_t scales) {
    if (scales == 1 && !has_blocks(node)) return;
    const auto axis = static_cast<size_t>(normalize_axis(node.int_attribute("axis", 1), x.size()));
    const bool blocks = has_blocks(node);
    extent_ = x[axis];
    inner_ = extent_product(x, axis + 1, x.size());
    size_ = blocks ? block_size(node) : 1;
    count_ = (extent_ - 1) / size_ + 1;
    per_inner_ = blocks;
  }

  size_t operator()(int64_t i) const {
    if (extent_ == 0) return 0;
    const int64_t channel = i / inner_ % extent_ / size_;
    if (!per_inner_) return static_cast<size_t>(channel);
    return static_cast<size_t>((i / inner_ / extent_ * count_ + channel) * inner_ + i % inner_);
  }

 private:
  int64_t extent_ = 0, inner_ = 1, size_ = 1, count_ = 1;
  bool per_inner_ = false;
};

std::vector<float> reals_of(const TensorView& x) {
  Tensor reals(DataType::kF32, Shape(x.shape.begin(), x.shape.end()));
  convert_tensor(x, reals.mutable_view());
  return reals.to_vector<float>();
}

struct Parameters {
  std::vector<float> scale, zero_point;
};

Parameters parameters_of(const EvaluateContext& context) {
  Parameters parameters{reals_of(context.inputs[1]), {}};
  for (const float scale : parameters.scale)
    if (!(scale > 0) || !std::isfinite(scale))
      invalid_model("a scale is " + std::to_string(scale) + ", but must be finite and above 0");
  parameters.zero_point =
      context.input(2) ? reals_of(context.inputs[2]) : std::vector<float>(parameters.scale.size(), 0.0f);
  return parameters;
}

struct CodeRange {
  int32_t low, high;
};

/// The codes of an integer type; nothing for floats.
std::optional<CodeRange> integer_codes(DataType dtype) {
  switch (dtype) {
    case DataType::kU2:
      return CodeRange{0, 3};
    case DataType::kS2:
      return CodeRange{-2, 1};
    case DataType::kU4:
      return CodeRange{0, 15};
    case DataType::kS4:
      return CodeRange{-8, 7};
    case DataType::kU8:
      return CodeRange{0, 255};
    case DataType::kS8:
      return CodeRange{-128, 127};
    case DataType::kU16:
      return CodeRange{0, 65535};
    case DataType::kS16:
      return CodeRange{-32768, 32767};
    default:
      return std::nullopt;
  }
}

}  // namespace

bool is_narrow_code(DataType dtype) {
  return packed_per_byte(dtype) > 1 || (dtype >= DataType::kF8E4M3FN && dtype <= DataType::kF8E5M2FNUZ);
}

bool has_blocks(const Node& node) {
  return block_size(node) != 0;
}

void check_blocks(const InferContext& context) {
  if (block_size(context.node) < 0)
    invalid_model("block_size is " + std::to_string(block_size(context.node)));
  const auto x = context.shape(0), scale = context.shape(1), zero_point = context.shape(2);
  if (!x || !is_static(*x)) return;
  Shape expected = *x;
  int64_t& extent =
      expected[static_cast<size_t>(normalize_axis(context.node.int_attribute("axis", 1), x->size()))];
  extent = extent == 0 ? 0 : (extent - 1) / block_size(context.node) + 1;
  for (const auto& shape : {scale, zero_point})
    if (shape && is_static(*shape) && *shape != expected)
      invalid_model("scales or zero points of blocks have shape " + to_string(*shape) + " where " +
                    to_string(expected) + " belongs");
}

void quantize_any(const EvaluateContext& context) {
  const std::vector<float> x = reals_of(context.inputs[0]);
  const MutableTensorView& y = context.outputs[0];
  const Parameters parameters = parameters_of(context);
  const ScalePlace place(context.node, context.inputs[0].shape, context.inputs[1].size());
  const auto codes = integer_codes(y.dtype);
  Tensor steps(DataType::kF32, Shape(y.shape.begin(), y.shape.end()));
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t p = place(static_cast<int64_t>(i));
    const auto zero_point = static_cast<int32_t>(parameters.zero_point[p]);
    steps.mutable_data<float>()[i] =
        codes ? static_cast<float>(
                    quantize_value(x[i], parameters.scale[p], zero_point, codes->low, codes->high))
              : x[i] / parameters.scale[p];
  }
  convert_tensor(steps.view(), y, {.saturate = context.node.int_attribute("saturate", 1) != 0});
}

void dequantize_any(const EvaluateContext& context) {
  const std::vector<float> x = reals_of(context.inputs[0]);
  const Parameters parameters = parameters_of(context);
  const ScalePlace place(context.node, context.inputs[0].shape, context.inputs[1].size());
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t p = place(static_cast<int64_t>(i));
    context.outputs[0].as<float>()[i] = (x[i] - parameters.zero_point[p]) * parameters.scale[p];
  }
}

}  // namespace quantize
