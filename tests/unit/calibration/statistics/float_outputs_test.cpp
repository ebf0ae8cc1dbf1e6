// Outputs that are kept while a network runs for its statistics.
#include "calibration/statistics/float_outputs.h"

#include <catch2/catch.hpp>

#include "tests/support/graph_builder.h"

using namespace quantize;

TEST_CASE("FloatOutputs: what is wanted is kept, the last of what was added") {
  FloatOutputs outputs({1, 3}, 1000);
  const Tensor first = test::random_tensor({4}, 1), second = test::random_tensor({4}, 2);
  outputs.add(0, {first});
  outputs.add(3, {first});
  outputs.add(3, {second, first});
  CHECK(outputs.find(0) == nullptr);
  CHECK(outputs.find(1) == nullptr);  // nothing was added
  REQUIRE(outputs.find(3) != nullptr);
  REQUIRE(outputs.find(3)->size() == 2);
  CHECK((*outputs.find(3))[0].to_vector<float>() == second.to_vector<float>());
}

TEST_CASE("FloatOutputs: each sample has its share of the bytes, whatever came before") {
  FloatOutputs outputs({0, 1}, 32);  // 16 bytes each
  outputs.add(0, {test::random_tensor({4}, 1)});
  outputs.add(1, {test::random_tensor({5}, 1)});
  CHECK(outputs.find(0) != nullptr);
  CHECK(outputs.find(1) == nullptr);
}
