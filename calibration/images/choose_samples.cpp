// Spreading and drawing samples.
#include "calibration/images/choose_samples.h"

#include <algorithm>

namespace quantize {
namespace {

/// SplitMix64. Source: Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators (2014).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  /// A number below `limit`, each as likely as the others.
  uint64_t below(uint64_t limit) {
    const uint64_t most = UINT64_MAX - UINT64_MAX % limit;
    uint64_t number = next();
    while (number >= most) number = next();
    return number % limit;
  }

 private:
  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  uint64_t state_;
};

/// Each position is taken with the probability that leaves every set of `count` as likely as the others.
std::vector<size_t> draw(size_t count, size_t found, uint64_t seed) {
  Random random(seed);
  std::vector<size_t> positions;
  for (size_t i = 0; positions.size() < count; ++i)
    if (random.below(found - i) < count - positions.size()) positions.push_back(i);
  return positions;
}

}  // namespace

std::vector<size_t> spread_evenly(size_t count, size_t found) {
  count = std::min(count, found);
  std::vector<size_t> positions(count);
  for (size_t i = 0; i < count; ++i) positions[i] = i * found / count;
  return positions;
}

std::vector<bool> ends_of_parts(size_t parts, size_t count) {
  std::vector<bool> ends(count);
  for (size_t i = 0; i < count; ++i) ends[i] = (i + 1) * parts / count > i * parts / count;
  return ends;
}

size_t shard_begin(size_t count, size_t shard, size_t shards) {
  return count * shard / shards;
}

SampleRange range_of_part(size_t count, size_t batch, size_t part, size_t parts) {
  const size_t batches = (count + batch - 1) / batch;
  return {std::min(count, shard_begin(batches, part, parts) * batch),
          std::min(count, shard_begin(batches, part + 1, parts) * batch), parts};
}

std::vector<size_t> choose_samples(size_t found, const SampleChoice& choice) {
  const size_t count = std::min(choice.samples.value_or(found), found);
  if (choice.seed) return draw(count, found, *choice.seed);
  return spread_evenly(count, choice.first ? count : found);
}

}  // namespace quantize
