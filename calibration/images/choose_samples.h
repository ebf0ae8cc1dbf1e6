// Which of the samples that were found are used: one rule for all commands and shards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace quantize {

/// More samples or shards than anybody has: their product fits in 64 bits.
constexpr uint64_t kMaxShards = 1'000'000'000;

/// The part of the samples that a run uses: --samples, --seed and --shard.
struct SampleChoice {
  std::optional<size_t> samples = std::nullopt;  // at most so many
  std::optional<uint64_t> seed = std::nullopt;   // chosen at random by it; without one, spread evenly
  bool first = false;                            // without a seed: the first ones instead
  size_t shard = 0, shards = 1;                  // of these, the part number `shard` of `shards`
  size_t batch = 1;                              // a part ends where a batch of so many does
};

/// Samples [begin, end) of a list, one of `parts` that are as equal as can be.
struct SampleRange {
  size_t begin = 0, end = 0, parts = 1;
};

/// Part number `part` of `parts` of `count` samples in batches: together the parts have the batches of the whole.
SampleRange range_of_part(size_t count, size_t batch, size_t part, size_t parts);

/// Positions of `count` of `found` things, spread evenly: floor(i * found / count). All if there are no more.
std::vector<size_t> spread_evenly(size_t count, size_t found);

/// Marks the last of each of `parts` parts, as equal as can be, of `count` things: as many, spread evenly.
std::vector<bool> ends_of_parts(size_t parts, size_t count);

/// The first position of a shard among `count` chosen samples; its last one is before the next shard's first.
size_t shard_begin(size_t count, size_t shard, size_t shards);

/// Positions of the chosen samples among those found, ascending, before they are divided among shards. The
/// same seed gives the same choice on every machine.
std::vector<size_t> choose_samples(size_t found, const SampleChoice& choice);

}  // namespace quantize
