// The one rule by which steps are cut.
#include "core/engine/chunks.h"

#include <catch2/catch.hpp>

namespace quantize {

TEST_CASE("chunks: one thread needs one, short work is not cut", "[chunks]") {
  for (const ChunkLimits& limits : {kCoarseChunks, kFineChunks}) {
    CHECK(chunk_count(limits, 1e9, 1000, 1) == 1);
    CHECK(chunk_count(limits, 2 * limits.least_nanoseconds - 1, 1000, 4) == 1);
    CHECK(chunk_count(limits, 2 * limits.least_nanoseconds, 1000, 4) == 2);
    CHECK(chunk_count(limits, 1e9, 0, 4) == 1);
    CHECK(chunk_count(limits, 1e9, 3, 4) == 3);
  }
  CHECK(chunk_count(kCoarseChunks, 1e9, 1000, 4) == 24);
  CHECK(chunk_count(kFineChunks, 1e9, 1000, 4) == 16);
}

TEST_CASE("chunks: ranges of chunks cover every unit once", "[chunks]") {
  for (const int64_t units : {0, 1, 7, 100})
    for (const size_t chunks : {size_t{1}, size_t{3}, size_t{7}}) {
      int64_t next = 0;
      for (size_t chunk = 0; chunk < chunks; ++chunk) {
        const UnitRange range = units_of_chunks(chunk, chunk + 1, units, chunks);
        CHECK(range.begin == next);
        CHECK(range.end >= range.begin);
        next = range.end;
      }
      CHECK(next == units);
      CHECK(units_of_chunks(0, chunks, units, chunks).end == units);
    }
}

}  // namespace quantize
