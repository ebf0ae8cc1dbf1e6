// Rounding weights by what they do, against brute force.
#include "calibration/search/fit_rounding.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/interrupt.h"
#include "core/quantization/quantize_weights.h"
#include "tests/support/graph_builder.h"

using namespace quantize;

namespace {

/// Rows of one group whose inputs go together, so that errors can make up for each other.
LayerRows correlated_rows(size_t rows, size_t groups, size_t size) {
  LayerRows result{rows, std::vector<float>(groups * rows * size)};
  const Tensor common = test::random_tensor({static_cast<int64_t>(groups * rows)}, 1);
  const Tensor own = test::random_tensor({static_cast<int64_t>(result.x.size())}, 2);
  for (size_t i = 0; i < result.x.size(); ++i)
    result.x[i] = 5 + common.data<float>()[i / (rows * size) * rows + i % rows] + 0.3f * own.data<float>()[i];
  return result;
}

/// The sum that fit_rounding minimizes, of one output channel.
double error(const Tensor& weights, const Tensor& codes, const QuantParams& params,
             const WeightLayout& layout, const LayerRows& rows, int64_t o) {
  const auto size = static_cast<size_t>(layout.inputs * layout.taps);
  const float* x = rows.x.data() + static_cast<size_t>(o / layout.outputs) * rows.rows * size;
  std::vector<double> results(rows.rows);
  double mean = 0;
  for (size_t r = 0; r < rows.rows; ++r) {
    for (size_t k = 0; k < size; ++k) {
      const auto at =
          layout.offset(o, static_cast<int64_t>(k) / layout.taps) + static_cast<int64_t>(k) % layout.taps;
      const double e = double{weights.data<float>()[at]} -
                       double{params.scale[static_cast<size_t>(o)]} * codes.data<int8_t>()[at];
      results[r] += e * double{x[k * rows.rows + r]};
    }
    mean += results[r] / static_cast<double>(rows.rows);
  }
  double sum = 0;
  for (double result : results) sum += (result - mean) * (result - mean);
  return sum;
}

struct Case {
  WeightLayout layout;
  Tensor weights;
  QuantParams params;
  LayerRows rows;
};

Case make_case(int64_t groups, int64_t outputs, int64_t inputs, int64_t taps, int bits) {
  Case c;
  c.layout = {.groups = groups,
              .outputs = outputs,
              .inputs = inputs,
              .taps = taps,
              .group_stride = outputs * inputs * taps,
              .output_stride = inputs * taps,
              .input_stride = taps};
  c.weights = test::random_tensor({groups * outputs, inputs, taps}, 3);
  QuantizationScheme scheme;
  scheme.weights.num_bits = bits;
  c.params =
      choose_weight_params(c.weights, c.layout, {}, QuantParams{.scale = {1}, .zero_point = {0}, .axis = {}},
                           {scheme.weights}, nullptr);
  c.rows = correlated_rows(64, static_cast<size_t>(groups), static_cast<size_t>(inputs * taps));
  return c;
}

/// Of a copy of the rows, which fit_rounding takes the means from.
Tensor fitted_codes(Case c, int threads) {
  return fit_rounding(c.weights, c.params, c.layout, c.rows, best_kernels(), threads);
}

}  // namespace

TEST_CASE("Fitted rounding never does worse than the nearest codes, and takes neighbours only") {
  for (const Case& c : {make_case(1, 6, 5, 9, 4), make_case(8, 1, 1, 9, 8), make_case(2, 3, 4, 1, 3)}) {
    const Tensor nearest = quantize_tensor(c.weights, c.params);
    const Tensor fitted = fitted_codes(c, 1);
    REQUIRE(fitted.shape() == nearest.shape());
    double before = 0, after = 0;
    for (int64_t o = 0; o < c.layout.output_channels(); ++o) {
      before += error(c.weights, nearest, c.params, c.layout, c.rows, o);
      after += error(c.weights, fitted, c.params, c.layout, c.rows, o);
      const float scale = c.params.scale[static_cast<size_t>(o)];
      for (int64_t k = 0; k < c.layout.inputs * c.layout.taps; ++k) {
        const int64_t at = c.layout.offset(o, k / c.layout.taps) + k % c.layout.taps;
        const int code = fitted.data<int8_t>()[at];
        CHECK(std::abs(c.weights.data<float>()[at] - static_cast<float>(code) * scale) <= 1.0001f * scale);
        CHECK(code >= c.params.quant_min);
        CHECK(code <= c.params.quant_max);
      }
    }
    CHECK(after < 0.5 * before);
    CHECK(fitted_codes(c, 3).to_vector<int>() == fitted.to_vector<int>());
  }
}

TEST_CASE("Fitted rounding: codes of u8 are those of s8 and their zero point") {
  Case c = make_case(2, 3, 4, 9, 8);
  const std::vector<int> codes = fitted_codes(c, 1).to_vector<int>();
  c.params.dtype = DataType::kU8;
  for (int32_t& zero : c.params.zero_point) zero = 128;
  c.params.quant_min += 128;
  c.params.quant_max += 128;
  std::vector<int> shifted = fitted_codes(c, 1).to_vector<int>();
  for (int& code : shifted) code -= 128;
  CHECK(shifted == codes);
}

TEST_CASE("Fitted rounding comes close to the best of all choices") {
  const Case c = make_case(1, 4, 10, 1, 3);
  const Tensor fitted = fitted_codes(c, 1);
  for (int64_t o = 0; o < 4; ++o) {
    const float scale = c.params.scale[static_cast<size_t>(o)];
    double best = 1e300;
    for (int choice = 0; choice < 1 << 10; ++choice) {
      Tensor codes(DataType::kS8, c.weights.shape());
      for (int64_t k = 0; k < 10; ++k) {
        const float steps = c.weights.data<float>()[o * 10 + k] / scale;
        codes.mutable_data<int8_t>()[o * 10 + k] =
            static_cast<int8_t>((choice >> k & 1) != 0 ? std::ceil(steps) : std::floor(steps));
      }
      best = std::min(best, error(c.weights, codes, c.params, c.layout, c.rows, o));
    }
    CHECK(error(c.weights, fitted, c.params, c.layout, c.rows, o) <
          0.5 * error(c.weights, quantize_tensor(c.weights, c.params), c.params, c.layout, c.rows, o) +
              4 * best);
  }
}

TEST_CASE("Fitted rounding: inputs that never vary keep the nearest codes") {
  Case c = make_case(1, 3, 4, 1, 4);
  std::fill(c.rows.x.begin(), c.rows.x.end(), 7.0f);
  CHECK(fitted_codes(c, 1).to_vector<int>() == quantize_tensor(c.weights, c.params).to_vector<int>());
}

TEST_CASE("Fitting asks for interruptions within its loops, weight by weight") {
  static size_t asked;
  asked = 0;
  const Case c = make_case(1, 4, 40, 1, 4);
  set_interrupt_check([] { ++asked; });
  fitted_codes(c, 1);
  set_interrupt_check(nullptr);
  CHECK(asked >= 2 * 40);
}
