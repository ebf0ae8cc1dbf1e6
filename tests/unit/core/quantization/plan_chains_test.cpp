// The functions and residuals that a convolution takes over, and scales per channel.
#include <catch2/catch.hpp>

#include "core/integer/lowering.h"
#include "core/quantization/insert_qdq.h"
#include "tests/support/planned_graph.h"

namespace quantize {

using test::conv;
using test::GraphBuilder;
using test::plan_of;
using test::Planned;

TEST_CASE("plan: a function becomes a part of the convolution where the target can") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 8, 8});
  const ValueId y = conv(b, x, 3, 4);
  const ValueId silu = b.node("Mul", {y, b.node("Sigmoid", {y})});
  const ValueId z = conv(b, silu, 4, 2);
  const ValueId result = b.node("Sigmoid", {z});
  SECTION("native: in front of the rounding, unless it makes a result, which is not rounded once more") {
    // A wide range in front of the function makes the first rounding the coarser one.
    const auto widen = [](RangeTable& ranges) { ranges.values.at("conv_0_out").ranges = {{-20, 1}}; };
    const Planned p = plan_of(b, {result}, {}, widen, find_target("native"));
    CHECK(p.placement("Sigmoid", 0) == Placement::kFused);
    CHECK(p.placement("Mul") == Placement::kFused);
    CHECK(p.placement("Sigmoid", 1) == Placement::kFloat);
    CHECK(!p.value("conv_0_out").params);
    CHECK(p.value("mul_2_out").params);
    CHECK(p.value("conv_3_out").params);
    CHECK(summarize(p).by_op_type.at("Mul").integer == 1);
  }
  SECTION("native: behind it, as a table, where rounding twice does little") {
    const Planned p = plan_of(b, {result}, {}, {}, find_target("native"));
    CHECK(p.placement("Sigmoid", 0) == Placement::kInteger);
    CHECK(p.value("conv_0_out").params);
  }
  SECTION("native: not where a part of it is excluded") {
    QuantizationScheme scheme;
    scheme.exclude_op_types = {"Mul"};
    const auto widen = [](RangeTable& ranges) { ranges.values.at("conv_0_out").ranges = {{-20, 1}}; };
    const Planned p = plan_of(b, {result}, scheme, widen, find_target("native"));
    CHECK(p.placement("Mul") == Placement::kFloat);
    CHECK(p.value("conv_0_out").params);
  }
  SECTION("ort-x86: each operator by itself") {
    const Planned p = plan_of(b, {result});
    CHECK(p.placement("Sigmoid", 0) == Placement::kInteger);
    CHECK(p.value("conv_0_out").params);
  }
}

TEST_CASE("plan: a clamp that two chains could have keeps the scale of its value") {
  // The convolution could take Sigmoid and Min as one function. The Sigmoid is a table instead, with the Min behind it.
  GraphBuilder b;
  const ValueId y = conv(b, b.input("x", {1, 3, 8, 8}), 3, 4);
  const ValueId clamped = b.node("Min", {b.node("Sigmoid", {y}), b.constant("two", Tensor::scalar(2.0f))});
  const ValueId z = conv(b, b.node("Exp", {clamped}), 4, 2);
  const Planned p = plan_of(b, {z}, {}, {}, find_target("native"));
  REQUIRE(p.placement("Sigmoid") == Placement::kInteger);
  CHECK(p.placement("Min") == Placement::kAbsorbed);
  CHECK(p.value("min_2_out").params);
}

TEST_CASE("plan: a residual is added before the convolution rounds, where the target can") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 4, 8, 8});
  const ValueId early = conv(b, x, 4, 4), late = conv(b, x, 4, 4);
  const ValueId sum = b.node("Relu", {b.node("Add", {late, early})});
  const ValueId z = conv(b, sum, 4, 2);
  const TargetProfile& native = find_target("native");
  SECTION("native: by the later of two convolutions") {
    const Planned p = plan_of(b, {z}, {}, {}, native);
    CHECK(p.placement("Add") == Placement::kFused);
    CHECK(p.node("Add").reason == "added by 'conv_1' before it rounds");
    CHECK(p.placement("Relu") == Placement::kAbsorbed);
    CHECK(p.value("conv_0_out").params);
    CHECK(!p.value("conv_1_out").params);
    CHECK(!p.value("add_2_out").params);
    CHECK(p.value("relu_3_out").params);
    const Graph qdq = insert_qdq(p);
    CHECK(test::count_nodes(qdq, "Relu") == 0);
    CHECK(test::count_nodes(qdq, "QuantizeLinear") == 4);
  }
  SECTION("native: not if the addition is excluded, or the residual stays float") {
    QuantizationScheme scheme;
    scheme.exclude_op_types = {"Add"};
    CHECK(plan_of(b, {z}, scheme, {}, native).placement("Add") == Placement::kFloat);
    const auto unseen = [](RangeTable& ranges) { ranges.values.erase("conv_0_out"); };
    const Planned p = plan_of(b, {z}, {}, unseen, native);
    CHECK(p.placement("Add") == Placement::kFloat);
    CHECK(p.placement("Conv", 2) == Placement::kInteger);
  }
  SECTION("native: not if a Relu behind it is not implied") {
    const auto widen = [](RangeTable& ranges) { ranges.values.at("relu_3_out").ranges = {{-1, 4}}; };
    const Planned p = plan_of(b, {z}, {}, widen, native);
    CHECK(p.placement("Add") == Placement::kInteger);
    CHECK(p.value("conv_1_out").params);
  }
  SECTION("native: by the earlier one, which waits for its residual, if something else reads the later") {
    const Planned p = plan_of(b, {z, late}, {}, {}, native);
    CHECK(p.node("Add").reason == "added by 'conv_0' before it rounds");
    CHECK(!p.value("conv_0_out").params);
    CHECK(p.value("conv_1_out").params);
  }
  SECTION("native: not if something else reads both convolutions") {
    CHECK(plan_of(b, {z, late, early}, {}, {}, native).placement("Add") == Placement::kInteger);
  }
  SECTION("ort-x86: rounded twice") {
    const Planned p = plan_of(b, {z});
    CHECK(p.placement("Add") == Placement::kInteger);
    CHECK(p.value("conv_1_out").params);
  }
}

