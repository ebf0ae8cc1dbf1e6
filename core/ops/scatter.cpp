// Scatter, ScatterElements, ScatterND, TensorScatter: the data with updates written at indices, or added to,
// multiplied with or compared with what stands there.
#include <cstring>

#include "core/ops/support/element_types.h"
#include "core/ops/support/index.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/strided.h"

namespace quantize {

namespace {

enum class Reduction { kNone, kAdd, kMul, kMax, kMin };

Reduction reduction_of(const Node& node) {
  const std::string name = node.string_attribute("reduction", "none");
  if (name == "none") return Reduction::kNone;
  if (name == "add") return Reduction::kAdd;
  if (name == "mul") return Reduction::kMul;
  if (name == "max") return Reduction::kMax;
  if (name == "min") return Reduction::kMin;
  invalid_model("attribute 'reduction' is '" + name + "', which is none of none, add, mul, max and min");
}

[[noreturn]] void misfit(const std::string& what, const Shape& shape, const Shape& data) {
  invalid_model(what + " of shape " + to_string(shape) + " do not fit data of shape " + to_string(data));
}

void infer_common(InferContext& context) {
  require_type(context, 1, kIndexTypes);
  require_same_type(context, 0, 2);
  if (reduction_of(context.node) != Reduction::kNone) require_type(context, 0, kNumberTypes);
  infer_same_as_input(context);
}

void infer_elements(InferContext& context) {
  infer_common(context);
  const auto x = context.shape(0), indices = context.shape(1), updates = context.shape(2);
  if (!x || !indices) return;
  const auto axis = static_cast<size_t>(normalize_axis(context.node.int_attribute("axis", 0), x->size()));
  bool fits = x->size() == indices->size();
  for (size_t i = 0; fits && i < x->size(); ++i)
    fits = i == axis || (*x)[i] == kUnknownDim || (*indices)[i] <= (*x)[i];
  if (!fits) misfit("indices", *indices, *x);
  if (updates && is_static(*updates) && is_static(*indices) && *updates != *indices)
    misfit("updates", *updates, *indices);
}

void infer_nd(InferContext& context) {
  infer_common(context);
  const auto x = context.shape(0), indices = context.shape(1), updates = context.shape(2);
  if (!x || !indices || !updates || !is_static(*x) || !is_static(*indices) || !is_static(*updates)) return;
  if (indices->empty() || indices->back() < 1 || indices->back() > static_cast<int64_t>(x->size()))
    misfit("indices", *indices, *x);
  Shape expected(indices->begin(), indices->end() - 1);
  expected.insert(expected.end(), x->begin() + indices->back(), x->end());
  if (expected != *updates) misfit("updates", *updates, *x);
}

void copy_data(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  std::memcpy(context.outputs[0].data, x.data, byte_count(x.dtype, x.shape));
}

/// Integers wrap around.
template <typename T, typename Function>
T combined(T a, T b, Function function) {
  using Wide = std::conditional_t<std::is_floating_point_v<T>, T, uint64_t>;
  return static_cast<T>(function(static_cast<Wide>(a), static_cast<Wide>(b)));
}

template <typename T>
void reduce(Reduction reduction, T update, T& place) {
  switch (reduction) {
    case Reduction::kAdd:
      place = combined(place, update, [](auto a, auto b) { return a + b; });
      return;
    case Reduction::kMul:
      place = combined(place, update, [](auto a, auto b) { return a * b; });
      return;
    case Reduction::kMax:
      if (update > place || update != update) place = update;
      return;
    case Reduction::kMin:
      if (update < place || update != update) place = update;
      return;
    case Reduction::kNone:
      place = update;
  }
}

/// Writes or combines runs of `block` updates; `place(run)` says where each begins.
template <typename Place>
void scatter_runs(const EvaluateContext& context, int64_t runs, int64_t block, Place place) {
  const Reduction reduction = reduction_of(context.node);
  const auto each = [&]<typename T>(Reduction how) {
    const T* from = static_cast<const T*>(context.inputs[2].data);
    T* to = static_cast<T*>(context.outputs[0].data);
    for (int64_t run = 0; run < runs; ++run) {
      T* first = to + place(run);
      for (int64_t i = 0; i < block; ++i) reduce(how, from[run * block + i], first[i]);
    }
  };
  const DataType dtype = context.inputs[0].dtype;
  if (reduction == Reduction::kNone)
    visit_width(size_of(dtype), [&]<typename T>() { each.template operator()<T>(Reduction::kNone); });
  else
    visit_number(dtype, [&]<typename T>() { each.template operator()<T>(reduction); });
}

void evaluate_elements(const EvaluateContext& context) {
  copy_data(context);
  const TensorView& x = context.inputs[0];
  const auto axis =
      static_cast<size_t>(normalize_axis(context.node.int_attribute("axis", 0), x.shape.size()));
  const std::vector<int64_t> indices = to_integers(context.inputs[1]);
  const Dims shape = context.inputs[1].shape;
  const Shape strides = strides_of(x.shape), own = strides_of(shape);
  scatter_runs(context, static_cast<int64_t>(indices.size()), 1, [&](int64_t i) {
    int64_t place = checked_index(indices[static_cast<size_t>(i)], x.shape[axis]) * strides[axis];
    for (size_t d = 0; d < shape.size(); ++d)
      if (d != axis) place += i / own[d] % shape[d] * strides[d];
    return place;
  });
}

void evaluate_nd(const EvaluateContext& context) {
  copy_data(context);
  const TensorView& x = context.inputs[0];
  const auto depth = static_cast<size_t>(context.inputs[1].shape.back());
  const std::vector<int64_t> indices = to_integers(context.inputs[1]);
  const Shape strides = strides_of(x.shape);
  const int64_t block = extent_product(x.shape, depth, x.shape.size());
  scatter_runs(context, static_cast<int64_t>(indices.size() / depth), block, [&](int64_t run) {
    int64_t place = 0;
    for (size_t d = 0; d < depth; ++d)
      place += checked_index(indices[static_cast<size_t>(run) * depth + d], x.shape[d]) * strides[d];
    return place;
  });
}

/// The axis of a cache that grows with the sequence; never the batch.
size_t sequence_axis(const Node& node, size_t rank) {
  const auto axis = static_cast<size_t>(normalize_axis(node.int_attribute("axis", -2), rank));
  if (axis == 0) invalid_model("the axis of TensorScatter is that of the batch");
  return axis;
}

void infer_tensor_scatter(InferContext& context) {
  const std::string mode = context.node.string_attribute("mode", "linear");
  if (mode != "linear" && mode != "circular") invalid_model("attribute 'mode' is '" + mode + "'");
  require_same_type(context, 0, 1);
  require_type(context, 2, kIndexTypes);
  infer_same_as_input(context);
  const auto x = context.shape(0), update = context.shape(1);
  if (!x || !update) return;
  const size_t axis = sequence_axis(context.node, x->size());
  bool fits = x->size() == update->size();
  for (size_t i = 0; fits && i < x->size(); ++i)
    fits = (*x)[i] == kUnknownDim || (*update)[i] == kUnknownDim ||
           (i == axis ? (*update)[i] <= (*x)[i] : (*update)[i] == (*x)[i]);
  if (!fits) misfit("updates", *update, *x);
  require_vector(context, 2, (*x)[0]);
}

void evaluate_tensor_scatter(const EvaluateContext& context) {
  copy_data(context);
  const TensorView &x = context.inputs[0], &update = context.inputs[1];
  const size_t axis = sequence_axis(context.node, x.shape.size());
  const bool circular = context.node.string_attribute("mode", "linear") == "circular";
  const std::vector<int64_t> first = context.input(2)
                                         ? to_integers(context.inputs[2])
                                         : std::vector<int64_t>(static_cast<size_t>(x.shape[0]), 0);
  const int64_t length = x.shape[axis], steps = update.shape[axis];
  const int64_t prefixes = extent_product(x.shape, 0, axis);
  const auto block =
      static_cast<size_t>(extent_product(x.shape, axis + 1, x.shape.size())) * size_of(x.dtype);
  const auto* from = static_cast<const std::byte*>(update.data);
  auto* to = static_cast<std::byte*>(context.outputs[0].data);
  for (int64_t prefix = 0; prefix < prefixes; ++prefix)
    for (int64_t s = 0; s < steps; ++s, from += block) {
      const int64_t begin = first[static_cast<size_t>(prefix / (prefixes / x.shape[0]))];
      if (begin < 0 || begin >= length) invalid_model("a write index is " + std::to_string(begin));
      const int64_t place = circular ? (begin + s) % length : checked_index(begin + s, length);
      std::memcpy(to + static_cast<size_t>(prefix * length + place) * block, from, block);
    }
}

OpDef scatter(const char* op_type, int min_opset, int max_opset, void (*infer)(InferContext&),
              void (*evaluate)(const EvaluateContext&)) {
  return {.op_type = op_type,
          .domain = "",
          .min_opset = min_opset,
          .max_opset = max_opset,
          .min_inputs = 3,
          .max_inputs = 3,
          .infer = infer,
          .evaluate = evaluate};
}

}  // namespace

void add_scatter(std::vector<OpDef>& ops) {
  ops.push_back(scatter("Scatter", 9, 10, infer_elements, evaluate_elements));
  ops.push_back(scatter("ScatterElements", 11, kNewestOpset, infer_elements, evaluate_elements));
  ops.push_back(scatter("ScatterND", 11, kNewestOpset, infer_nd, evaluate_nd));
  ops.push_back(scatter("TensorScatter", 24, kNewestOpset, infer_tensor_scatter, evaluate_tensor_scatter));
  ops.back().min_inputs = 2;
}

}  // namespace quantize
