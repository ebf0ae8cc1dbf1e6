// Forms that newer opsets added, written in the older ones. Read plain_forms(), at the end, first.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "core/ops/op.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/window.h"
#include "core/passes/idle_attributes.h"
#include "core/passes/passes.h"

namespace quantize {

namespace {

template <typename T>
Shape extent(const std::vector<T>& values) {
  return {static_cast<int64_t>(values.size())};
}

/// One operand of Pad, Resize or CenterCropPad that has a number for some axes, or several: it is given for all axes.
class Spreader {
 public:
  /// `place` stands before the node whose operands are spread; `axes` counts from 0.
  Spreader(Graph& graph, std::vector<Node>& place, const Node& node, std::vector<int64_t> axes, size_t rank)
      : graph_(graph), place_(place), node_(node), axes_(std::move(axes)), rank_(rank) {}

  /// [parts, axes] numbers become [parts, rank]; `others` [parts, rank] has those of the axes not given.
  ValueId spread(ValueId operand, ValueId others, size_t parts) {
    if (operand == kNoValue) return kNoValue;
    std::vector<int64_t> picks;
    for (size_t part = 0; part < parts; ++part)
      for (size_t axis = 0; axis < rank_; ++axis) {
        const auto found = std::find(axes_.begin(), axes_.end(), static_cast<int64_t>(axis));
        const auto given = static_cast<size_t>(found - axes_.begin());
        picks.push_back(static_cast<int64_t>(
            found == axes_.end() ? part * rank_ + axis : parts * rank_ + part * axes_.size() + given));
      }
    const ValueId all = add("Concat", {others, operand});
    place_.back().attributes["axis"] = int64_t{0};
    return add("Gather", {all, constant("_picks", Tensor::of<int64_t>(extent(picks), picks))});
  }

  /// [parts, rank] numbers: those of a part are the same for each axis.
  template <typename T>
  ValueId repeat(const char* suffix, const std::vector<T>& parts) {
    std::vector<T> values;
    for (const T value : parts) values.insert(values.end(), rank_, value);
    return constant(suffix, Tensor::of<T>(extent(values), values));
  }

  /// A new node in front.
  ValueId add(const char* op_type, std::vector<ValueId> inputs) {
    Node& node = place_.emplace_back();
    node.op_type = op_type;
    node.inputs = std::move(inputs);
    node.outputs = {graph_.add_value(base() + "_" + op_type)};
    node.name = graph_.value(node.outputs[0]).name;
    return node.outputs[0];
  }

  ValueId constant(const char* suffix, Tensor tensor) {
    return graph_.add_constant(base() + suffix, std::move(tensor));
  }

 private:
  std::string base() const { return graph_.value(node_.outputs[0]).name; }

