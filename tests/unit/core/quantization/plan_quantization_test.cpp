#include "core/quantization/plan_quantization.h"
#include "core/quantization/insert_qdq.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.h"
#include "tests/support/planned_graph.h"

namespace quantize {

using test::conv;
using test::GraphBuilder;
using test::plan_of;
using test::Planned;
using test::target;

TEST_CASE("plan: a convolution, its activation and a pool become integer") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 8, 8});
  const ValueId relu = b.node("Relu", {conv(b, x, 3, 4)});
  const ValueId pool = b.node("MaxPool", {relu}, {{"kernel_shape", std::vector<int64_t>{2, 2}}});
  const Planned p = plan_of(b, {conv(b, pool, 4, 2)});
  CHECK(p.placement("Conv", 0) == Placement::kInteger);
  CHECK(p.placement("Relu") == Placement::kAbsorbed);
  CHECK(p.placement("MaxPool") == Placement::kInteger);
  CHECK(p.placement("Conv", 1) == Placement::kInteger);
  CHECK(p.value("x").params.has_value());
  CHECK_FALSE(p.value("conv_0_out").params.has_value());  // inside the fused operator
  CHECK(p.value("relu_1_out").params->zero_point[0] == 0);
  CHECK(*p.value("maxpool_2_out").params == *p.value("relu_1_out").params);
  CHECK(p.value("maxpool_2_out").source == p.graph.find_value("relu_1_out"));
  CHECK(p.value("conv_3_out").reason == "max, as for all results");
}

TEST_CASE("plan: a Clip is absorbed only where the codes stay inside its bounds") {
  const auto with_range = [](Range range, const QuantType& type) {
    GraphBuilder b;
    const ValueId x = b.input("x", {1, 3, 4, 4});
    const ValueId low = b.constant("low", Tensor::scalar(0.0f)),
                  high = b.constant("high", Tensor::scalar(6.0f));
    const ValueId clip = b.node("Clip", {conv(b, x, 3, 4), low, high});
    QuantizationScheme scheme;
    scheme.activations = type;
    return plan_of(b, {conv(b, clip, 4, 2)}, scheme,
                   [&](RangeTable& ranges) { ranges.values["clip_1_out"].ranges = {range}; });
  };
  CHECK(with_range({0, 6}, {}).placement("Clip") == Placement::kAbsorbed);
  CHECK(with_range({0, 4}, {}).placement("Clip") == Placement::kAbsorbed);
  CHECK(with_range({0, 7}, {}).placement("Clip") == Placement::kFloat);
  const Planned symmetric = with_range({0, 6}, {.dtype = DataType::kS8, .symmetric = true});
  CHECK(symmetric.placement("Clip") == Placement::kFloat);
  CHECK(symmetric.placement("Conv") == Placement::kInteger);
  CHECK_THAT(float_reason(symmetric, 0).value_or(""), Catch::Matchers::Contains("reach beyond its bounds"));
  PlanSummary summary = summarize(symmetric);
  CHECK(summary.kept_clamps == 1);
  CHECK(summary.integer_macs < summary.macs);
  PlannedModel clamped = symmetric;
  clamped.plan.floats_kept_clamps = false;  // as in a target that clamps codes
  summary = summarize(clamped);
  CHECK(summary.kept_clamps == 0);
  CHECK(summary.integer_macs == summary.macs);
  CHECK(symmetric.value("clip_1_out").params.has_value());
}

TEST_CASE("plan: what moves bytes follows its inputs, what multiplies does not wait for them") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 8, 8});
  const ValueId swish = b.node("Tanh", {conv(b, x, 3, 4)});
  const ValueId sum = b.node("Add", {swish, conv(b, x, 3, 4)});
  const Planned p = plan_of(b, {conv(b, sum, 4, 2)}, {});
  CHECK(p.placement("Tanh") == Placement::kFloat);
  CHECK(p.node("Tanh").reason == "ort-x86 has no integer kernel for it");
  CHECK(p.placement("Add") == Placement::kFloat);
  CHECK(p.node("Add").reason == "its input 'tanh_1_out' is computed in float");
  CHECK(p.placement("Conv", 2) == Placement::kInteger);
  CHECK_FALSE(p.value("tanh_1_out").params.has_value());
  CHECK(p.value("add_3_out").params.has_value());
}

