// Operators whose result has as many elements as the data say: Compress, NonZero, Unique. Their shapes follow from
// constants; see the README of this folder.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/require.h"
#include "core/ops/support/strided.h"

namespace quantize {

namespace {

/// The slices that Compress keeps: those whose condition holds; what the condition does not reach goes.
std::vector<int64_t> kept_slices(const TensorView& condition, int64_t extent) {
  std::vector<int64_t> kept;
  for (int64_t i = 0; i < std::min(extent, condition.size()); ++i)
    if (condition.as<bool>()[i]) kept.push_back(i);
  return kept;
}

std::optional<size_t> compressed_axis(const Node& node, size_t rank) {
  if (!node.has_attribute("axis")) return std::nullopt;  // the flattened input
  return static_cast<size_t>(normalize_axis(node.int_attribute("axis", 0), rank));
}

void infer_compress(InferContext& context) {
  require_type(context, 1, kBoolOnly);
  require_vector(context, 1, kUnknownDim);
  const auto x = context.shape(0);
  const Tensor* condition = context.constant(1);
  std::optional<Shape> y;
  if (x) {
    const auto axis = compressed_axis(context.node, x->size());
    y = axis ? *x : Shape{is_static(*x) ? element_count(*x) : kUnknownDim};
    int64_t& extent = (*y)[axis.value_or(0)];
    extent = condition != nullptr && extent != kUnknownDim
                 ? static_cast<int64_t>(kept_slices(condition->view(), extent).size())
                 : kUnknownDim;
  }
  context.set_output(0, context.input(0).dtype, std::move(y));
}

void evaluate_compress(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  const auto axis = compressed_axis(context.node, x.shape.size());
  const Shape flat{x.size()};
  const TensorView seen{x.dtype, axis ? x.shape : Dims(flat), x.data};
  std::vector<std::vector<int64_t>> tables;
  for (size_t i = 0; i < seen.shape.size(); ++i) {
    tables.emplace_back(static_cast<size_t>(seen.shape[i]));
    std::iota(tables[i].begin(), tables[i].end(), 0);
  }
  tables[axis.value_or(0)] = kept_slices(context.inputs[1], seen.shape[axis.value_or(0)]);
  gather_axes(seen, tables, context.outputs[0]);
}

/// Where elements are not zero, in order.
std::vector<int64_t> nonzero_places(const TensorView& x) {
  std::vector<int64_t> places;
  const auto find = [&]<typename T>() {
    for (int64_t i = 0; i < x.size(); ++i)
      if (x.as<T>()[i] != T(0)) places.push_back(i);
  };
  if (x.dtype == DataType::kBool)
    find.template operator()<bool>();
  else
    visit_number(x.dtype, find);
  return places;
}

void require_number_or_bool(const InferContext& context, size_t i) {
  if (context.input(i).dtype != DataType::kBool) require_type(context, i, kNumberTypes);
}

void infer_nonzero(InferContext& context) {
  require_number_or_bool(context, 0);
  const auto x = context.shape(0);
  const Tensor* constant = context.constant(0);
  const auto rank = x ? static_cast<int64_t>(x->size()) : kUnknownDim;
  context.set_output(
      0, DataType::kS64,
      Shape{rank, constant != nullptr ? static_cast<int64_t>(nonzero_places(constant->view()).size())
                                      : kUnknownDim});
}

void evaluate_nonzero(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  const std::vector<int64_t> places = nonzero_places(x);
  const Shape strides = strides_of(x.shape);
  int64_t* y = context.outputs[0].as<int64_t>();
  for (size_t axis = 0; axis < x.shape.size(); ++axis)
    for (const int64_t place : places) *y++ = place / strides[axis] % x.shape[axis];
}

/// The slices of an axis, of which equal ones are one: where each first stands, in the order of the result; which
/// of these each slice is, and how often each stands.
struct Classes {
  std::vector<int64_t> first, inverse, counts;
};

/// x as `slices` slices [outer][slice][inner].
struct Slices {
  int64_t outer, count, inner;
};

Slices slices_of(const Node& node, Dims x) {
  if (!node.has_attribute("axis")) return {1, element_count(x), 1};
  const auto axis = static_cast<size_t>(normalize_axis(node.int_attribute("axis", 0), x.size()));
  const Slices slices{extent_product(x, 0, axis), x[axis], extent_product(x, axis + 1, x.size())};
  require(slices.outer * slices.inner != 0,
          "the slices of shape " + to_string(x) + " have no elements to tell apart");
  return slices;
}

template <typename T>
Classes find_classes(const TensorView& x, const Slices& slices, bool sorted) {
  const T* data = static_cast<const T*>(x.data);
  const auto compare = [&](int64_t a, int64_t b) {
    for (int64_t o = 0; o < slices.outer; ++o)
      for (int64_t i = 0; i < slices.inner; ++i) {
        const T u = data[(o * slices.count + a) * slices.inner + i],
                v = data[(o * slices.count + b) * slices.inner + i];
        if (u < v) return -1;
        if (v < u) return 1;
      }
    return 0;
  };
  std::vector<int64_t> order(static_cast<size_t>(slices.count));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return compare(a, b) < 0; });
  Classes classes;
  classes.inverse.resize(order.size());
  for (size_t k = 0; k < order.size(); ++k) {
    if (k == 0 || compare(order[k - 1], order[k]) != 0) {
      classes.first.push_back(order[k]);
      classes.counts.push_back(0);
    }
    ++classes.counts.back();
    classes.inverse[static_cast<size_t>(order[k])] = static_cast<int64_t>(classes.first.size()) - 1;
  }
  if (sorted) return classes;
  std::vector<size_t> ranks(classes.first.size());
  std::iota(ranks.begin(), ranks.end(), size_t{0});
  std::sort(ranks.begin(), ranks.end(),
            [&](size_t a, size_t b) { return classes.first[a] < classes.first[b]; });
  Classes placed;
  std::vector<int64_t> position(ranks.size());
  for (size_t k = 0; k < ranks.size(); ++k) {
    placed.first.push_back(classes.first[ranks[k]]);
    placed.counts.push_back(classes.counts[ranks[k]]);
    position[ranks[k]] = static_cast<int64_t>(k);
  }
  for (const int64_t c : classes.inverse) placed.inverse.push_back(position[static_cast<size_t>(c)]);
  return placed;
}

