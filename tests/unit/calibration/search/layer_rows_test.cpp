// How many rows a layer is fitted on.
#include "calibration/search/layer_rows.h"

#include <catch2/catch.hpp>

using namespace quantize;

TEST_CASE("Rows: by the weights of an output channel, within bounds, whatever the number of samples") {
  const WeightLayout depthwise{.groups = 96, .outputs = 1, .inputs = 1, .taps = 9},
      narrow{.groups = 1, .outputs = 8, .inputs = 3, .taps = 9},
      wide{.groups = 1, .outputs = 8, .inputs = 64, .taps = 1};
  for (const size_t samples : {1, 16, 64}) {
    CHECK(samples * rows_per_sample(depthwise, samples) == kFewestRows);
    CHECK(samples * rows_per_sample(narrow, samples) == (27 * kRowsPerInput / samples) * samples);
    CHECK(samples * rows_per_sample(wide, samples) == kMostRows);
  }
  CHECK(rows_per_sample(wide, 2 * kMostRows) == 1);
}

TEST_CASE("Rows: fewer for layers of so many inputs that memory would not do") {
  const WeightLayout huge{.groups = 1, .outputs = 1, .inputs = 1 << 20, .taps = 1};
  CHECK(rows_per_sample(huge, 1) * (1 << 20) == kMostRowElements);
}
