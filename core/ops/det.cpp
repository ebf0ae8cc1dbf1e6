// Det: the determinants of square matrices.
#include <cmath>
#include <utility>

#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/require.h"

namespace quantize {

namespace {

void infer(InferContext& context) {
  require_type(context, 0, kFloatTypes);
  auto y = context.shape(0);
  if (y) {
    require(y->size() >= 2 && compatible((*y)[y->size() - 2], y->back()),
            "the input has shape " + to_string(*y) + ", which is no square matrix");
    y->resize(y->size() - 2);
  }
  context.set_output(0, context.input(0).dtype, std::move(y));
}

/// By elimination, with the largest element of each column as its pivot.
double determinant(std::vector<double> a, int64_t n) {
  const auto at = [&](int64_t i, int64_t j) -> double& { return a[static_cast<size_t>(i * n + j)]; };
  double product = 1;
  for (int64_t k = 0; k < n; ++k) {
    int64_t pivot = k;
    for (int64_t i = k + 1; i < n; ++i)
      if (std::abs(at(i, k)) > std::abs(at(pivot, k))) pivot = i;
    if (at(pivot, k) == 0) return 0;
    if (pivot != k) {
      for (int64_t j = k; j < n; ++j) std::swap(at(pivot, j), at(k, j));
      product = -product;
    }
    product *= at(k, k);
    for (int64_t i = k + 1; i < n; ++i) {
      const double factor = at(i, k) / at(k, k);
      for (int64_t j = k; j < n; ++j) at(i, j) -= factor * at(k, j);
    }
  }
  return product;
}

void evaluate(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  const int64_t n = x.shape.back();
  visit_float(x.dtype, [&]<typename T>() {
    for (int64_t i = 0; i < context.outputs[0].size(); ++i) {
      const T* from = x.as<T>() + i * n * n;
      context.outputs[0].as<T>()[i] = static_cast<T>(determinant({from, from + n * n}, n));
    }
  });
}

}  // namespace

void add_det(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Det",
                 .domain = "",
                 .min_opset = 11,
                 .max_opset = kNewestOpset,
                 .infer = infer,
                 .evaluate = evaluate});
}

}  // namespace quantize
