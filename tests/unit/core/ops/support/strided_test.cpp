#include "core/ops/support/strided.h"

#include <catch2/catch.hpp>
#include <numeric>

#include "core/error.h"

using namespace quantize;

namespace {

std::vector<int32_t> copied(const Shape& shape, const std::vector<int32_t>& from, int64_t offset,
                            const Shape& strides) {
  std::vector<int32_t> to(static_cast<size_t>(element_count(shape)));
  copy_strided(shape, from.data() + offset, strides, to.data(), sizeof(int32_t));
  return to;
}

std::vector<int32_t> counting(size_t count) {
  std::vector<int32_t> values(count);
  std::iota(values.begin(), values.end(), 0);
  return values;
}

}  // namespace

TEST_CASE("strides of row-major and broadcast tensors") {
  CHECK(strides_of(Shape{2, 3, 4}) == Shape{12, 4, 1});
  CHECK(strides_of(Shape{}).empty());
  CHECK(broadcast_strides(Shape{3, 1}, Shape{2, 3, 4}) == Shape{0, 1, 0});
  CHECK_NOTHROW(strides_of(Shape{0, int64_t{1} << 40, int64_t{1} << 40}));
  CHECK_THROWS_AS(strides_of(Shape{int64_t{1} << 40, int64_t{1} << 40}), Error);
}

TEST_CASE("axes that all operands cross evenly become one row") {
  const StridedLoop all(Shape{2, 1, 3, 4}, {strides_of(Shape{2, 1, 3, 4})});
  CHECK(all.row_size() == 24);
  const StridedLoop channel(Shape{2, 3, 4, 5}, {strides_of(Shape{2, 3, 4, 5}), Shape{0, 1, 0, 0}});
  CHECK(channel.row_size() == 20);
  CHECK(channel.row_stride(0) == 1);
  CHECK(channel.row_stride(1) == 0);
  int rows = 0;
  channel.for_each_row([&](const int64_t* offsets) {
    CHECK(offsets[0] == 20 * rows);
    CHECK(offsets[1] == rows % 3);
    ++rows;
  });
  CHECK(rows == 6);
}

TEST_CASE("scalars have one row of one element and empty spaces have none") {
  int rows = 0;
  StridedLoop(Shape{}, {Shape{}}).for_each_row([&](const int64_t*) { ++rows; });
  CHECK(rows == 1);
  StridedLoop(Shape{3, 0}, {Shape{0, 1}}).for_each_row([&](const int64_t*) { ++rows; });
  CHECK(rows == 1);
}

TEST_CASE("copy_strided transposes, reverses and repeats") {
  CHECK(copied({3, 2}, counting(6), 0, {1, 3}) == std::vector<int32_t>{0, 3, 1, 4, 2, 5});
  CHECK(copied({4}, counting(4), 3, {-1}) == std::vector<int32_t>{3, 2, 1, 0});
  CHECK(copied({2, 3}, counting(3), 0, {0, 1}) == std::vector<int32_t>{0, 1, 2, 0, 1, 2});
  CHECK(copied({}, counting(1), 0, {}) == std::vector<int32_t>{0});
}