  Graph& graph_;
  std::vector<Node>& place_;
  const Node& node_;
  std::vector<int64_t> axes_;
  size_t rank_;
};

std::optional<size_t> rank_of(const Graph& graph, const Node& node) {
  const auto& shape = graph.value(node.inputs[0]).shape;
  return shape ? std::optional(shape->size()) : std::nullopt;
}

/// Pads for all axes, in place of `axes`.
void spread_pads(Graph& graph, Node& pad, std::vector<Node>& place) {
  const Tensor* axes = graph.constant(pad.input(3));
  const auto rank = rank_of(graph, pad);
  if (axes == nullptr || !rank) return;
  Spreader spreader(graph, place, pad, normalize_axes(to_integers(axes->view()), *rank), *rank);
  pad.inputs[1] = spreader.spread(pad.inputs[1], spreader.repeat<int64_t>("_no_pads", {0, 0}), 2);
  pad.inputs.resize(pad.inputs[2] == kNoValue ? 2 : 3);
}

/// True if a Resize by `scale` gives `wanted` elements, whether the product is rounded to float or not.
bool reaches(float scale, int64_t in, int64_t wanted) {
  const auto extent = static_cast<float>(wanted);
  return std::floor(static_cast<float>(in) * scale) == extent &&
         std::floor(static_cast<double>(in) * double{scale}) == double{extent};
}

/// The scale with which a Resize that keeps the aspect ratio reaches the sizes it rounds to; nothing if sizes
/// or extents are not known, or scales, whose products are rounded down, lead elsewhere.
std::optional<float> scale_of_policy(const Graph& graph, const Node& resize,
                                     const std::vector<int64_t>& axes) {
  const Tensor* sizes = graph.constant(resize.input(3));
  const auto &x = graph.value(resize.inputs[0]).shape, &y = graph.value(resize.outputs[0]).shape;
  if (sizes == nullptr || !x || !y || !is_static(*x) || !is_static(*y)) return std::nullopt;
  const auto extents = sizes->to_vector<float>();
  if (extents.size() != axes.size()) return std::nullopt;
  const bool smaller = resize.string_attribute("keep_aspect_ratio_policy", "") == "not_larger";
  float scale = 0;
  for (size_t i = 0; i < axes.size(); ++i) {
    const float own = extents[i] / static_cast<float>((*x)[static_cast<size_t>(axes[i])]);
    scale = i == 0 ? own : smaller ? std::min(scale, own) : std::max(scale, own);
  }
  // The next float reaches what a quotient that was rounded down just misses.
  for (const float candidate : {scale, std::nextafter(scale, std::numeric_limits<float>::infinity())})
    if (std::all_of(axes.begin(), axes.end(), [&](int64_t axis) {
          return reaches(candidate, (*x)[static_cast<size_t>(axis)], (*y)[static_cast<size_t>(axis)]);
        }))
      return candidate;
  return std::nullopt;
}

/// Region, scales and sizes for all axes, in place of `axes`.
void spread_sizes(Graph& graph, Node& resize, std::vector<Node>& place) {
  const auto rank = rank_of(graph, resize);
  if (!resize.has_attribute("axes") || !rank) return;
  const auto axes = normalize_axes(resize.ints_attribute("axes", {}), *rank);
  Spreader spreader(graph, place, resize, axes, *rank);
  resize.inputs.resize(4, kNoValue);
  for (ValueId& id : resize.inputs)
    if (graph.constant(id) != nullptr && graph.constant(id)->size() == 0) id = kNoValue;
  if (resize.string_attribute("keep_aspect_ratio_policy", "stretch") != "stretch" &&
      resize.inputs[3] != kNoValue) {
    const auto scale = scale_of_policy(graph, resize, axes);
    if (!scale) return;
    const std::vector<float> scales(axes.size(), *scale);
    resize.inputs[2] = spreader.constant("_scales", Tensor::of<float>(extent(scales), scales));
    resize.inputs[3] = kNoValue;
  }
  resize.attributes.erase("keep_aspect_ratio_policy");
  resize.inputs[1] = spreader.spread(resize.inputs[1], spreader.repeat<float>("_whole", {0, 1}), 2);
  resize.inputs[2] = spreader.spread(resize.inputs[2], spreader.repeat<float>("_unscaled", {1}), 1);
  if (resize.inputs[3] != kNoValue)
    resize.inputs[3] = spreader.spread(resize.inputs[3], spreader.add("Shape", {resize.inputs[0]}), 1);
  while (resize.inputs.back() == kNoValue) resize.inputs.pop_back();
  resize.attributes.erase("axes");
}

/// The shape of all axes, in place of `axes`: ONNX Runtime's own function for these fails between Q and DQ.
void spread_target(Graph& graph, Node& crop, std::vector<Node>& place) {
  const auto rank = rank_of(graph, crop);
  if (!crop.has_attribute("axes") || !rank) return;
  Spreader spreader(graph, place, crop, normalize_axes(crop.ints_attribute("axes", {}), *rank), *rank);
  crop.inputs[1] = spreader.spread(crop.inputs[1], spreader.add("Shape", {crop.inputs[0]}), 1);
  crop.attributes.erase("axes");
}

/// How far the last window reaches behind the image.
int64_t overhang(const WindowAxis& axis) {
  return std::max<int64_t>(axis.start(axis.out - 1) + axis.span() - axis.in, 0);
}

/// True if the shape inference of ONNX counts one more, below opset 22: a window that starts behind the
/// image.
bool is_miscounted(const WindowAxis& axis) {
  return axis.out * axis.stride < axis.in + axis.pad_begin + axis.pad_end - axis.span() + axis.stride;
}

/// Pads as numbers, with `end(axis)` behind each axis, in place of auto_pad; false, and nothing done, where a runtime
/// refuses them, since a window would lie in the padding alone.
bool write_pads(Node& pool, const Window& window, const std::function<int64_t(const WindowAxis&)>& end) {
  std::vector<int64_t> pads(2 * window.rank);
  for (size_t a = 0; a < window.rank; ++a) {
    const WindowAxis& axis = window.axes[window.axes.size() - window.rank + a];
    if (axis.pad_begin >= axis.kernel || end(axis) >= axis.kernel) return false;
    pads[a] = axis.pad_begin;
    pads[window.rank + a] = end(axis);
  }
  pool.attributes["pads"] = std::move(pads);
  pool.attributes.erase("auto_pad");
  return true;
}

/// Takes ceil_mode away where no window reaches behind the padded input, so that it has no effect, and where
/// one does on one axis while another axis is miscounted: a runtime refuses a file whose shapes are not those
/// it infers.
void drop_ceil_mode(Node& pool, const Window& window) {
  if (pool.int_attribute("ceil_mode", 0) == 0) return;
  const auto all = [&](auto&& holds) { return std::all_of(window.axes.begin(), window.axes.end(), holds); };
  if (all([](const WindowAxis& axis) { return overhang(axis) <= axis.pad_end; }))
    pool.attributes.erase("ceil_mode");
  else if (pool.int_attribute("count_include_pad", 0) == 0 &&
           !all([](const WindowAxis& axis) { return !is_miscounted(axis); }) &&
           write_pads(pool, window, overhang))  // for a maximum, or a mean of the image alone
    pool.attributes.erase("ceil_mode");
}

/// Pads as numbers where ONNX Runtime does not find those of auto_pad: it takes dilated windows for others, and refuses
/// steps that leave elements out in a pool of codes.
void drop_auto_pad(Node& pool, const Window& window) {
  const auto is_lost = [](const WindowAxis& axis) { return axis.dilation > 1 || axis.stride > axis.kernel; };
  if (pool.has_attribute("auto_pad") && std::any_of(window.axes.begin(), window.axes.end(), is_lost))
    write_pads(pool, window, [](const WindowAxis& axis) { return axis.pad_end; });
}

void plain_pool(const Graph& graph, Node& pool) {
  const auto& shape = graph.value(pool.inputs[0]).shape;
  if (!shape) return;
  const Window window = pool_window(pool, *shape);
  for (const WindowAxis& axis : window.axes)
    if (axis.in == kUnknownDim) return;
  drop_ceil_mode(pool, window);
  drop_auto_pad(pool, window);
}

/// One matrix of weights, in place of the same with axes of extent 1 in front, where the result's shape does
/// not come from them. ONNX Runtime takes a scale per column of plain matrices only.
void drop_leading_axes(Graph& graph, Node& product) {
  const Tensor* weights = graph.constant(product.input(1));
  const auto rank = rank_of(graph, product);
  if (weights == nullptr || weights->dtype() != DataType::kF32 || !rank) return;
  const Shape& shape = weights->shape();
  if (shape.size() < 3 || shape.size() > *rank) return;
  const Shape matrix{shape[shape.size() - 2], shape.back()};
  if (element_count(matrix) != weights->size()) return;
  const std::string name = graph.value(product.inputs[1]).name + "_matrix";
  product.inputs[1] = graph.add_constant(name, weights->reshaped(matrix));
}

}  // namespace

void plain_forms(Graph& graph) {
  std::vector<Node> nodes;
  for (Node& node : graph.nodes) {
    if (node.domain.empty()) {
      if (node.op_type == "Pad" && node.input(3) != kNoValue) spread_pads(graph, node, nodes);
      if (node.op_type == "MatMul") drop_leading_axes(graph, node);
      if (node.op_type == "CenterCropPad") spread_target(graph, node, nodes);
      if (node.op_type == "Resize") spread_sizes(graph, node, nodes);
      if (node.op_type == "AveragePool" || node.op_type == "MaxPool") plain_pool(graph, node);
      drop_idle_attributes(node);
    }
    nodes.push_back(std::move(node));
  }
  graph.nodes = std::move(nodes);
}

}  // namespace quantize