TEST_CASE("plan: what only a Concat reads has its scale") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 4, 8, 8});
  const ValueId left = conv(b, x, 4, 4), right = conv(b, x, 4, 4);
  const ValueId joined = b.node("Concat", {b.node("Add", {left, right}), left}, {{"axis", int64_t{1}}});
  const Planned p = plan_of(b, {conv(b, joined, 8, 2)});
  CHECK(p.placement("Add") == Placement::kInteger);
  CHECK(p.placement("Concat") == Placement::kInteger);
  const ValueId y = p.graph.find_value("concat_3_out");
  CHECK(p.value("concat_3_out").source == y);
  CHECK(p.value("add_2_out").source == y);
  CHECK(p.value("add_2_out").params->scale == p.value("concat_3_out").params->scale);
  CHECK(p.value("add_2_out").reason == "scale of 'concat_3_out', which 'concat_3' makes of it");
  // The Add reads it, too.
  CHECK(p.value("conv_0_out").source == p.graph.find_value("conv_0_out"));
}

TEST_CASE(
    "plan: the scale of a Concat reaches through pools and other Concats, not through a Relu it breaks") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 4, 8, 8});
  const ValueId first = conv(b, x, 4, 4);
  const ValueId pooled = b.node("MaxPool", {first}, {{"kernel_shape", std::vector<int64_t>{1, 1}}});
  const ValueId inner = b.node("Concat", {first, pooled}, {{"axis", int64_t{1}}});
  const ValueId relu = b.node("Relu", {conv(b, x, 4, 4)});
  const ValueId outer = b.node("Concat", {inner, relu}, {{"axis", int64_t{1}}});
  const Planned p = plan_of(b, {conv(b, outer, 12, 2)});
  const ValueId y = p.graph.find_value("concat_5_out");
  for (const char* name : {"conv_0_out", "maxpool_1_out", "concat_2_out"}) CHECK(p.value(name).source == y);
  // With the negative values of the others in its range, codes would reach below 0.
  CHECK(p.placement("Relu") == Placement::kAbsorbed);
  CHECK(p.value("relu_4_out").source == p.graph.find_value("relu_4_out"));
}

TEST_CASE("plan: operators that may return reals do, where no integer operator reads them") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2, 6});
  const ValueId hidden = b.node("Relu", {b.node("Gemm", {x, b.random("w", {6, 5})})});
  const ValueId logits = b.node("Gemm", {hidden, b.random("v", {5, 3})});
  const Planned p = plan_of(b, {b.node("Reshape", {logits, b.ints("shape", {2, 3, 1})})});
  CHECK(p.placement("Relu") == Placement::kAbsorbed);
  CHECK(p.value("relu_1_out").params.has_value());
  CHECK(p.placement("Gemm", 1) == Placement::kInteger);
  CHECK_FALSE(p.value("gemm_2_out").params.has_value());
  CHECK(p.placement("Reshape") == Placement::kFloat);
}

TEST_CASE("plan: an input that only float operators read is not rounded") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 4, 2, 2});
  const ValueId flat = b.node("Flatten", {x});
  const Planned p = plan_of(b, {b.node("Softmax", {flat})});
  CHECK(p.placement("Flatten") == Placement::kFloat);
  CHECK_FALSE(p.value("x").params.has_value());
}

TEST_CASE("plan: a value that is too coarse keeps its makers and readers in float, with the numbers") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 2, 6, 6});
  // The first convolution makes one channel 1000 times the other; the second gives both equal weight.
  const ValueId uneven =
      b.node("Conv", {x, b.constant("w", Tensor::of<float>({2, 2, 1, 1}, {1000, 1000, 1, -1}))});
  const ValueId even =
      b.node("Conv", {uneven, b.constant("v", Tensor::of<float>({1, 2, 1, 1}, {0.001f, 1}))});
  const Planned p = plan_of(b, {even});
  CHECK(p.placement("Conv", 0) == Placement::kFloat);
  CHECK(p.placement("Conv", 1) == Placement::kFloat);
  CHECK(p.value("conv_0_out").reason.find("noise to the result of 'conv_1' (limit 1 %)") !=
        std::string::npos);
  CHECK(p.node("Conv", 1).reason.find("its input 'conv_0_out' stays float: rounded to steps") == 0);

  QuantizationScheme all;
  all.max_noise = 1;
  CHECK(plan_of(b, {even}, all).placement("Conv", 0) == Placement::kInteger);
  QuantizationScheme overridden;
  overridden.overrides["conv_0_out"].scale_amax = 1.0f;
  CHECK(plan_of(b, {even}, overridden).placement("Conv", 0) == Placement::kInteger);
}

