// Pad: adds elements around a tensor, or crops it where a pad is negative. Pads are an attribute up to opset
// 10, an input from 11; opset 18 adds the axes they belong to.
#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/strided.h"

namespace quantize {

namespace {

constexpr int64_t kMaxPad = int64_t{1} << 40;

struct Pads {
  std::vector<int64_t> begin, end;  // per axis
};

Pads pads_of(size_t rank, const std::vector<int64_t>& pads, const std::optional<std::vector<int64_t>>& axes) {
  std::vector<int64_t> padded;
  if (axes)
    padded = normalize_axes(*axes, rank);
  else
    for (size_t i = 0; i < rank; ++i) padded.push_back(static_cast<int64_t>(i));
  if (pads.size() != 2 * padded.size())
    invalid_model("Pad has " + std::to_string(pads.size()) + " pads for " + std::to_string(padded.size()) +
                  " axes");
  Pads result{std::vector<int64_t>(rank, 0), std::vector<int64_t>(rank, 0)};
  for (int64_t pad : pads)
    if (pad < -kMaxPad || pad > kMaxPad) invalid_model("a pad of " + std::to_string(pad) + " is too large");
  for (size_t i = 0; i < padded.size(); ++i) {
    result.begin[static_cast<size_t>(padded[i])] = pads[i];
    result.end[static_cast<size_t>(padded[i])] = pads[i + padded.size()];
  }
  return result;
}

Shape padded_shape(const Shape& x, const Pads& pads) {
  Shape y = x;
  for (size_t i = 0; i < y.size(); ++i) {
    if (y[i] == kUnknownDim) continue;
    y[i] = checked_add(checked_add(x[i], pads.begin[i]), pads.end[i]);
    if (y[i] < 0) invalid_model("the pads of axis " + std::to_string(i) + " cut off more than there is");
  }
  return y;
}

enum class Mode { kConstant, kReflect, kEdge, kWrap };

Mode mode_of(const Node& node) {
  const std::string mode = node.string_attribute("mode", "constant");
  if (mode == "constant") return Mode::kConstant;
  if (mode == "reflect") return Mode::kReflect;
  if (mode == "edge") return Mode::kEdge;
  if (mode == "wrap") return Mode::kWrap;
  throw Error(ErrorKind::kUnsupported, "Pad mode '" + mode + "' is not supported");
}

void infer(InferContext& context) {
  mode_of(context.node);
  require_same_type(context, 0, 2);
  const auto x = context.shape(0);
  const IntegerOperand pads = integer_operand(context, "pads", 1);
  const IntegerOperand axes = integer_operand(context, "axes", 3);
  if (!pads.given) invalid_model("the pads are missing");
  std::optional<Shape> y;
  if (x) {
    y = Shape(x->size(), kUnknownDim);
    if (pads.values && axes.given == axes.values.has_value())
      y = padded_shape(*x, pads_of(x->size(), *pads.values, axes.values));
  }
  context.set_output(0, context.input(0).dtype, std::move(y));
}

/// The element that fills the constant mode, as its bytes.
uint64_t fill_element(const EvaluateContext& context) {
  uint64_t element = 0;
  const TensorView& x = context.inputs[0];
  if (const TensorView value = context.input(2); value && value.size() == 1)
    std::memcpy(&element, value.data, size_of(value.dtype));
  const float attribute = context.node.float_attribute("value", 0.0f);
  if (attribute != 0)
    visit_float(x.dtype, [&]<typename T>() {
      const T value = attribute;
      std::memcpy(&element, &value, sizeof(T));
    });
  return element;
}

/// Fills y, then copies what is left of x into its place.
void pad_constant(const EvaluateContext& context, const Pads& pads) {
  const TensorView& x = context.inputs[0];
  const MutableTensorView& y = context.outputs[0];
  const uint64_t element = fill_element(context);
  visit_width(size_of(x.dtype), [&]<typename T>() {
    T value;
    std::memcpy(&value, &element, sizeof(T));
    std::fill_n(static_cast<T*>(y.data), y.size(), value);
  });
  const Shape x_strides = strides_of(x.shape), y_strides = strides_of(y.shape);
  Shape shape(x.shape.begin(), x.shape.end());
  int64_t from = 0, to = 0;
  for (size_t i = 0; i < shape.size(); ++i) {
    const int64_t cut_begin = std::max<int64_t>(-pads.begin[i], 0),
                  cut_end = std::max<int64_t>(-pads.end[i], 0);
    shape[i] = std::max<int64_t>(shape[i] - cut_begin - cut_end, 0);
    from += cut_begin * x_strides[i];
    to += std::max<int64_t>(pads.begin[i], 0) * y_strides[i];
  }
  const auto width = static_cast<int64_t>(size_of(x.dtype));
  if (element_count(shape) == 0) return;
  copy_strided(shape, static_cast<const std::byte*>(x.data) + from * width, x_strides,
               static_cast<std::byte*>(y.data) + to * width, y_strides, size_of(x.dtype));
}

/// Where position i (outside [0, n) in the padding) of an axis takes its element.
int64_t source_index(Mode mode, int64_t i, int64_t n) {
  if (mode == Mode::kEdge) return std::clamp<int64_t>(i, 0, n - 1);
  const int64_t period = mode == Mode::kWrap ? n : std::max<int64_t>(2 * (n - 1), 1);
  const int64_t inside = (i % period + period) % period;
  return inside < n ? inside : period - inside;
}

/// Elements that negative pads cut off are no source of the padding, as ONNX Runtime has it.
void pad_from_input(const EvaluateContext& context, const Pads& pads, Mode mode) {
  const TensorView& x = context.inputs[0];
  std::vector<std::vector<int64_t>> tables(x.shape.size());
  for (size_t axis = 0; axis < tables.size(); ++axis) {
    const int64_t cut_begin = std::max<int64_t>(-pads.begin[axis], 0),
                  cut_end = std::max<int64_t>(-pads.end[axis], 0), left = x.shape[axis] - cut_begin - cut_end,
                  added = std::max<int64_t>(pads.begin[axis], 0), extent = context.outputs[0].shape[axis];
    if (left <= 0 && extent > 0) invalid_model("there is nothing to fill the padding with");
    for (int64_t i = 0; i < extent; ++i)
      tables[axis].push_back(cut_begin + source_index(mode, i - added, left));
  }
  gather_axes(x, tables, context.outputs[0]);
}

void evaluate(const EvaluateContext& context) {
  const size_t rank = context.inputs[0].shape.size();
  const Pads pads =
      pads_of(rank, integer_operand(context, "pads", 1).value(), integer_operand(context, "axes", 3));
  const Mode mode = mode_of(context.node);
  if (mode == Mode::kConstant)
    pad_constant(context, pads);
  else
    pad_from_input(context, pads, mode);
}

}  // namespace

void add_pad(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Pad",
                 .domain = "",
                 .min_opset = 7,
                 .max_opset = kNewestOpset,
                 .max_inputs = 4,
                 .infer = infer,
                 .evaluate = evaluate});
}

}  // namespace quantize
