#include "calibration/search/output_error.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <numeric>

#include "tests/support/graph_builder.h"

namespace quantize {

namespace {

/// Five boxes of three numbers, whose columns deviate by about `sizes`; another sample has the opposite
/// signs.
Tensor boxes(std::vector<float> sizes, float sign) {
  Tensor tensor(DataType::kF32, {1, 5, 3});
  for (int64_t i = 0; i < tensor.size(); ++i)
    tensor.mutable_data<float>()[i] =
        100 + (i / 3 % 2 == 0 ? sign : -sign) * sizes[static_cast<size_t>(i % 3)];
  return tensor;
}

/// A copy, since tensors share their elements.
Tensor with_error(const Tensor& tensor, int64_t element, float error) {
  Tensor copy(DataType::kF32, tensor.shape());
  std::copy_n(tensor.data<float>(), tensor.size(), copy.mutable_data<float>());
  copy.mutable_data<float>()[element] += error;
  return copy;
}

double total(const OutputError& error, const Tensor& reference, const Tensor& candidate) {
  const std::vector<double> errors = error.channels_of(reference, candidate);
  return std::accumulate(errors.begin(), errors.end(), 0.0);
}

}  // namespace

TEST_CASE("OutputError: an error counts by the deviation of its channel, not by its offset") {
  const Tensor a = boxes({8, 8, 0.5f}, 1), b = boxes({8, 8, 0.5f}, -1);
  const OutputError error({&a, &b});
  CHECK(total(error, a, a) == 0);
  const double large = total(error, a, with_error(a, 1, 1)), small = total(error, a, with_error(a, 2, 1));
  CHECK(small / large == Approx(16));
  // One of five elements is off by 1: noise 1/5 over the deviation of 8 and the sum of all deviations.
  CHECK(large == Approx(0.2 / 8 / 16.5));
}

TEST_CASE("OutputError: channels of one size count as their energy does") {
  const Tensor a = boxes({2, 2, 2}, 1), b = boxes({2, 2, 2}, -1);
  const OutputError error({&a, &b});
  CHECK(total(error, b, with_error(b, 4, 1)) == Approx(1.0 / (15 * 4)));
}

TEST_CASE("OutputError: scores of classes are relative to their energy") {
  const Tensor a = Tensor::of<float>({1, 2}, {3, 4}), b = Tensor::of<float>({1, 2}, {0, 5});
  const OutputError error({&a, &b});
  CHECK(total(error, a, with_error(a, 0, 2)) == Approx(4.0 / 25));
}

TEST_CASE("OutputError: probabilities count by their logarithm, the least of them not at all") {
  const Tensor a = Tensor::of<float>({1, 3}, {0.9f, 0.0999f, 0.0001f});
  const OutputError error({&a}, OutputError::Kind::kProbabilities);
  const auto squared = [](double x) { return x * x; };
  const double energy =
      squared(std::log(0.9)) + squared(std::log(0.0999)) + squared(std::log(kLeastProbability));
  CHECK(total(error, a, with_error(a, 2, 0.0005f)) == 0);
  CHECK(total(error, a, with_error(a, 1, -0.05f)) ==
        Approx(squared(std::log(0.0499 / 0.0999)) / energy).epsilon(1e-4));
  CHECK(std::isinf(total(error, a, with_error(a, 1, std::numeric_limits<float>::quiet_NaN()))));
}

TEST_CASE("OutputError: one sample of far more energy changes little, neither for others nor by itself") {
  const Tensor a = Tensor::of<float>({1, 2}, {3, 4}), b = Tensor::of<float>({1, 2}, {0, 5}),
               large = Tensor::of<float>({1, 2}, {3000, 4000});
  const OutputError error({&a, &b, &large, &b});
  CHECK(total(error, a, with_error(a, 0, 2)) == Approx(4.0 / 25));
  CHECK(total(error, large, with_error(large, 0, 2000)) == Approx(4.0 / 25));
}

TEST_CASE("OutputError: samples of several shapes, constant channels, what is not finite") {
  const Tensor wide = test::random_tensor({1, 3, 9}, 1), narrow = test::random_tensor({1, 3, 5}, 2);
  CHECK(total(OutputError({&wide, &narrow}), narrow, with_error(narrow, 0, 1)) > 0);
  const Tensor constant(DataType::kF32, {1, 2, 4, 4});
  const OutputError of_constant({&constant});
  CHECK(total(of_constant, constant, constant) == 0);
  CHECK(total(of_constant, constant, with_error(constant, 3, 2)) == 4);  // no energy: the error as it is
  const Tensor level = boxes({0, 0, 0}, 1);
  CHECK(total(OutputError({&level, &level}), level, with_error(level, 3, 50)) == Approx(0.25 / 15));
  const Tensor lost = with_error(wide, 4, std::numeric_limits<float>::quiet_NaN());
  CHECK(std::isinf(total(OutputError({&wide}), wide, lost)));
  CHECK(std::isinf(total(OutputError({&lost}), lost, lost)));
}

}  // namespace quantize