TEST_CASE("plan: values that were not finite, or never seen, stay float") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 4, 4});
  const ValueId y = conv(b, conv(b, x, 3, 4), 4, 2);
  const Planned nan = plan_of(b, {y}, {}, [](RangeTable& ranges) {
    ranges.values["conv_0_out"].non_finite = 3;
    ranges.values["conv_0_out"].ranges.clear();
  });
  CHECK(nan.placement("Conv", 0) == Placement::kFloat);
  CHECK(nan.value("conv_0_out").reason == "3 of its elements were NaN or infinite in calibration");
  const Planned unseen = plan_of(b, {y}, {}, [](RangeTable& ranges) { ranges.values.erase("x"); });
  CHECK(unseen.placement("Conv", 0) == Placement::kFloat);
  CHECK(unseen.placement("Conv", 1) == Placement::kInteger);
}

TEST_CASE("plan: products that integers cannot carry stay float") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2, 4});
  const ValueId attention = b.node("MatMul", {x, b.node("Transpose", {x})});
  const ValueId scaled = b.node("Gemm", {x, b.random("w", {4, 2})}, {{"alpha", 0.5f}});
  const ValueId nan = b.node("MatMul", {x, b.constant("nan", Tensor::of<float>({4, 1}, {1, NAN, 1, 1}))});
  const ValueId stacked = b.node("MatMul", {x, b.random("stack", {1, 4, 3})});  // the result has three axes
  const ValueId left = b.node("MatMul", {b.random("left", {5, 2}), x});
  const Planned p = plan_of(b, {attention, scaled, nan, stacked, left});
  CHECK(p.node("MatMul", 0).reason == "multiplies two activations, which attention needs exact");
  CHECK(p.node("Gemm").reason == "scales its product or bias (alpha, beta)");
  CHECK(p.node("MatMul", 1).reason == "its weights are not finite f32 numbers");
  CHECK(p.node("MatMul", 2).reason == "its weights are not one matrix or kernel");
  CHECK(p.node("MatMul", 3).reason == "its weights stand on the left");
}

TEST_CASE("plan: the user chooses nodes by name and type") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 4, 4});
  const ValueId y = conv(b, conv(b, x, 3, 4), 4, 2);
  QuantizationScheme scheme;
  scheme.exclude = {"_0$"};
  const Planned p = plan_of(b, {y}, scheme);
  CHECK(p.node("Conv", 0).reason == "excluded by its name");
  CHECK(p.placement("Conv", 1) == Placement::kInteger);
  scheme.exclude.clear();
  scheme.include = {"conv_1"};
  CHECK(plan_of(b, {y}, scheme).node("Conv", 0).reason == "not among the nodes to include");
  scheme.include.clear();
  scheme.exclude_op_types = {"Conv"};
  CHECK(plan_of(b, {y}, scheme).node("Conv", 0).reason == "excluded by its operator type");
  scheme.exclude_op_types.clear();
  scheme.exclude = {"("};
  CHECK_THROWS_AS(plan_of(b, {y}, scheme), Error);
}

