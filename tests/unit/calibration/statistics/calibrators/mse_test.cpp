// The mse calibrator against the quantization formula and against every candidate, one by one.
#include <algorithm>
#include <catch2/catch.hpp>
#include <limits>

#include "calibration/statistics/calibrator.h"
#include "tests/unit/calibration/statistics/distributions.h"
#include "tests/unit/calibration/statistics/statistics_support.h"

using namespace quantize;
using test::statistics_of_values;

namespace {

/// Integral from 0 to x of (t - step * round(t / step))^2.
double rounding_error(double x, double step) {
  const double level = std::round(x / step), rest = x - level * step;
  return level * step * step * step / 12 + rest * rest * rest / 3;
}

/// The squared error of one side whose elements lie evenly in their bins, in bins, when at most `steps` steps
/// are left.
double side_error(const std::vector<uint64_t>& side, double step, int steps) {
  const double end = step * steps;
  double error = 0;
  for (size_t k = 0; k < side.size(); ++k) {
    if (side[k] == 0) continue;
    const double low = static_cast<double>(k), high = low + 1;
    const double cut = std::clamp(end, low, high);  // rounding below, clipping above
    const double clipped = (std::pow(high - end, 3) - std::pow(cut - end, 3)) / 3;
    error += static_cast<double>(side[k]) * (rounding_error(cut, step) - rounding_error(low, step) + clipped);
  }
  return error;
}

/// The error of quantizing with the parameters that a range leads to.
double error_of(const TensorStatistics& statistics, const Range& range, const QuantType& type) {
  const QuantParams params = choose_quant_params({range}, type);
  const double step = double{params.scale[0]} / statistics.histogram.bin_width();
  return side_error(statistics.histogram.positive, step, params.quant_max - params.zero_point[0]) +
         side_error(statistics.histogram.negative, step, params.zero_point[0] - params.quant_min);
}

Range mse(const TensorStatistics& statistics, const QuantType& type) {
  return find_calibrator("mse").compute_range(statistics, {.type = type});
}

/// The least error over steps 2^(-i / 32) times the widest and, if the type is asymmetric, all zero points.
double least_error(const TensorStatistics& statistics, const QuantType& type) {
  const Range full = full_range(statistics);
  const double width = statistics.histogram.bin_width();
  double least = error_of(statistics, full, type);
  const QuantParams widest = choose_quant_params({full}, type);
  const int total = widest.quant_max - widest.quant_min;
  for (int i = 1;; ++i) {
    const double step = double{widest.scale[0]} * std::exp2(-i / 32.0);
    if (step < width) return least;
    for (int zero = 0; zero <= total; ++zero) {
      if (type.symmetric && zero != widest.zero_point[0] - widest.quant_min) continue;
      if (!type.symmetric && (-zero * step < double{full.min} || (total - zero) * step > double{full.max}))
        continue;
      const double steps = step / width;
      least = std::min(least, side_error(statistics.histogram.positive, steps, total - zero) +
                                  side_error(statistics.histogram.negative, steps, zero));
    }
  }
}

const QuantType kU8{.dtype = DataType::kU8};
const QuantType kU4{.dtype = DataType::kU8, .num_bits = 4};
const QuantType kS8Narrow{.dtype = DataType::kS8, .num_bits = 8, .symmetric = true, .narrow_range = true};
const QuantType kS8Full{.dtype = DataType::kS8, .num_bits = 8, .symmetric = true};

}  // namespace

TEST_CASE("mse has the least error of all candidates") {
  for (const test::Distribution& data : test::distributions(4000)) {
    const TensorStatistics statistics = statistics_of_values(data.values);
    for (const QuantType& type : {kU4, kS8Narrow, kS8Full}) {
      INFO(data.name << ", " << type.num_bits << " bits");
      const double error = error_of(statistics, mse(statistics, type), type),
                   least = least_error(statistics, type);
      // A range one code wider than the full one is none of the candidates, and taken only for much.
      if (type.symmetric || error > 0.75 * least) CHECK(error == Approx(least).epsilon(1e-4));
    }
  }
}

