// How the samples of a search are divided.
#include "calibration/search/sample_pool.h"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace quantize;

namespace {

using Numbers = std::vector<size_t>;

}  // namespace

TEST_CASE("SamplePool: every sample has one part, each part is spread over all") {
  const auto count = GENERATE(size_t{1}, size_t{7}, size_t{16}, size_t{50}, size_t{257});
  const SampleSet set{.count = count, .load = {}, .held_back = count / 4, .confirming = count / 5};
  const SamplePool pool(set, true, true);
  CHECK(pool.held_back().size() == count / 4);
  CHECK(pool.confirming().size() == count / 5);
  Numbers all = pool.fitted();
  all.insert(all.end(), pool.held_back().begin(), pool.held_back().end());
  all.insert(all.end(), pool.confirming().begin(), pool.confirming().end());
  std::sort(all.begin(), all.end());
  REQUIRE(all.size() == count);
  for (size_t i = 0; i < count; ++i) CHECK(all[i] == i);
  for (const Numbers& part : {pool.fitted(), pool.held_back(), pool.confirming()})
    for (size_t k = 1; k < part.size(); ++k) {
      CHECK(part[k] > part[k - 1]);
      CHECK(part[k] - part[k - 1] <= 2 * count / part.size() + 2);
    }
}

TEST_CASE("SamplePool: what nobody judges is not set apart") {
  const SampleSet set{.count = 8, .load = {}, .held_back = 2, .confirming = 2};
  CHECK(SamplePool(set, true, false).held_back() == Numbers{3, 7});
  CHECK(SamplePool(set, true, false).confirming().empty());
  CHECK(SamplePool(set, false, false).fitted().size() == 8);
}

TEST_CASE("SamplePool: an empty set has no samples") {
  const SamplePool pool(SampleSet{}, true, true);
  CHECK(pool.fitted().empty());
  CHECK(pool.held_back().empty());
}
