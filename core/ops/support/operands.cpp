// Operands that are attributes or inputs.
#include "core/ops/support/operands.h"

#include <algorithm>

#include "core/error.h"

namespace quantize {

void invalid_model(const std::string& message) {
  throw Error(ErrorKind::kInvalidModel, message);
}

IntegerOperand integer_operand(const InferContext& context, const char* name, size_t i) {
  if (context.node.has_attribute(name)) return {true, context.node.ints_attribute(name, {})};
  if (!context.has_input(i)) return {};
  return {true, context.all_integers(i)};
}

std::optional<std::vector<int64_t>> integer_operand(const EvaluateContext& context, const char* name,
                                                    size_t i) {
  if (context.node.has_attribute(name)) return context.node.ints_attribute(name, {});
  if (!context.input(i)) return std::nullopt;
  return to_integers(context.input(i));
}

namespace {
void require_one(size_t count) {
  if (count != 1)
    invalid_model("an operand has " + std::to_string(count) + " elements where one number belongs");
}
}  // namespace

std::optional<int64_t> only_integer(const InferContext& context, size_t i) {
  const auto shape = context.shape(i);
  if (shape && is_static(*shape)) require_one(static_cast<size_t>(element_count(*shape)));
  const auto values = context.all_integers(i);
  if (!values) return std::nullopt;
  require_one(values->size());
  return values->front();
}

int64_t only_integer(const TensorView& tensor) {
  const std::vector<int64_t> values = to_integers(tensor);
  require_one(values.size());
  return values.front();
}

std::optional<RequestedShape> requested_shape(const InferContext& context, size_t i, int64_t lowest) {
  constexpr int64_t kMaxRank = 64;
  RequestedShape result;
  if (const auto elements = context.integers(i)) {
    const bool complete = context.all_integers(i).has_value();
    for (int64_t extent : *elements) {
      const bool unknown = !complete && extent == kUnknownElement;
      if (!unknown && extent < lowest) invalid_model("a shape holds " + std::to_string(extent));
      result.extents.push_back(unknown ? kUnknownDim : extent);
      result.unknown.push_back(unknown);
    }
    return result;
  }
  const auto length = context.shape(i);
  if (!length || length->size() != 1 || (*length)[0] < 0 || (*length)[0] > kMaxRank) return std::nullopt;
  result.extents.assign(static_cast<size_t>((*length)[0]), kUnknownDim);
  result.unknown.assign(result.extents.size(), true);
  return result;
}

std::vector<int64_t> to_integers(const TensorView& tensor) {
  if (tensor.dtype == DataType::kS64) {
    const auto* data = tensor.as<int64_t>();
    return {data, data + tensor.size()};
  }
  if (tensor.dtype == DataType::kS32) {
    const auto* data = tensor.as<int32_t>();
    return {data, data + tensor.size()};
  }
  invalid_model("an operand has type " + std::string(name_of(tensor.dtype)) + " where s32 or s64 belongs");
}

std::vector<int64_t> normalize_axes(const std::vector<int64_t>& axes, size_t rank) {
  std::vector<int64_t> result;
  for (int64_t axis : axes) {
    const int64_t normal = normalize_axis(axis, rank);
    if (std::find(result.begin(), result.end(), normal) != result.end())
      invalid_model("axis " + std::to_string(axis) + " is given twice");
    result.push_back(normal);
  }
  return result;
}

void require_vector(const InferContext& context, size_t i, int64_t extent) {
  const auto shape = context.shape(i);
  if (!shape) return;
  const bool fits =
      shape->size() == 1 && (extent == kUnknownDim || (*shape)[0] == kUnknownDim || (*shape)[0] == extent);
  if (!fits)
    invalid_model("input " + std::to_string(i) + " has shape " + to_string(*shape) + " where a vector of " +
                  to_string(Shape{extent}) + " belongs");
}

int64_t checked_add(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) invalid_model("an extent is too large");
  return sum;
}

void infer_same_as_input(InferContext& context) {
  context.set_output(0, context.input(0).dtype, context.shape(0));
}

int64_t extent_product(Dims shape, size_t first, size_t last) {
  return element_count(shape.subspan(first, last - first));
}

}  // namespace quantize
