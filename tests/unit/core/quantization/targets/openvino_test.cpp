// Layers that OpenVINO's CPU plugin computes in float although their types fit.
#include <catch2/catch.hpp>

#include "tests/support/planned_graph.h"

namespace quantize {

namespace {

ValueId strided(test::GraphBuilder& b, ValueId x, const char* name, int64_t taps, int64_t stride) {
  return b.node("Conv", {x, b.random(name, {4, 4, taps, taps})},
                {{"strides", std::vector<int64_t>(2, stride)}, {"pads", std::vector<int64_t>(4, taps / 2)}});
}

}  // namespace

TEST_CASE("openvino: convolutions of one tap that alone leave pixels out stay float", "[openvino]") {
  const auto plan = [](test::GraphBuilder& b, std::vector<ValueId> outputs) {
    return test::plan_of(b, std::move(outputs), {}, {}, find_target("openvino"));
  };
  SECTION("alone") {
    test::GraphBuilder b;
    const ValueId x = test::conv(b, b.input("x", {1, 3, 9, 9}), 3, 4);
    const test::Planned p = plan(b, {strided(b, x, "v", 1, 2)});
    CHECK(p.placement("Conv", 0) == Placement::kInteger);
    CHECK(p.placement("Conv", 1) == Placement::kFloat);
  }
  SECTION("with others of the same strides") {
    test::GraphBuilder b;
    const ValueId x = test::conv(b, b.input("x", {1, 3, 9, 9}), 3, 4);
    const test::Planned p = plan(b, {strided(b, x, "v", 1, 2), strided(b, x, "w", 1, 2)});
    CHECK(p.placement("Conv", 2) == Placement::kFloat);
  }
  SECTION("beside one that reads all pixels") {
    test::GraphBuilder b;
    const ValueId x = test::conv(b, b.input("x", {1, 3, 9, 9}), 3, 4);
    const test::Planned p = plan(b, {strided(b, x, "v", 1, 2), strided(b, x, "w", 3, 2)});
    CHECK(p.placement("Conv", 1) == Placement::kInteger);
    CHECK(p.placement("Conv", 2) == Placement::kInteger);
  }
  SECTION("without strides, or of more taps") {
    test::GraphBuilder b;
    const ValueId x = test::conv(b, b.input("x", {1, 3, 9, 9}), 3, 4);
    const test::Planned p = plan(b, {strided(b, strided(b, x, "v", 1, 1), "w", 3, 2)});
    CHECK(p.placement("Conv", 1) == Placement::kInteger);
    CHECK(p.placement("Conv", 2) == Placement::kInteger);
  }
}

}  // namespace quantize
