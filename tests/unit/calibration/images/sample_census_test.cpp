// Warnings of samples that are odd, alike, blank or few, and none of ordinary ones.
#include "calibration/images/sample_census.h"

#include <catch2/catch.hpp>

#include "tests/support/graph_builder.h"

using namespace quantize;
using Catch::Matchers::Contains;

namespace {

Tensor scaled(const Tensor& tensor, float factor) {
  Tensor copy(DataType::kF32, tensor.shape());
  for (int64_t i = 0; i < tensor.size(); ++i)
    copy.mutable_data<float>()[i] = factor * tensor.data<float>()[i];
  return copy;
}

Tensor sample(size_t i) {
  return test::random_tensor({1, 3, 8, 8}, static_cast<uint32_t>(i + 1));
}

/// Warnings of samples of one input; the outputs are the inputs.
std::vector<std::string> warnings_of(const std::vector<Tensor>& samples) {
  SampleCensus census;
  for (size_t i = samples.size(); i-- > 0;) census.add(i, {samples[i]}, {samples[i]});
  return census.warnings([](size_t i) { return "sample " + std::to_string(i); });
}

std::vector<Tensor> ordinary(size_t count) {
  std::vector<Tensor> samples;
  for (size_t i = 0; i < count; ++i)  // of unlike brightness, as photographs are
    samples.push_back(scaled(sample(i), 0.4f + 0.1f * static_cast<float>(i % 9)));
  return samples;
}

}  // namespace

TEST_CASE("SampleCensus: ordinary samples are nothing to speak of") {
  const size_t count = GENERATE(4, 5, 20, 64);
  CHECK(warnings_of(ordinary(count)).empty());
}

TEST_CASE("SampleCensus: a sample far larger than the others is named, wherever it is") {
  const float factor = GENERATE(10.0f, 100.0f, 255.0f, 1000.0f, 1e30f);
  const size_t place = GENERATE(0, 7, 19);
  std::vector<Tensor> samples = ordinary(20);
  samples[place] = scaled(sample(place), factor);
  const auto warnings = warnings_of(samples);
  REQUIRE(warnings.size() == 1);
  CHECK_THAT(warnings[0],
             Contains("1 sample is far larger") && Contains("'sample " + std::to_string(place) + "' ("));
}

TEST_CASE("SampleCensus: a few large samples are named, five of many") {
  std::vector<Tensor> samples = ordinary(40);
  for (size_t i = 0; i < 3; ++i) samples[i * 10] = scaled(sample(i), 255);
  CHECK_THAT(warnings_of(samples).at(0),
             Contains("3 samples are far larger") && Contains("'sample 20'") && !Contains("..."));
  for (size_t i = 0; i < 8; ++i) samples[i * 5] = scaled(sample(i), 255);
  CHECK_THAT(warnings_of(samples).at(0), Contains("8 samples are") && Contains(", ..."));
}

TEST_CASE("SampleCensus: samples that differ widely in size anyway have no outlier") {
  std::vector<Tensor> samples;
  for (size_t i = 0; i < 20; ++i) samples.push_back(scaled(sample(i), static_cast<float>(i * i + 1)));
  CHECK(warnings_of(samples).empty());
}

TEST_CASE("SampleCensus: copies, blank samples, few samples") {
  CHECK_THAT(warnings_of(std::vector<Tensor>(20, sample(1))).at(0), Contains("the 20 samples do not differ"));
  std::vector<Tensor> halves = ordinary(10);
  for (size_t i = 0; i < 10; ++i) halves.push_back(halves[i % 4]);
  CHECK(warnings_of(halves).at(0) == "10 of 20 samples are copies of others; give different images");

  std::vector<Tensor> blank;
  for (size_t i = 0; i < 20; ++i)
    blank.push_back(Tensor::of<float>({2, 2}, std::vector<float>(4, static_cast<float>(i % 18))));
  CHECK_THAT(warnings_of(blank).at(0), Contains("20 of 20 samples are blank"));
  const auto zeros = warnings_of(std::vector<Tensor>(20, Tensor(DataType::kF32, {1, 3, 8, 8})));
  REQUIRE(zeros.size() == 2);
  CHECK_THAT(zeros[0], Contains("do not differ"));

  CHECK_THAT(warnings_of(ordinary(3)).at(0), Contains("3 samples only"));
  CHECK_THAT(warnings_of(ordinary(1)).at(0), Contains("1 sample only"));
}

TEST_CASE("SampleCensus: outputs that do not depend on the sample") {
  SampleCensus census;
  for (size_t i = 0; i < 20; ++i) census.add(i, {sample(i)}, {sample(0)});
  const auto warnings = census.warnings([](size_t) { return ""; });
  REQUIRE(warnings.size() == 1);
  CHECK_THAT(warnings[0], Contains("the outputs are the same for all 20 samples"));
}

TEST_CASE("What few samples overflow is theirs, what most do is the network's") {
  using Values = std::vector<std::string>;
  CHECK(overflowing_samples({}, 4).empty());
  const auto few = overflowing_samples({{2, Values{"a", "b"}}, {7, Values{"b"}}}, 20);
  CHECK(few == std::map<size_t, std::string>{{2, "a"}, {7, "b"}});
  std::map<size_t, Values> most;
  for (size_t i = 0; i < 11; ++i) most[i] = {"mask"};
  CHECK(overflowing_samples(most, 20).empty());
  most[3].push_back("scores");
  CHECK(overflowing_samples(most, 20) == std::map<size_t, std::string>{{3, "scores"}});
  CHECK(overflowing_samples({{0, Values{"a"}}}, 1).empty());
}