TEST_CASE("plan: overrides set the range, the bits, and what stays float") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 4, 4});
  const ValueId y = conv(b, conv(b, x, 3, 4), 4, 2);
  QuantizationScheme scheme;
  scheme.overrides["x"].amax = 2.0f;
  scheme.overrides["conv_0_out"].num_bits = 4;
  scheme.overrides["conv_0_out"].min = 0.0f;
  scheme.overrides["conv_0_out"].max = 15.0f;
  const Planned p = plan_of(b, {y}, scheme);
  CHECK(p.value("x").range.min == -2.0f);
  CHECK(p.value("x").range.max == 2.0f);
  CHECK(p.value("x").reason == "max, changed by its override");
  CHECK(p.value("conv_0_out").params->scale[0] == 1.0f);
  CHECK(p.value("conv_0_out").params->quant_max == 15);

  QuantizationScheme disabled;
  disabled.overrides["conv_0_out"].enabled = false;
  CHECK(plan_of(b, {y}, disabled).value("conv_0_out").reason == "left in float by its override");
  QuantizationScheme unknown;
  unknown.overrides["nobody"].amax = 1.0f;
  CHECK_THROWS_AS(plan_of(b, {y}, unknown), Error);
  QuantizationScheme axis;
  axis.overrides["x"].axis = 1;
  CHECK_THROWS_AS(plan_of(b, {y}, axis), Error);
  QuantizationScheme off;
  off.overrides[p.graph.value(p.graph.nodes[0].inputs[1]).name].enabled = false;
  CHECK(plan_of(b, {y}, off).node("Conv", 0).reason == "its weights are left in float by their override");
  QuantizationScheme empty;
  empty.overrides["x"].min = 3.0f;
  empty.overrides["x"].max = 3.0f;
  CHECK_THROWS_AS(plan_of(b, {y}, empty), Error);
}

TEST_CASE("plan: types that the target does not multiply are refused") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 4, 4});
  QuantizationScheme scheme;
  scheme.activations.dtype = DataType::kS8;
  scheme.weights.dtype = DataType::kU8;
  const ValueId y = conv(b, x, 3, 4);
  CHECK_THROWS_AS(plan_of(b, {y}, scheme), Error);
  CHECK_THROWS_AS(find_target("nowhere"), Error);
}

TEST_CASE("plan: results are not clipped, whatever the calibrator cut off") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 4, 4});
  const auto clip = [](RangeTable& ranges) {
    for (const char* name : {"conv_0_out", "conv_1_out"}) {
      ranges.values[name].channel_ranges.assign(1, {-5, 5});
      ranges.values[name].ranges = {{-1, 1}};
    }
  };
  const ValueId hidden = conv(b, x, 3, 4);
  const Planned p = plan_of(b, {conv(b, hidden, 4, 2)}, {}, clip);
  CHECK(p.value("conv_0_out").range.max == 1.0f);
  CHECK(p.value("conv_1_out").range.max == 5.0f);
}

TEST_CASE("plan: results are not rounded once more") {
  GraphBuilder b;
  const ValueId pool = b.node("GlobalAveragePool", {conv(b, b.input("x", {1, 3, 4, 4}), 3, 4)});
  CHECK(plan_of(b, {pool}).placement("GlobalAveragePool") == Placement::kFloat);
  CHECK(plan_of(b, {conv(b, pool, 4, 2)}).placement("GlobalAveragePool") == Placement::kInteger);
}

TEST_CASE("plan: bias correction adds a bias where there is none, and can be left off") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2, 3});
  const ValueId y = b.node("MatMul", {x, b.random("w", {3, 4})});
  const Planned p = plan_of(b, {y});
  REQUIRE(p.node("MatMul").weights.has_value());
  CHECK(p.node("MatMul").weights->bias.size() == 4);
  CHECK(p.node("MatMul").weights->bias_add == kNoNode);
  CHECK(p.node("MatMul").weights->shift.size() == 4);
  QuantizationScheme off;
  off.bias_correction = BiasCorrection::kOff;
  CHECK(plan_of(b, {y}, off).node("MatMul").weights->bias.empty());

  const ValueId sum = b.node("Add", {b.random("bias", {4}), y});
  const Planned with_add = plan_of(b, {sum});
  CHECK(with_add.node("MatMul").weights->bias_add == 1);
}

TEST_CASE("plan: the summary counts nodes, reasons and multiplications") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 4, 4});
  const ValueId relu = b.node("Relu", {conv(b, x, 3, 4)});
  const ValueId swish = b.node("Tanh", {conv(b, relu, 4, 2)});
  QuantizationScheme scheme;
  scheme.exclude = {"conv_0"};
  const Planned p = plan_of(b, {swish}, scheme);
  const PlanSummary summary = summarize(p);
  CHECK(summary.by_op_type.at("Conv").integer == 1);
  CHECK(summary.by_op_type.at("Conv").floating == 1);
  CHECK(summary.by_op_type.at("Conv").reasons.at("excluded by its name") == 1);
  CHECK(summary.macs == 16 * 3 * 4 + 16 * 4 * 2);
  CHECK(summary.integer_macs == 16 * 4 * 2);
}

}  // namespace quantize
