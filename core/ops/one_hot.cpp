// OneHot: a new axis of `depth` elements, `on` where its index is that of the input, `off` elsewhere; an index outside
// is nowhere. Hardmax: 1 at the first largest element along an axis, 0 elsewhere.
#include <algorithm>

#include "core/ops/softmax.h"
#include "core/ops/support/convert.h"
#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"

namespace quantize {

namespace {

/// The number of classes, if it is known.
std::optional<int64_t> known_depth(const InferContext& context) {
  std::optional<int64_t> depth;
  if (const Tensor* constant = context.constant(1); constant != nullptr && constant->size() == 1)
    depth = convert_element<int64_t>(constant->to_vector<double>()[0]);
  else if (const auto elements = context.all_integers(1); elements && elements->size() == 1)
    depth = (*elements)[0];
  if (depth && *depth < 0) invalid_model("the depth of OneHot is " + std::to_string(*depth));
  return depth;
}

void infer_one_hot(InferContext& context) {
  require_type(context, 0, kNumberTypes);
  require_type(context, 1, kNumberTypes);
  require_vector(context, 2, 2);
  auto y = context.shape(0);
  const auto depth = known_depth(context);
  if (y) {
    const int64_t axis = normalize_axis(context.node.int_attribute("axis", -1), y->size() + 1);
    y->insert(y->begin() + axis, depth.value_or(kUnknownDim));
  }
  context.set_output(0, context.input(2).dtype, std::move(y));
}

void evaluate_one_hot(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  const MutableTensorView& y = context.outputs[0];
  const auto axis =
      static_cast<size_t>(normalize_axis(context.node.int_attribute("axis", -1), y.shape.size()));
  const int64_t depth = y.shape[axis], inner = extent_product(y.shape, axis + 1, y.shape.size());
  std::vector<int64_t> classes;
  visit_number(x.dtype, [&]<typename T>() {
    for (int64_t i = 0; i < x.size(); ++i) classes.push_back(convert_element<int64_t>(x.as<T>()[i]));
  });
  visit_width(size_of(y.dtype), [&]<typename T>() {
    const T* values = static_cast<const T*>(context.inputs[2].data);
    T* to = static_cast<T*>(y.data);
    std::fill_n(to, y.size(), values[0]);
    for (size_t i = 0; i < classes.size(); ++i) {
      const int64_t place = classes[i] < 0 ? classes[i] + depth : classes[i];
      const auto column = static_cast<int64_t>(i);
      if (place >= 0 && place < depth)
        to[(column / inner * depth + place) * inner + column % inner] = values[1];
    }
  });
}

void infer_hardmax(InferContext& context) {
  require_type(context, 0, kFloatTypes);
  if (const auto x = context.shape(0))
    normalize_axis(context.node.int_attribute("axis", context.opset < 13 ? 1 : -1), x->size());
  infer_same_as_input(context);
}

void evaluate_hardmax(const EvaluateContext& context) {
  const auto extents = softmax_extents(context.node, context.opset, context.inputs[0].shape);
  visit_float(context.inputs[0].dtype, [&]<typename T>() {
    const auto [outer, length, inner] = extents;
    T* to = context.outputs[0].as<T>();
    std::fill_n(to, context.outputs[0].size(), T(0));
    for (int64_t column = 0; column < outer * inner; ++column) {
      const int64_t first = column / inner * length * inner + column % inner;
      const T* from = context.inputs[0].as<T>() + first;
      int64_t best = 0;
      for (int64_t k = 1; k < length; ++k)
        if (from[k * inner] > from[best * inner]) best = k;
      to[first + best * inner] = T(1);
    }
  });
}

}  // namespace

void add_one_hot(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Hardmax",
                 .domain = "",
                 .min_opset = 7,
                 .max_opset = kNewestOpset,
                 .infer = infer_hardmax,
                 .evaluate = evaluate_hardmax});
  ops.push_back({.op_type = "OneHot",
                 .domain = "",
                 .min_opset = 9,
                 .max_opset = kNewestOpset,
                 .min_inputs = 3,
                 .max_inputs = 3,
                 .infer = infer_one_hot,
                 .evaluate = evaluate_one_hot});
}

}  // namespace quantize
