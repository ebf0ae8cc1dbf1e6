// Histogram and TensorStatistics: what they hold, and that no order and no grouping shows.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>
#include <random>

#include "calibration/statistics/tensor_statistics.h"
#include "core/error.h"
#include "tests/support/graph_builder.h"
#include "tests/unit/calibration/statistics/statistics_support.h"

using namespace quantize;
using test::row;
using test::statistics_of;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

const KernelTable& scalar() {
  return kernels_for(Isa::kScalar);
}

/// Samples of very different magnitude, with zeros of both signs, subnormals and powers of two.
std::vector<Tensor> varied_samples(uint32_t seed, size_t count) {
  std::mt19937 random(seed);
  std::vector<Tensor> samples;
  for (size_t s = 0; s < count; ++s) {
    Tensor sample(DataType::kF32, {1, 3, 4, 5});
    const int scale = static_cast<int>(random() % 60) - 40;
    for (int64_t i = 0; i < sample.size(); ++i) {
      const float unit = static_cast<float>(random()) / 4294967296.0f;
      float value = std::ldexp(unit, scale);
      if (random() % 4 == 0) value = 0;
      if (random() % 8 == 0) value = std::ldexp(1.0f, scale - static_cast<int>(random() % 3));
      if (random() % 16 == 0) value = 1e-44f;
      sample.mutable_data<float>()[i] = random() % 3 == 0 ? -value : value;
    }
    samples.push_back(sample);
  }
  return samples;
}

}  // namespace

TEST_CASE("A histogram counts magnitudes in bins as narrow as they can be") {
  const TensorStatistics s = statistics_of({row({0, 1, 1.9f, -0.0f, -3.9f, 2})});
  const Histogram& h = s.histogram;
  REQUIRE(h.exponent == -10);  // 3.9 < 4096 * 2^-10
  CHECK(h.zeros == 2);
  CHECK(h.total() == 6);
  CHECK(h.positive[1024] == 1);
  CHECK(h.positive[1945] == 1);
  CHECK(h.positive[2048] == 1);
  CHECK(h.negative[3993] == 1);
}

TEST_CASE("A one-signed histogram takes memory for one side") {
  CHECK(statistics_of({row({0, 1})}).histogram.negative.empty());
  CHECK(statistics_of({row({0, -1})}).histogram.positive.empty());
  Histogram zeros;
  zeros.zeros = 2;
  CHECK(statistics_of({row({0, 0})}).histogram == zeros);
}

TEST_CASE("The largest magnitude uses at least half of the bins") {
  for (float magnitude : {1.0f, 6.0f, 0.999f, 1e-30f, 1e11f, 3.0f}) {
    const int exponent = Histogram::exponent_for(magnitude);
    const double bin = std::floor(std::ldexp(double{magnitude}, -exponent));
    CHECK(bin < Histogram::kBins);
    CHECK(bin >= Histogram::kBins / 2);
  }
  CHECK(Histogram::exponent_for(1e-44f) == Histogram::kMinExponent);
}

TEST_CASE("Widening keeps a tiny negative element on its side") {
  const TensorStatistics s = statistics_of({row({-1e-40f}), row({1e10f})});
  CHECK(s.histogram.negative[0] == 1);
  CHECK(s == statistics_of({row({1e10f}), row({-1e-40f})}));
}

TEST_CASE("Extremes, means and counts are those of the samples") {
  const TensorStatistics s = statistics_of({row({1, 2, 3}), row({-2, 5})});
  CHECK(s.min == -2);
  CHECK(s.max == 5);
  CHECK(s.samples == 2);
  CHECK(s.min_sum.value() == -1);
  CHECK(s.max_sum.value() == 8);
  CHECK(s.channels.empty());
  CHECK_FALSE(s.channels_vary);
}

TEST_CASE("Channels lie along axis 1, and along the last axis for rank 2 and 3") {
  const std::vector<float> values{1, 2, 3, 4, 5, 6};
  const auto means = [&](Shape shape) {
    std::vector<double> result;
    for (const ChannelStatistics& channel : statistics_of({Tensor::of<float>(shape, values)}).channels)
      result.push_back(channel.mean_sum.value());
    return result;
  };
  CHECK(means({1, 2, 3, 1}) == std::vector<double>{2, 5});
  CHECK(means({1, 3, 2, 1, 1}) == std::vector<double>{1.5, 3.5, 5.5});
  CHECK(means({2, 3, 1, 1}) == std::vector<double>{2.5, 3.5, 4.5});
  CHECK(means({2, 3}) == std::vector<double>{2.5, 3.5, 4.5});
  CHECK(means({1, 3, 2}) == std::vector<double>{3, 4});
  CHECK(means({6}).empty());
}

