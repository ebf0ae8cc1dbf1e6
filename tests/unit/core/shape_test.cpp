#include "core/shape.h"

#include <catch2/catch.hpp>

#include "core/error.h"

using namespace quantize;

TEST_CASE("element_count multiplies the extents and refuses what is no size") {
  CHECK(element_count(Shape{}) == 1);
  CHECK(element_count(Shape{2, 3, 4}) == 24);
  CHECK(element_count(Shape{2, 0, 4}) == 0);
  CHECK_THROWS_AS(element_count(Shape{2, kUnknownDim}), Error);
  CHECK_THROWS_AS(element_count(Shape{int64_t{1} << 40, int64_t{1} << 40}), Error);
}

TEST_CASE("check_extents refuses what no tensor has, also where an extent is 0 or unknown") {
  constexpr int64_t kHuge = int64_t{1} << 40;
  CHECK_NOTHROW(check_extents(Shape{}));
  CHECK_NOTHROW(check_extents(Shape{0, 3, kUnknownDim, 1024}));
  CHECK_NOTHROW(check_extents(Shape{kHuge}));
  CHECK_THROWS_AS(check_extents(Shape{kHuge, kHuge}), Error);
  CHECK_THROWS_AS(check_extents(Shape{kHuge, kUnknownDim, kHuge}), Error);
  CHECK_THROWS_AS(check_extents(Shape{kHuge, 0}), Error);
  CHECK_THROWS_AS(check_extents(Shape{0, kHuge}), Error);
  CHECK_THROWS_AS(check_extents(Shape{1, -2}), Error);
  CHECK_THROWS_AS(check_extents(Shape{-kHuge, 1}), Error);
}

TEST_CASE("shapes are written for people") {
  CHECK(to_string(Shape{1, 3, kUnknownDim}) == "1x3x?");
  CHECK(to_string(Shape{}) == "scalar");
}

TEST_CASE("broadcast follows numpy and keeps unknown extents unknown unless the other side decides") {
  CHECK(broadcast(Shape{2, 3}, Shape{3}) == Shape{2, 3});
  CHECK(broadcast(Shape{2, 1, 4}, Shape{3, 1}) == Shape{2, 3, 4});
  CHECK(broadcast(Shape{}, Shape{5}) == Shape{5});
  CHECK(broadcast(Shape{0}, Shape{1}) == Shape{0});
  CHECK(broadcast(Shape{kUnknownDim}, Shape{3}) == Shape{3});
  CHECK(broadcast(Shape{kUnknownDim}, Shape{1}) == Shape{kUnknownDim});
  CHECK(broadcast(Shape{kUnknownDim}, Shape{kUnknownDim}) == Shape{kUnknownDim});
  CHECK_THROWS_AS(broadcast(Shape{2}, Shape{3}), Error);
}

TEST_CASE("normalize_axis counts negative axes from the end") {
  CHECK(normalize_axis(-1, 4) == 3);
  CHECK(normalize_axis(0, 4) == 0);
  CHECK_THROWS_AS(normalize_axis(4, 4), Error);
  CHECK_THROWS_AS(normalize_axis(-5, 4), Error);
  CHECK_THROWS_AS(normalize_axis(0, 0), Error);
}