TEST_CASE("mse has the least error of all candidates for 8 bits and both ends") {
  for (const char* name : {"silu", "heavy tail"})
    for (const test::Distribution& data : test::distributions(4000)) {
      if (data.name != name) continue;
      INFO(data.name);
      const TensorStatistics statistics = statistics_of_values(data.values);
      CHECK(error_of(statistics, mse(statistics, kU8), kU8) ==
            Approx(least_error(statistics, kU8)).epsilon(1e-4));
    }
}

TEST_CASE("mse quantizes real elements better than the extremes do") {
  for (const test::Distribution& data : test::distributions()) {
    INFO(data.name);
    const TensorStatistics statistics = statistics_of_values(data.values);
    const auto error_with = [&](const Range& range) {
      const QuantParams params = choose_quant_params({range}, kU4);
      double error = 0;
      for (float value : data.values) {
        const int32_t q =
            quantize_value(value, params.scale[0], params.zero_point[0], params.quant_min, params.quant_max);
        const double d = double{value} - double{dequantize_value(q, params.scale[0], params.zero_point[0])};
        error += d * d;
      }
      return error;
    };
    const double found = error_with(mse(statistics, kU4));
    CHECK(found <= error_with(full_range(statistics)) * 1.001);
    if (data.name == "normal" || data.name == "heavy tail" || data.name == "silu")
      CHECK(found < 0.9 * error_with(full_range(statistics)));
  }
}

TEST_CASE("mse moves codes off pixels that lie halfway between them") {
  std::vector<float> pixels;
  for (int level = 0; level < 256; ++level)
    pixels.insert(pixels.end(), 16, static_cast<float>(level) / 127.5f - 1);
  const TensorStatistics statistics = statistics_of_values(pixels);
  const QuantParams params = choose_quant_params({mse(statistics, kU8)}, kU8);
  double error = 0;
  for (float pixel : pixels) {
    const double d = double{pixel} - double{dequantize_value(
                                         quantize_value(pixel, params.scale[0], params.zero_point[0], 0, 255),
                                         params.scale[0], params.zero_point[0])};
    error += d * d / static_cast<double>(pixels.size());
  }
  const double step = 1 / 127.5;
  CHECK(error < 0.1 * step * step);  // of the range [-1, 1]: a quarter
  CHECK(params.scale[0] < 1.005 * step);
}

TEST_CASE("mse of normal data clips where theory says") {
  // 4 bits, symmetric: the optimum for a normal distribution is near 2.6 standard deviations.
  // Source: Banner, Nahshan and Soudry, Post training 4-bit quantization (2019).
  const TensorStatistics statistics = statistics_of_values(test::distributions(200000)[0].values);
  const Range range =
      mse(statistics, {.dtype = DataType::kS8, .num_bits = 4, .symmetric = true, .narrow_range = true});
  CHECK(range.max > 2.4f);
  CHECK(range.max < 2.8f);
}

TEST_CASE("mse: of scales that are powers of two, the one with the least error") {
  const QuantType type{.dtype = DataType::kS8, .symmetric = true, .power_of_two = true};
  std::vector<float> values(4000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<float>(i)) * 1.5f;
  values.push_back(4.1f);  // a step of 1/16 holds it, one of 1/64 cuts it off
  const TensorStatistics statistics = statistics_of_values(values);
  const Range range = mse(statistics, type);
  const float chosen = choose_quant_params({range}, type).scale[0];
  CHECK(chosen < choose_quant_params({full_range(statistics)}, type).scale[0]);
  CHECK(next_power_of_two(chosen) == chosen);
  const double least = error_of(statistics, range, type);
  for (const int power : {-8, -7, -6, -5, -4, -3}) {
    const float end = std::ldexp(127.0f, power);
    CHECK(least <= error_of(statistics, {-end, end}, type) * (1 + 1e-9));
  }
}
