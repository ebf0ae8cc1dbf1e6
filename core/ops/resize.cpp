// Resize and its older form Upsample: the output's shape, then one pass per resized axis.
#include "core/ops/resize.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "core/ops/support/convert.h"
#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/resample.h"
#include "core/ops/support/strided.h"
#include "kernels/kernel_table.h"

namespace quantize {

namespace {

/// Types of elements that are made of others; elements that are only copied have any type.
constexpr std::array kComputedTypes{DataType::kF32, DataType::kU8, DataType::kS8};

// Position of the operands among the inputs; 0 where there is none.
struct Layout {
  size_t roi = 0, scales = 0, sizes = 0;
};

Layout layout_of(const Node& node, int64_t opset) {
  if (node.op_type == std::string("Upsample")) return {0, opset < 9 ? size_t{0} : size_t{1}, 0};
  return opset < 11 ? Layout{0, 1, 0} : Layout{1, 2, 3};
}

/// The request of a node: scales or sizes, one per axis of `axes`.
struct Request {
  std::vector<size_t> axes;
  std::vector<float> scales;
  std::vector<int64_t> sizes;
  std::vector<float> roi;
  bool known = true;  // false: an operand is not known before the program runs
};

std::vector<size_t> axes_of(const Node& node, size_t rank) {
  std::vector<size_t> axes;
  if (node.has_attribute("axes")) {
    const auto given = normalize_axes(node.ints_attribute("axes", {}), rank);
    axes.assign(given.begin(), given.end());
  } else {
    for (size_t i = 0; i < rank; ++i) axes.push_back(i);
  }
  return axes;
}

void check(const Request& request) {
  const size_t count = request.axes.size();
  if (request.scales.empty() == request.sizes.empty() ||
      std::max(request.scales.size(), request.sizes.size()) != count)
    invalid_model("Resize needs either one scale or one size per axis");
  for (float scale : request.scales)
    if (!(scale > 0) || !std::isfinite(scale)) invalid_model("a scale of Resize is " + std::to_string(scale));
  for (int64_t size : request.sizes)
    if (size < 0) invalid_model("a size of Resize is " + std::to_string(size));
}

int64_t scaled(int64_t extent, float scale) {
  return convert_element<int64_t>(std::floor(static_cast<float>(extent) * scale));
}

/// Sizes that keep the aspect ratio: the scale that fits all axes, or covers them.
void keep_aspect_ratio(const Node& node, const Shape& x, Request& request) {
  const std::string policy = node.string_attribute("keep_aspect_ratio_policy", "stretch");
  if (request.sizes.empty() || policy == "stretch") return;
  if (policy != "not_larger" && policy != "not_smaller")
    invalid_model("attribute 'keep_aspect_ratio_policy' is '" + policy + "'");
  std::vector<float> scales;
  for (size_t i = 0; i < request.axes.size(); ++i)
    scales.push_back(static_cast<float>(request.sizes[i]) / static_cast<float>(x[request.axes[i]]));
  const auto [smallest, largest] = std::minmax_element(scales.begin(), scales.end());
  const float scale = policy == "not_larger" ? *smallest : *largest;
  for (size_t i = 0; i < request.axes.size(); ++i)
    request.sizes[i] =
        convert_element<int64_t>(std::floor(scale * static_cast<float>(x[request.axes[i]]) + 0.5f));
  request.scales.assign(request.axes.size(), scale);
}

/// The axes of a static input, with scale and extent of the output.
std::vector<ResizeAxis> resize_axes(const Node& node, const Shape& x, Request request) {
  check(request);
  keep_aspect_ratio(node, x, request);
  std::vector<ResizeAxis> axes;
  for (int64_t extent : x) axes.push_back({extent, extent});
  for (size_t i = 0; i < request.axes.size(); ++i) {
    ResizeAxis& axis = axes[request.axes[i]];
    axis.out = request.sizes.empty() ? scaled(axis.in, request.scales[i]) : request.sizes[i];
    axis.scale = request.scales.empty() ? static_cast<float>(axis.out) / static_cast<float>(axis.in)
                                        : request.scales[i];
    if (axis.in == 0 && axis.out != 0) invalid_model("an axis without elements cannot be resized");
    if (request.roi.size() == 2 * request.axes.size()) {
      axis.start = request.roi[i];
      axis.end = request.roi[i + request.axes.size()];
    }
  }
  return axes;
}

Request request_of(const InferContext& context, size_t rank) {
  const Layout layout = layout_of(context.node, context.opset);
  Request request{axes_of(context.node, rank), context.node.floats_attribute("scales", {}), {}, {}};
  const auto has_elements = [&](size_t i) {
    const auto shape = context.shape(i);
    return i != 0 && context.has_input(i) && !(shape && is_static(*shape) && element_count(*shape) == 0);
  };
  if (has_elements(layout.scales)) {
    const Tensor* scales = context.constant(layout.scales);
    request.known = scales != nullptr;
    if (scales != nullptr) request.scales = scales->to_vector<float>();
  }
  if (has_elements(layout.sizes)) {
    const auto sizes = context.all_integers(layout.sizes);
    request.known = request.known && sizes.has_value();
    if (sizes) request.sizes = *sizes;
  }
  return request;
}

bool copies_elements(const ResizeOptions& options) {
  return options.mode == ResizeOptions::Mode::kNearest &&
         options.coordinates != ResizeOptions::Coordinates::kTfCropAndResize;
}

void infer(InferContext& context) {
  const ResizeOptions options = resize_options(context.node, context.opset);
  const Layout layout = layout_of(context.node, context.opset);
  if (!copies_elements(options)) require_type(context, 0, kComputedTypes);
  if (layout.roi != 0) require_type(context, layout.roi, kF32Only);
  if (layout.scales != 0) require_type(context, layout.scales, kF32Only);
  if (layout.sizes != 0) require_type(context, layout.sizes, kIndexTypes);
  std::optional<Shape> y;
  if (const auto x = context.shape(0)) {
    const Request request = request_of(context, x->size());
    y = x;
    for (size_t axis : request.axes) (*y)[axis] = kUnknownDim;
    if (request.known && is_static(*x)) {
      const auto axes = resize_axes(context.node, *x, request);
      for (size_t i = 0; i < axes.size(); ++i) (*y)[i] = axes[i].out;
    } else if (request.known) {
      check(request);
      const bool is_stretched =
          context.node.string_attribute("keep_aspect_ratio_policy", "stretch") == "stretch";
      for (size_t i = 0; i < request.axes.size(); ++i) {
        const int64_t extent = (*x)[request.axes[i]];
        if (!request.scales.empty() && extent != kUnknownDim)
          (*y)[request.axes[i]] = scaled(extent, request.scales[i]);
        if (!request.sizes.empty() && is_stretched) (*y)[request.axes[i]] = request.sizes[i];
      }
    }
  }
  context.set_output(0, context.input(0).dtype, std::move(y));
}

std::vector<float> to_floats(const TensorView& tensor) {
  if (!tensor) return {};
  return {tensor.as<float>(), tensor.as<float>() + tensor.size()};
}

Request request_of(const EvaluateContext& context) {
  const Layout layout = layout_of(context.node, context.opset);
  Request request{axes_of(context.node, context.inputs[0].shape.size()),
                  context.node.floats_attribute("scales", {}),
                  {},
                  {}};
  if (layout.scales != 0 && context.input(layout.scales))
    request.scales = to_floats(context.input(layout.scales));
  if (layout.sizes != 0 && context.input(layout.sizes))
    request.sizes = to_integers(context.input(layout.sizes));
  if (layout.roi != 0) request.roi = to_floats(context.input(layout.roi));
  return request;
}

void resize_nearest(const EvaluateContext& context, const ResizeOptions& options,
                    const std::vector<ResizeAxis>& axes) {
  std::vector<std::vector<int64_t>> tables;
  tables.reserve(axes.size());
  for (const ResizeAxis& axis : axes) tables.push_back(nearest_indices(options, axis));
  gather_axes(context.inputs[0], tables, context.outputs[0]);
}

/// An axis of `in` elements with all axes before it as one, and all behind it.
struct AxisView {
  int64_t outer, in, inner;
};

/// resample() of the innermost axis.
void resample_rows(const float* x, const AxisView& view, const Taps& taps, float extrapolation, float* y) {
  const size_t out = taps.begin.size() - 1;
  for (int64_t o = 0; o < view.outer; ++o, x += view.in)
    for (size_t j = 0; j < out; ++j) {
      const size_t first = taps.begin[j], last = taps.begin[j + 1];
      float sum = first == last ? extrapolation : 0.0f;
      for (size_t t = first; t < last; ++t) sum += taps.weight[t] * x[taps.index[t]];
      *y++ = sum;
    }
}

/// y[outer, j, inner] = sum of the taps of j over x[outer, ., inner].
void resample(const float* x, const AxisView& view, const Taps& taps, float extrapolation, float* y) {
  const auto& [outer, in, inner] = view;
  if (inner == 1) return resample_rows(x, view, taps, extrapolation, y);
  for (int64_t o = 0; o < outer; ++o, x += in * inner)
    for (size_t j = 0; j + 1 < taps.begin.size(); ++j, y += inner) {
      std::fill_n(y, inner, taps.begin[j] == taps.begin[j + 1] ? extrapolation : 0.0f);
      for (size_t t = taps.begin[j]; t < taps.begin[j + 1]; ++t) {
        const float* from = x + taps.index[t] * inner;
        const float weight = taps.weight[t];
        for (int64_t i = 0; i < inner; ++i) y[i] += weight * from[i];
      }
    }
}

bool is_identity(const Taps& taps, const ResizeAxis& axis) {
  if (axis.in != axis.out) return false;
  for (size_t t = 0; t < taps.index.size(); ++t) {
    const auto position = std::upper_bound(taps.begin.begin(), taps.begin.end(), t) - taps.begin.begin() - 1;
    if (taps.weight[t] != (taps.index[t] == position ? 1.0f : 0.0f)) return false;
  }
  return true;
}

std::vector<float> reals_of(const TensorView& x) {
  if (x.dtype == DataType::kU8) return {x.as<uint8_t>(), x.as<uint8_t>() + x.size()};
  if (x.dtype == DataType::kS8) return {x.as<int8_t>(), x.as<int8_t>() + x.size()};
  return to_floats(x);
}

/// The kernels are separable: each axis is resampled on the result of those before it.
void resize_by_taps(const EvaluateContext& context, const ResizeOptions& options,
                    const std::vector<ResizeAxis>& axes) {
  const TensorView& x = context.inputs[0];
  const MutableTensorView& y = context.outputs[0];
  std::vector<std::pair<size_t, Taps>> moved;  // axes that change, and how
  for (size_t i = 0; i < axes.size(); ++i)
    if (Taps taps = resize_taps(options, axes[i]); !is_identity(taps, axes[i]))
      moved.emplace_back(i, std::move(taps));
  Shape shape(x.shape.begin(), x.shape.end());
  const bool is_real = x.dtype == DataType::kF32;  // then the last axis is resampled to its place
  std::vector<float> current;
  if (!is_real || moved.empty()) current = reals_of(x);
  const float* from = current.empty() ? x.as<float>() : current.data();
  for (const auto& [i, taps] : moved) {
    const AxisView view{extent_product(shape, 0, i), axes[i].in, extent_product(shape, i + 1, shape.size())};
    shape[i] = axes[i].out;
    if (is_real && i == moved.back().first)
      return resample(from, view, taps, options.extrapolation, y.as<float>());
    std::vector<float> next(static_cast<size_t>(element_count(shape)));
    resample(from, view, taps, options.extrapolation, next.data());
    current = std::move(next);
    from = current.data();
  }
  if (y.dtype == DataType::kU8)
    context.kernels.quantize_f32_u8(current.data(), current.size(), 1, 0, y.as<uint8_t>());
  else if (y.dtype == DataType::kS8)
    context.kernels.quantize_f32_s8(current.data(), current.size(), 1, 0, y.as<int8_t>());
  else
    std::copy(current.begin(), current.end(), y.as<float>());
}

void evaluate(const EvaluateContext& context) {
  const ResizeOptions options = resize_options(context.node, context.opset);
  const Dims x = context.inputs[0].shape;
  const auto axes = resize_axes(context.node, Shape(x.begin(), x.end()), request_of(context));
  for (size_t i = 0; i < axes.size(); ++i)
    if (axes[i].out != context.outputs[0].shape[i])
      invalid_model("the scales of Resize do not fit its output");
  if (copies_elements(options))
    resize_nearest(context, options, axes);
  else
    resize_by_taps(context, options, axes);
}

/// Cubic weights overshoot, and outside the region stands extrapolation_value.
bool fills(const Node& node, int64_t opset) {
  return !resizes_codes(resize_options(node, opset));
}

}  // namespace

std::optional<std::vector<ResizeAxis>> constant_resize_axes(const Graph& graph, const Node& node) {
  const Shape& x = *graph.value(node.inputs[0]).shape;
  std::vector<TensorView> inputs{{graph.value(node.inputs[0]).dtype, x, nullptr}};
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    const Tensor* constant = graph.constant(node.inputs[i]);
    if (constant == nullptr && node.inputs[i] != kNoValue) return std::nullopt;
    inputs.push_back(constant == nullptr ? TensorView() : constant->view());
  }
  return resize_axes(node, x,
                     request_of({node, graph.opset_of(node), kernels_for(Isa::kScalar), inputs, {}}));
}

void add_resize(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Resize",
                 .domain = "",
                 .min_opset = 10,
                 .max_opset = kNewestOpset,
                 .max_inputs = 4,
                 .infer = infer,
                 .evaluate = evaluate,
                 .fills = fills,
                 .selects = true});
  ops.push_back({.op_type = "Upsample",
                 .domain = "",
                 .min_opset = 7,
                 .max_opset = 9,
                 .max_inputs = 2,
                 .infer = infer,
                 .evaluate = evaluate,
                 .fills = fills,
                 .selects = true});
}

}  // namespace quantize
