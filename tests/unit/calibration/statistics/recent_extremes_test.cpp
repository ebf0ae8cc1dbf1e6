// The extremes of the last samples: which are kept, whatever way they come.
#include "calibration/statistics/recent_extremes.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

using namespace quantize;

namespace {

/// One sample at every position below `count`, two at every hundredth.
std::vector<SampleExtremes> samples_of(size_t count) {
  std::vector<SampleExtremes> samples;
  for (size_t i = 0; i < count; ++i) {
    samples.push_back({i, -static_cast<float>(i % 7), static_cast<float>(i % 11)});
    if (i % 100 == 0) samples.push_back({i, -static_cast<float>(i % 3), 5});
  }
  return samples;
}

}  // namespace

TEST_CASE("RecentExtremes: the highest positions are kept, in order, whatever way samples come") {
  std::mt19937 random(1);
  for (const size_t count : {1, 2000, 2028, 5000}) {
    std::vector<SampleExtremes> samples = samples_of(count);
    std::vector<SampleExtremes> expected = samples;
    std::sort(expected.begin(), expected.end());
    if (expected.size() > RecentExtremes::kMost)
      expected.erase(expected.begin(), expected.end() - RecentExtremes::kMost);
    for (int round = 0; round < 4; ++round) {
      std::vector<RecentExtremes> parts(1 + random() % 4);
      for (const SampleExtremes& sample : samples) parts[random() % parts.size()].add({{sample}});
      std::shuffle(parts.begin(), parts.end(), random);
      RecentExtremes all;
      for (const RecentExtremes& part : parts) all.add(part);
      CHECK(all.samples == expected);
      std::shuffle(samples.begin(), samples.end(), random);
    }
  }
}