TEST_CASE("plan: a residual behind a function is added before the convolution rounds") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 4, 8, 8});
  const ValueId first = conv(b, x, 4, 4), second = conv(b, first, 4, 4);
  const ValueId silu = b.node("Mul", {second, b.node("Sigmoid", {second})});
  const ValueId sum = b.node("Add", {first, silu});
  const ValueId z = conv(b, sum, 4, 2);
  const TargetProfile& native = find_target("native");
  SECTION("native") {
    const Planned p = plan_of(b, {z}, {}, {}, native);
    CHECK(p.placement("Sigmoid") == Placement::kFused);
    CHECK(p.placement("Mul") == Placement::kFused);
    CHECK(p.node("Add").reason == "added by 'conv_1' before it rounds");
    CHECK(!p.value("conv_1_out").params);
    CHECK(!p.value("mul_3_out").params);
    CHECK(p.value("add_4_out").params);
    const Graph lowered = lower_to_qoperator(insert_qdq(p));
    CHECK(test::count_nodes(lowered, "FusedConv") == 1);
    CHECK(test::count_nodes(lowered, "Add") == 0);
  }
  SECTION("native: by itself where something else reads the function") {
    const Planned p = plan_of(b, {z, silu}, {}, {}, native);
    CHECK(p.placement("Add") == Placement::kInteger);
    CHECK(p.value("mul_3_out").params);
  }
  SECTION("native: not if the addition is excluded") {
    QuantizationScheme scheme;
    scheme.exclude_op_types = {"Add"};
    CHECK(plan_of(b, {z}, scheme, {}, native).placement("Add") == Placement::kFloat);
  }
}

TEST_CASE("plan: a scale per channel where one would be too coarse and only depthwise convolutions read") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 8, 8});
  const ValueId y = b.node("Relu", {conv(b, x, 3, 4)});
  const ValueId deep = b.node("Conv", {y, b.random("deep", {4, 1, 3, 3})}, {{"group", int64_t{4}}});
  const ValueId z = conv(b, deep, 4, 2);
  const auto narrow = [](RangeTable& ranges) {
    ValueRange& range = ranges.values.at("relu_1_out");
    range.channel_ranges = {{0, 1}, {0, 0.001f}, {0, 0}, {0, 0.8f}};
    range.ranges = {{0, 1}};
    ranges.values.at("conv_2_out").channel_ranges.assign(4, {-1, 1});
  };
  SECTION("native") {
    const Planned p = plan_of(b, {z}, {}, narrow, find_target("native"));
    const PlannedValue& value = p.value("relu_1_out");
    REQUIRE(value.params);
    CHECK(value.params->axis == 1);
    // Twice what was seen, but no more than was seen of any channel.
    CHECK(value.params->scale == std::vector<float>{1.0f / 255, 0.002f / 255, 0.002f / 255, 1.0f / 255});
    CHECK(p.placement("Relu") == Placement::kAbsorbed);
    CHECK(p.placement("Conv", 1) == Placement::kInteger);
  }
  SECTION("a target without such scales leaves it in float") {
    CHECK(!plan_of(b, {z}, {}, narrow).value("relu_1_out").params);
  }
  SECTION("another reader than a depthwise convolution") {
    const Planned p = plan_of(b, {z, conv(b, y, 4, 2)}, {}, narrow, find_target("native"));
    CHECK(!p.value("relu_1_out").params);
  }
  SECTION("a limit that it meets") {
    QuantizationScheme scheme;
    scheme.max_noise = 0.9;
    const Planned p = plan_of(b, {z}, scheme, narrow, find_target("native"));
    REQUIRE(p.value("relu_1_out").params);
    CHECK(p.value("relu_1_out").params->per_tensor());
  }
}

}  // namespace quantize
