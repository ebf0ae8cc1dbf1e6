#include "core/memory_block.h"

#include <catch2/catch.hpp>
#include <limits>

#include "core/error.h"
#include "tests/support/graph_builder.h"

using namespace quantize;
using namespace quantize::test;

namespace {

/// A limit for the time that it lives.
struct Limit {
  explicit Limit(uint64_t bytes) { limit_blocks(bytes); }
  ~Limit() { limit_blocks(std::numeric_limits<uint64_t>::max()); }
};

}  // namespace

TEST_CASE("a block above the limit is refused before memory is taken") {
  const Limit limit(1 << 20);
  CHECK_NOTHROW(take_block(1 << 20, "a test needs"));
  CHECK_THROWS_WITH(take_block((1 << 20) + 1, "a test needs"),
                    "a test needs 1048577 bytes at once, above the 1048576 that are allowed; allow more with "
                    "--max-memory");
  CHECK_THROWS_AS(Tensor(DataType::kF32, {int64_t{1} << 30}), Error);
}

TEST_CASE("a mapped part of a file above the limit is refused too") {
  const Limit limit(1 << 20);
  CHECK_THROWS_WITH(
      map_block({.file = -1, .file_bytes = 1 << 21, .offset = 0, .bytes = 1 << 21}, "a test needs"),
      Catch::Contains("--max-memory"));
}

TEST_CASE("a shape that depends on data does not take more than is allowed") {
  GraphBuilder b(13);
  const ValueId extents = b.input("extents", {1}, DataType::kS64);
  const Graph graph = b.build({b.node("ConstantOfShape", {extents})});
  const Limit limit(1 << 20);
  CHECK(run_graph(graph, {int_tensor({1000})})[0].size() == 1000);
  CHECK_THROWS_WITH(run_graph(graph, {int_tensor({1 << 20})}), Catch::Contains("--max-memory"));
}
