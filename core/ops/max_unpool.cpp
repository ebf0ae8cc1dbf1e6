// MaxUnpool: each maximum where a MaxPool found it, zeros elsewhere.
#include <algorithm>

#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/require.h"
#include "core/ops/support/strided.h"

namespace quantize {

namespace {

std::vector<int64_t> list_of(const Node& node, const char* name, size_t count, int64_t low,
                             int64_t fallback) {
  constexpr int64_t kMost = int64_t{1} << 30;
  auto list = node.ints_attribute(name, std::vector<int64_t>(count, fallback));
  require(list.size() == count &&
              std::all_of(list.begin(), list.end(), [low](int64_t i) { return i >= low && i <= kMost; }),
          "attribute '" + std::string(name) + "' does not have " + std::to_string(count) + " elements in [" +
              std::to_string(low) + ", 2^30]");
  return list;
}

/// The extents that a MaxPool of these attributes pooled, if it left nothing out.
Shape pooled_shape(const Node& node, Dims x) {
  require(x.size() >= 3,
          "the input has shape " + to_string(x) + ", but must be at least N x C x one spatial axis");
  const size_t rank = x.size() - 2;
  const auto kernel = list_of(node, "kernel_shape", rank, 1, 0),
             strides = list_of(node, "strides", rank, 1, 1), pads = list_of(node, "pads", 2 * rank, 0, 0);
  Shape shape{x[0], x[1]};
  for (size_t i = 0; i < rank; ++i) {
    shape.push_back(kUnknownDim);
    if (x[2 + i] == kUnknownDim) continue;
    require(x[2 + i] <= int64_t{1} << 30, "an input of shape " + to_string(x) + " is too large");
    shape.back() = (x[2 + i] - 1) * strides[i] + kernel[i] - pads[i] - pads[rank + i];
    require(shape.back() >= 0, "an output extent would be " + std::to_string(shape.back()));
  }
  return shape;
}

void infer(InferContext& context) {
  require_type(context, 0, kFloatTypes);
  const std::array kPlaceTypes{DataType::kS64};
  require_type(context, 1, kPlaceTypes);
  const auto x = context.shape(0), places = context.shape(1);
  require(!x || !places || !is_static(*x) || !is_static(*places) || *x == *places,
          "the places do not fit the input");
  std::optional<Shape> y;
  if (x) {
    y = pooled_shape(context.node, *x);
    if (context.has_input(2)) {
      const auto wanted = context.all_integers(2);
      require(!wanted || wanted->size() == x->size(), "the output shape has not one extent per axis");
      for (size_t i = 0; i < y->size(); ++i) {
        require(!wanted || (*wanted)[i] >= (*y)[i], "the output shape is smaller than what was pooled");
        (*y)[i] = wanted ? (*wanted)[i] : kUnknownDim;
      }
    }
  }
  context.set_output(0, context.input(0).dtype, std::move(y));
}

/// Places count in the tensor that was pooled, which stands in the first corner of the output.
void evaluate(const EvaluateContext& context) {
  const TensorView &x = context.inputs[0], &places = context.inputs[1];
  const MutableTensorView& y = context.outputs[0];
  const Shape pooled = pooled_shape(context.node, x.shape);
  const Shape from = strides_of(pooled), to = strides_of(y.shape);
  const int64_t size = element_count(pooled);
  const bool is_whole = size == y.size();
  const auto target_of = [&](int64_t place) {
    int64_t target = 0;
    for (size_t axis = 0; axis < pooled.size(); ++axis)
      target += place / from[axis] % pooled[axis] * to[axis];
    return target;
  };
  visit_float(x.dtype, [&]<typename T>() {
    std::fill_n(y.as<T>(), y.size(), T(0));
    for (int64_t i = 0; i < x.size(); ++i) {
      const int64_t place = places.as<int64_t>()[i];
      if (place < 0 || place >= size)
        invalid_model("place " + std::to_string(place) + " is outside what was pooled");
      y.as<T>()[is_whole ? place : target_of(place)] = x.as<T>()[i];
    }
  });
}

}  // namespace

void add_max_unpool(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "MaxUnpool",
                 .domain = "",
                 .min_opset = 9,
                 .max_opset = kNewestOpset,
                 .min_inputs = 2,
                 .max_inputs = 3,
                 .infer = infer,
                 .evaluate = evaluate});
}

}  // namespace quantize
