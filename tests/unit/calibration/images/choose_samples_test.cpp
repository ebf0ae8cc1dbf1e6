// Which samples are used.
#include "calibration/images/choose_samples.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

using namespace quantize;

using Positions = std::vector<size_t>;

TEST_CASE("without a seed samples are spread evenly over the list", "[samples]") {
  CHECK(choose_samples(100, {.samples = 4}) == Positions{0, 25, 50, 75});
  CHECK(choose_samples(7, {.samples = 3}) == Positions{0, 2, 4});
  CHECK(choose_samples(7, {.samples = 3, .first = true}) == Positions{0, 1, 2});
  CHECK(choose_samples(3, {.samples = 9}) == Positions{0, 1, 2});
  CHECK(choose_samples(3, {}) == Positions{0, 1, 2});
  CHECK(choose_samples(0, {}).empty());
}

TEST_CASE("a seed draws the same distinct samples everywhere", "[samples]") {
  const Positions drawn = choose_samples(100, {.samples = 10, .seed = 7});
  CHECK(drawn == Positions{5, 23, 29, 31, 35, 45, 48, 52, 87, 90});
  CHECK(choose_samples(100, {.samples = 10, .seed = 8}) != drawn);
  CHECK(choose_samples(5, {.samples = 9, .seed = 1}) == Positions{0, 1, 2, 3, 4});
}

TEST_CASE("every position is drawn as often as the others", "[samples]") {
  std::vector<size_t> times(10);
  constexpr size_t kSeeds = 2000;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    const Positions drawn = choose_samples(10, {.samples = 3, .seed = seed});
    REQUIRE(std::set<size_t>(drawn.begin(), drawn.end()).size() == 3);
    for (const size_t position : drawn) ++times[position];
  }
  for (const size_t count : times) {  // 600 wanted, standard deviation 20
    CHECK(count > 500);
    CHECK(count < 700);
  }
}

TEST_CASE("shards are parts of equal size without a gap", "[samples]") {
  for (const size_t count : {0, 1, 7, 20, 1000}) {
    for (const size_t shards : {1, 2, 3, 8, 2000}) {
      CHECK(shard_begin(count, 0, shards) == 0);
      CHECK(shard_begin(count, shards, shards) == count);
      for (size_t shard = 0; shard < shards; ++shard) {
        const size_t size = shard_begin(count, shard + 1, shards) - shard_begin(count, shard, shards);
        CHECK((size == count / shards || size == count / shards + 1));
      }
    }
  }
}

TEST_CASE("parts of batches end where a batch does, and are shards where a batch is one sample",
          "[samples]") {
  for (const size_t count : {1, 7, 20, 1000}) {
    for (const size_t batch : {1, 3, 8}) {
      for (const size_t parts : {1, 2, 3, 8}) {
        size_t next = 0;
        for (size_t part = 0; part < parts; ++part) {
          const SampleRange range = range_of_part(count, batch, part, parts);
          CHECK(range.begin == next);
          CHECK((range.end % batch == 0 || range.end == count));
          CHECK(range.parts == parts);
          if (batch == 1) CHECK(range.end == shard_begin(count, part + 1, parts));
          next = range.end;
        }
        CHECK(next == count);
      }
    }
  }
}

TEST_CASE("The last of each part is marked: as many as there are parts, evenly spread") {
  CHECK(ends_of_parts(2, 6) == std::vector<bool>{false, false, true, false, false, true});
  CHECK(ends_of_parts(3, 3) == std::vector<bool>{true, true, true});
  CHECK(ends_of_parts(0, 2) == std::vector<bool>{false, false});
  const std::vector<bool> uneven = ends_of_parts(4, 11);
  CHECK(std::count(uneven.begin(), uneven.end(), true) == 4);
  CHECK(uneven.back());
}