Classes classes_of(const Node& node, const TensorView& x) {
  const bool sorted = node.int_attribute("sorted", 1) != 0;
  Classes classes;
  const auto find = [&]<typename T>() { classes = find_classes<T>(x, slices_of(node, x.shape), sorted); };
  if (x.dtype == DataType::kBool)
    find.template operator()<bool>();
  else
    visit_number(x.dtype, find);
  return classes;
}

void infer_unique(InferContext& context) {
  require_number_or_bool(context, 0);
  const auto x = context.shape(0);
  const Tensor* constant = context.constant(0);
  int64_t count = kUnknownDim;
  if (constant != nullptr)
    count = static_cast<int64_t>(classes_of(context.node, constant->view()).first.size());
  std::optional<Shape> y = Shape{count};
  if (context.node.has_attribute("axis")) {
    y = x;
    if (y)
      (*y)[static_cast<size_t>(normalize_axis(context.node.int_attribute("axis", 0), x->size()))] = count;
  }
  context.set_output(0, context.input(0).dtype, y);
  context.set_output(1, DataType::kS64, Shape{count});
  context.set_output(2, DataType::kS64,
                     Shape{x && is_static(*x) ? slices_of(context.node, *x).count : kUnknownDim});
  context.set_output(3, DataType::kS64, Shape{count});
}

void evaluate_unique(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  const Slices slices = slices_of(context.node, x.shape);
  const Classes classes = classes_of(context.node, x);
  const Shape seen_shape{slices.outer, slices.count, slices.inner};
  const Shape kept_shape{slices.outer, static_cast<int64_t>(classes.first.size()), slices.inner};
  std::vector<std::vector<int64_t>> tables{std::vector<int64_t>(static_cast<size_t>(slices.outer)),
                                           classes.first,
                                           std::vector<int64_t>(static_cast<size_t>(slices.inner))};
  std::iota(tables[0].begin(), tables[0].end(), 0);
  std::iota(tables[2].begin(), tables[2].end(), 0);
  gather_axes({x.dtype, seen_shape, x.data}, tables, {x.dtype, kept_shape, context.outputs[0].data});
  const std::vector<int64_t>* lists[] = {&classes.first, &classes.inverse, &classes.counts};
  for (size_t i = 1; i < context.outputs.size(); ++i)
    if (context.outputs[i])
      std::copy(lists[i - 1]->begin(), lists[i - 1]->end(), context.outputs[i].as<int64_t>());
}

}  // namespace

void add_select(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Compress",
                 .domain = "",
                 .min_opset = 9,
                 .max_opset = kNewestOpset,
                 .min_inputs = 2,
                 .max_inputs = 2,
                 .infer = infer_compress,
                 .evaluate = evaluate_compress,
                 .selects = true});
  ops.push_back({.op_type = "NonZero",
                 .domain = "",
                 .min_opset = 9,
                 .max_opset = kNewestOpset,
                 .infer = infer_nonzero,
                 .evaluate = evaluate_nonzero});
  ops.push_back({.op_type = "Unique",
                 .domain = "",
                 .min_opset = 11,
                 .max_opset = kNewestOpset,
                 .max_outputs = 4,
                 .infer = infer_unique,
                 .evaluate = evaluate_unique});
}

}  // namespace quantize
