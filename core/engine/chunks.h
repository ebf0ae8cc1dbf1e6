// How the work of a step is cut for threads: one rule, and its limits as data.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace quantize {

/// The bounds on the number of chunks of a step.
struct ChunkLimits {
  double least_nanoseconds;  // of a chunk on one thread: less is not worth being claimed
  int most_per_thread;       // enough that threads can help each other out; 0: no bound
  int most;                  // of all threads together; 0: no bound
};

/// Steps whose chunks first prepare memory of their own, as products that pack their part of A, and steps on floats.
constexpr ChunkLimits kCoarseChunks{.least_nanoseconds = 10'000, .most_per_thread = 6, .most = 0};

/// Steps on rows of codes, whose chunks prepare nothing.
constexpr ChunkLimits kFineChunks{.least_nanoseconds = 5'000, .most_per_thread = 0, .most = 16};

/// The number of chunks, at least 1, of a step that takes one thread about `nanoseconds` and can be cut into `units`
/// equal parts. One thread needs no more than one.
inline size_t chunk_count(const ChunkLimits& limits, double nanoseconds, int64_t units, int threads) {
  if (threads <= 1) return 1;
  double count = std::min(static_cast<double>(units), nanoseconds / limits.least_nanoseconds);
  if (limits.most_per_thread != 0)
    count = std::min(count, static_cast<double>(limits.most_per_thread) * threads);
  if (limits.most != 0) count = std::min(count, static_cast<double>(limits.most));
  return count < 2 ? 1 : static_cast<size_t>(count);
}

/// Units [begin, end) of a step.
struct UnitRange {
  int64_t begin, end;
};

/// The part of `units` that chunks [begin, end) of `chunks` stand for.
inline UnitRange units_of_chunks(size_t begin, size_t end, int64_t units, size_t chunks) {
  const auto at = [&](size_t chunk) {
    return units * static_cast<int64_t>(chunk) / static_cast<int64_t>(chunks);
  };
  return {at(begin), at(end)};
}

}  // namespace quantize