TEST_CASE("A channel's extremes are its own") {
  const TensorStatistics s = statistics_of(
      {Tensor::of<float>({1, 2, 1, 2}, {1, -2, 3, 4}), Tensor::of<float>({1, 2, 1, 2}, {7, 0, 5, 6})});
  REQUIRE(s.channels.size() == 2);
  CHECK(s.channels[0].min == -2);
  CHECK(s.channels[0].max == 7);
  CHECK(s.channels[1].min == 3);
  CHECK(s.channels[1].max == 6);
}

TEST_CASE("Channels whose number varies are given up, in any order") {
  const Tensor two = Tensor::of<float>({1, 2}, {1, 2}), three = Tensor::of<float>({1, 3}, {1, 2, 3});
  for (const auto& samples : {std::vector{two, three, two}, std::vector{three, two, two}}) {
    const TensorStatistics s = statistics_of(samples);
    CHECK(s.channels_vary);
    CHECK(s.channels.empty());
    CHECK(s.samples == 3);
  }
  TensorStatistics merged = statistics_of({two, three});
  merged.add(statistics_of({two}));
  CHECK(merged == statistics_of({two, two, three}));
}

TEST_CASE("A sample with NaN, infinity or an absurd magnitude counts as such and as nothing else") {
  for (float bad : {std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity, 0x1p40f, -3e38f}) {
    const TensorStatistics s = statistics_of({row({bad, 1, bad}), row({1, 2})});
    CHECK(s.non_finite == 2);
    CHECK(s.samples == 1);
    TensorStatistics clean = statistics_of({row({1, 2})});
    clean.non_finite = 2;
    CHECK(s == clean);
  }
  CHECK(statistics_of({row({0x1.fffffep39f})}).non_finite == 0);
}

TEST_CASE("A tensor without elements is no sample") {
  CHECK(statistics_of({Tensor(DataType::kF32, {0, 3})}) == TensorStatistics());
}

TEST_CASE("Any order and any grouping of samples gives the same statistics") {
  std::mt19937 random(3);
  for (uint32_t seed = 0; seed < 8; ++seed) {
    const std::vector<Tensor> samples = varied_samples(seed, 12);
    std::vector<size_t> order(samples.size());
    std::iota(order.begin(), order.end(), size_t{0});
    TensorStatistics expected;
    for (const size_t i : order) expected.add(summarize(samples[i].view(), i, std::nullopt, scalar()));
    CHECK(expected.histogram.total() == 12 * 60);
    for (int round = 0; round < 10; ++round) {
      std::shuffle(order.begin(), order.end(), random);
      std::vector<TensorStatistics> shards(1 + random() % 5);
      for (const size_t i : order)
        shards[random() % shards.size()].add(summarize(samples[i].view(), i, std::nullopt, scalar()));
      std::shuffle(shards.begin(), shards.end(), random);
      TensorStatistics merged;
      for (const TensorStatistics& shard : shards) merged.add(shard);
      CHECK(merged == expected);
    }
  }
}

TEST_CASE("Every level of kernels gives the same statistics") {
  for (const Tensor& sample : varied_samples(11, 6)) {
    TensorStatistics expected, actual;
    expected.add(summarize(sample.view(), 0, std::nullopt, scalar()));
    actual.add(summarize(sample.view(), 0, std::nullopt, best_kernels()));
    CHECK(actual == expected);
  }
}

TEST_CASE("More samples than the sums can hold are refused") {
  TensorStatistics full;
  full.samples = ExactSum::kMaxTerms;
  CHECK_THROWS_AS(full.add(statistics_of({row({1})})), Error);
}

TEST_CASE("Channels lie along the axis that is asked for; without one, along the usual one") {
  const Tensor x = test::random_tensor({2, 3, 4, 5}, 1);
  const std::vector<int64_t> strides = {60, 20, 5, 1};
  for (size_t axis = 0; axis < 4; ++axis) {
    const TensorStatistics s = statistics_of({x}, axis);
    REQUIRE(s.channels.size() == static_cast<size_t>(x.shape()[axis]));
    CHECK(s.channel_axis == axis);
    double sum = 0;
    for (int64_t i = 0; i < x.size(); ++i)
      if (i / strides[axis] % x.shape()[axis] == 1) sum += double{x.data<float>()[i]};
    CHECK(s.channels[1].mean_sum.value() ==
          Approx(sum * static_cast<double>(x.shape()[axis]) / static_cast<double>(x.size())));
  }
  CHECK(statistics_of({x}).channel_axis == 1);
  CHECK(statistics_of({x}, 4).channel_axis == 1);
  CHECK(statistics_of({test::random_tensor({2, 3, 4}, 1)}).channel_axis == 2);
  CHECK(statistics_of({test::random_tensor({7}, 1)}, 0).channels.size() == 7);
}

TEST_CASE("Statistics of different axes are not added up, even where the numbers of channels agree") {
  const Tensor x = test::random_tensor({1, 4, 4, 4}, 1);
  TensorStatistics s = statistics_of({x}, 1);
  s.add(statistics_of({x}, 3));
  CHECK(s.channels_vary);
  CHECK(s.channels.empty());
  CHECK(s.channel_axis == 0);
}
