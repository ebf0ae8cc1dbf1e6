// Which samples statistics hold: adding them, finding what counts twice and what is missing.
#include "calibration/images/held_samples.h"

#include <catch2/catch.hpp>
#include <random>

#include "calibration/images/choose_samples.h"

using namespace quantize;

namespace {

/// Shard I of N of a list whose sample p has the name `names` + p and the content `contents` + p.
HeldSamples shard(uint64_t hash, uint64_t chosen, uint64_t i, uint64_t n, uint64_t names = 1000,
                  uint64_t contents = 2000) {
  HeldList list{chosen, n, {}};
  for (uint64_t p = shard_begin(chosen, i, n); p < shard_begin(chosen, i + 1, n); ++p)
    list.samples.push_back({p, names + p, contents + p});
  HeldSamples held;
  add_held(held, {{hash, list}});
  return held;
}

HeldSamples sum(const std::vector<HeldSamples>& parts) {
  HeldSamples held;
  for (const HeldSamples& part : parts) add_held(held, part);
  return held;
}

/// What the second statistics share with the first.
Overlap overlap_of(const HeldSamples& first, const HeldSamples& second) {
  HeldIndex index;
  index.add(first);
  return index.overlaps(second)[0];
}

}  // namespace

TEST_CASE("all shards together are one run, in any order and grouping", "[held]") {
  const HeldSamples whole = shard(1, 20, 0, 1);
  std::mt19937 random(1);
  for (const uint64_t shards : {2, 3, 7, 20, 50}) {
    std::vector<HeldSamples> parts;
    for (uint64_t i = 0; i < shards; ++i) parts.push_back(shard(1, 20, i, shards));
    std::shuffle(parts.begin(), parts.end(), random);
    CHECK(sum(parts) == whole);
    const std::vector<HeldSamples> front(parts.begin(), parts.begin() + 1),
        back(parts.begin() + 1, parts.end());
    CHECK(sum({sum(back), sum(front)}) == whole);
  }
  CHECK(sum({shard(1, 20, 1, 2), shard(1, 20, 0, 4), shard(1, 20, 1, 4)}) == whole);
  CHECK(missing_samples(whole).empty());
}

TEST_CASE("what is missing is named by its shards, or counted", "[held]") {
  CHECK(missing_samples(sum({shard(1, 20, 1, 3), shard(1, 20, 2, 3)})) ==
        "shard 0/3 is missing, 6 of 20 samples");
  CHECK(missing_samples(shard(1, 20, 1, 3)) == "shards 0/3 and 2/3 are missing, 13 of 20 samples");
  CHECK(missing_samples(shard(1, 20, 3, 10)) ==
        "shards 0/10, 1/10, 2/10, 4/10 and 5 others are missing, 18 of 20 samples");
  CHECK(missing_samples(sum({shard(1, 20, 0, 2), shard(1, 20, 2, 4)})) ==
        "shard 3/4 is missing, 5 of 20 samples");
  CHECK(missing_samples(sum({shard(1, 20, 0, 2), shard(1, 20, 2, 3)})) == "3 of 20 samples are missing");
  // Of 50 shards of 20 samples, those with a sample have one.
  CHECK(missing_samples(sum({shard(1, 20, 2, 50), shard(1, 20, 4, 50)})).find("and 14 others") !=
        std::string::npos);
  CHECK(missing_samples(sum({shard(1, 20, 0, 2), shard(2, 7, 1, 2)})) ==
        "shard 1/2 is missing, 10 of 20 samples; shard 0/2 is missing, 3 of 7 samples");
  CHECK(missing_samples({}).empty());
}

TEST_CASE("a sample that was skipped is not missing and counts for nothing", "[held]") {
  HeldSamples first = shard(1, 4, 0, 2), second = shard(1, 4, 1, 2);
  second.at(1).samples[0].content = 0;
  CHECK(missing_samples(sum({first, second})).empty());
  CHECK(overlap_of(second, second).samples == 1);
  CHECK(overlap_of(second, second).twice == 1);
}

TEST_CASE("samples that come again are counted in every split", "[held]") {
  const HeldSamples whole = shard(1, 20, 0, 1);
  CHECK(overlap_of(whole, whole).twice == 20);
  CHECK(overlap_of(whole, shard(1, 20, 1, 3)).twice == 7);
  CHECK(overlap_of(shard(1, 20, 1, 3), whole).twice == 7);
  CHECK(overlap_of(shard(1, 20, 1, 3), whole).samples == 20);
  CHECK(overlap_of(shard(1, 20, 0, 2), shard(1, 20, 1, 3)).twice == 4);
  CHECK(overlap_of(shard(1, 20, 0, 2), shard(1, 20, 1, 2)).twice == 0);
  CHECK(overlap_of(sum({shard(1, 20, 0, 3), shard(1, 20, 1, 3)}), shard(1, 20, 1, 3)).twice == 7);
}

TEST_CASE("other folders are told from copies by names and contents", "[held]") {
  const HeldSamples whole = shard(1, 20, 0, 1);
  CHECK(overlap_of(whole, shard(2, 10, 0, 1, 1000, 9000)).twice == 0);  // the same names, other contents
  CHECK(overlap_of(whole, shard(1, 20, 0, 1, 1000, 9000)).twice == 0);  // and the same sizes
  const Overlap other_list = overlap_of(whole, shard(2, 10, 0, 1));     // ten of the same files
  CHECK(other_list.twice == 10);
  const Overlap renamed = overlap_of(whole, shard(2, 10, 0, 1, 5000));
  CHECK(renamed.twice == 0);
  CHECK(renamed.alike == 10);
  // Copies within one list are the user's own.
  HeldSamples first = shard(1, 20, 0, 2), second = shard(1, 20, 1, 2);
  second.at(1).samples[3].content = first.at(1).samples[4].content;
  CHECK(overlap_of(first, second).alike == 0);
}
