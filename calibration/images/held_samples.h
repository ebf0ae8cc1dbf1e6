// Which samples statistics hold, so that none counts twice and none is missing without a word.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace quantize {

/// One sample of a list.
struct HeldSample {
  uint64_t position = 0;  // among the chosen samples
  uint64_t name = 0;      // hash of its name below the folder
  uint64_t content = 0;   // hash of the bytes it was made from; 0: it could not be used

  friend auto operator<=>(const HeldSample&, const HeldSample&) = default;
};

/// The held samples of one list: of what --samples and --seed choose, before it is divided among shards.
struct HeldList {
  uint64_t chosen = 0;              // samples in the whole list
  uint64_t shards = 1;              // the most that any part was divided into; 1 if no sample is missing
  std::vector<HeldSample> samples;  // ascending, no two alike

  friend bool operator==(const HeldList&, const HeldList&) = default;
};

/// Lists by a hash of the names and sizes of their samples.
using HeldSamples = std::map<uint64_t, HeldList>;

/// Adds the samples of other statistics: the same in any order, and all shards together equal one run.
void add_held(HeldSamples& to, const HeldSamples& other);

/// The number of samples that two statistics share.
struct Overlap {
  size_t samples = 0;  // that were used in the second
  size_t twice = 0;    // of these, with the name and content of one in the first
  size_t alike = 0;    // with the content alone, in another list
};

/// The samples of many statistics, to find those that come again: each takes the time of its own samples.
class HeldIndex {
 public:
  /// The overlap with each of those that were added before, by their number from 0, where there is any.
  std::map<size_t, Overlap> overlaps(const HeldSamples& held) const;
  void add(const HeldSamples& held);

 private:
  struct Place {
    size_t number;
    uint64_t list, name;
  };
  size_t count_ = 0;
  std::unordered_multimap<uint64_t, Place> by_content_;
};

/// "shard 0/3 is missing, 7 of 20 samples"; empty if no list lacks a sample.
std::string missing_samples(const HeldSamples& held);

}  // namespace quantize
