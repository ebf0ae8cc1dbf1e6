#include "core/quantization/quantize_weights.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/ops/op.h"
#include "core/quantization/bias_correction.h"
#include "tests/support/graph_builder.h"

namespace quantize {

namespace {

/// A Conv layout of [outputs, inputs, taps].
WeightLayout conv_layout(int64_t outputs, int64_t inputs, int64_t taps) {
  WeightLayout layout;
  layout.outputs = outputs;
  layout.inputs = inputs;
  layout.taps = taps;
  layout.input_stride = taps;
  layout.output_stride = inputs * taps;
  layout.group_stride = outputs * inputs * taps;
  return layout;
}

const WeightForm kForm = weight_form({});

QuantParams input_of(float scale) {
  return {.scale = {scale}, .zero_point = {0}, .axis = {}};
}

}  // namespace

TEST_CASE("weights: one symmetric scale per output channel") {
  const Tensor w = Tensor::of<float>({2, 1, 2}, {1, -2, 0.5f, 0.25f});
  const QuantParams params = choose_weight_params(w, conv_layout(2, 1, 2), {}, input_of(1), kForm, nullptr);
  CHECK(params.axis == 0);
  CHECK(params.scale == std::vector<float>{2.0f / 127, 0.5f / 127});
  CHECK(params.zero_point == std::vector<int32_t>{0, 0});
  CHECK(params.quant_min == -127);
}

TEST_CASE("weights: one scale for all on request, and where groups share the axis") {
  const Tensor w = Tensor::of<float>({2, 1, 2}, {1, -2, 0.5f, 0.25f});
  QuantizationScheme per_tensor;
  per_tensor.per_channel_weights = false;
  CHECK(choose_weight_params(w, conv_layout(2, 1, 2), {}, input_of(1), weight_form(per_tensor), nullptr)
            .scale == std::vector<float>{2.0f / 127});

  test::GraphBuilder b;
  const ValueId x = b.input("x", {1, 4, 3, 3});
  const Graph graph =
      b.build({b.node("ConvTranspose", {x, b.random("w", {4, 2, 1, 1})}, {{"group", int64_t{2}}})});
  const auto layout = find_op(graph, graph.nodes[0]).weight_layout(graph.nodes[0], Shape{4, 2, 1, 1});
  const Tensor& grouped = *graph.constant(graph.nodes[0].inputs[1]);
  CHECK(choose_weight_params(grouped, *layout, {}, input_of(1), kForm, nullptr).per_tensor());
}

TEST_CASE("weights: the scale is widened until the bias fits into half of s32") {
  const Tensor w = Tensor::of<float>({2, 1, 1}, {1e-6f, 1});
  const float x_scale = 0.01f;
  const std::vector<double> bias{500, 500};
  const QuantParams params =
      choose_weight_params(w, conv_layout(2, 1, 1), bias, input_of(x_scale), kForm, nullptr);
  for (size_t o = 0; o < 2; ++o)
    CHECK(std::abs(bias[o]) / double{bias_scale(params, input_of(x_scale), o)} <= double{1 << 30});
  CHECK(params.scale[0] > 1e-6f / 127);
  CHECK(params.scale[1] == 1.0f / 127);
}

TEST_CASE("weights: a dead channel takes the largest scale of the others") {
  const Tensor w = Tensor::of<float>({3, 1, 1}, {0, 1, 2});
  const QuantParams params =
      choose_weight_params(w, conv_layout(3, 1, 1), {0.3, 0, 0}, input_of(0.1f), kForm, nullptr);
  CHECK(params.scale[0] == 2.0f / 127);
  const Tensor zeros = Tensor::of<float>({1, 1, 1}, {0});
  CHECK(choose_weight_params(zeros, conv_layout(1, 1, 1), {1e12}, input_of(0.1f), kForm, nullptr).scale[0] >=
        1e12 / 0.1 / (1 << 30));
}

TEST_CASE("weights: bias scales are normal floats") {
  const Tensor w = Tensor::of<float>({1, 1, 1}, {std::numeric_limits<float>::denorm_min()});
  const float x_scale = 1e-20f;
  const QuantParams params =
      choose_weight_params(w, conv_layout(1, 1, 1), {}, input_of(x_scale), kForm, nullptr);
  CHECK(bias_scale(params, input_of(x_scale), 0) >= std::numeric_limits<float>::min());
}

TEST_CASE("weights: a power of two that cuts the largest off where all others gain more") {
  WeightForm form = kForm;
  form.per_channel = false;
  form.type.power_of_two = true;
  std::vector<float> values(2000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<float>(i)) * 0.9f;
  values[0] = 1.1f;  // steps of 1/64 hold it, those of 1/128 do not
  const Tensor w = Tensor::of<float>({20, 100, 1}, values);
  const auto scale = [&] {
    return choose_weight_params(w, conv_layout(20, 100, 1), {}, input_of(1), form, nullptr).scale[0];
  };
  CHECK(scale() == 1.0f / 128);
  form.type.power_of_two = false;
  CHECK(scale() == 1.1f / 127);
}

TEST_CASE("weights: scales that are powers of two, widened for a bias or not") {
  const Tensor w = Tensor::of<float>({3, 1, 1}, {127.0f / 64, 1, -0.3f});
  WeightForm form = kForm;
  form.type.power_of_two = true;
  const QuantParams params = choose_weight_params(w, conv_layout(3, 1, 1), {}, input_of(0.5f), form, nullptr);
  CHECK(params.scale == std::vector<float>{1.0f / 64, 1.0f / 64, 1.0f / 256});
  const QuantParams wide =
      choose_weight_params(w, conv_layout(3, 1, 1), {0, 0, 3e7}, input_of(0.5f), form, nullptr);
  CHECK(wide.scale == std::vector<float>{1.0f / 64, 1.0f / 64, 1.0f / 16});
}

TEST_CASE("weights: one scale where the operator of the target takes no other") {
  const Tensor w = Tensor::of<float>({2, 1, 1}, {1, -2});
  const IntegerOperator by{.op_type = "Conv", .channel_weights = false};
  const WeightForm form = weight_form({}, &by);
  CHECK(choose_weight_params(w, conv_layout(2, 1, 1), {}, input_of(1), form, nullptr).per_tensor());
  ValueOverride axis;
  axis.axis = 0;
  CHECK_THROWS_WITH(choose_weight_params(w, conv_layout(2, 1, 1), {}, input_of(1), form, &axis),
                    Catch::Contains("one scale for all weights of this operator"));
}

TEST_CASE("weights: overrides change bits and range, and refuse what cannot be") {
  const Tensor w = Tensor::of<float>({2, 1, 1}, {1, -2});
  const WeightLayout layout = conv_layout(2, 1, 1);
  ValueOverride specific;
  specific.num_bits = 4;
  specific.amax = 0.7f;
  const QuantParams params = choose_weight_params(w, layout, {}, input_of(1), kForm, &specific);
  CHECK(params.quant_max == 7);
  CHECK(params.scale == std::vector<float>{0.7f / 7, 0.7f / 7});
  ValueOverride axis;
  axis.axis = 1;
  CHECK_THROWS_AS(choose_weight_params(w, layout, {}, input_of(1), kForm, &axis), Error);
  axis.axis = -3;
  CHECK(choose_weight_params(w, layout, {}, input_of(1), kForm, &axis).axis == 0);
  ValueOverride is_unsigned;
  is_unsigned.is_unsigned = true;
  CHECK_THROWS_AS(choose_weight_params(w, layout, {}, input_of(1), kForm, &is_unsigned), Error);
}

TEST_CASE("bias correction: the mean output of a rounded layer becomes that of the exact one") {
  const WeightLayout layout = conv_layout(3, 4, 1);
  const Tensor w = test::random_tensor({3, 4, 1}, 5);
  QuantizationScheme scheme;
  scheme.weights.num_bits = 3;  // large errors
  const QuantParams params = choose_weight_params(w, layout, {}, input_of(1), weight_form(scheme), nullptr);
  const Tensor rounded = dequantize_tensor(quantize_tensor(w, params), params);
  const std::vector<double> means{1, -2, 3, 0.5}, quantized_means{1.5, -2, 2, 0};
  const std::vector<double> shift = bias_shift(w, {.params = params}, layout, {1, means}, {1, means});
  const std::vector<double> both =
      bias_shift(w, {.params = params}, layout, {1, means}, {1, quantized_means});
  REQUIRE(shift.size() == 3);
  for (int64_t o = 0; o < 3; ++o) {
    double exact = 0, approximate = 0, of_rounded_inputs = 0;
    for (int64_t i = 0; i < 4; ++i) {
      exact += double{w.data<float>()[o * 4 + i]} * means[static_cast<size_t>(i)];
      approximate += double{rounded.data<float>()[o * 4 + i]} * means[static_cast<size_t>(i)];
      of_rounded_inputs += double{rounded.data<float>()[o * 4 + i]} * quantized_means[static_cast<size_t>(i)];
    }
    CHECK(std::abs(exact - approximate) > 1e-3);
    CHECK(approximate + shift[static_cast<size_t>(o)] == Approx(exact));
    CHECK(of_rounded_inputs + both[static_cast<size_t>(o)] == Approx(exact));
  }
}

TEST_CASE("bias correction: means per tap count the zeros of padding, means that do not fit are not used") {
  const WeightLayout layout = conv_layout(1, 1, 2);
  const Tensor w = Tensor::of<float>({1, 1, 2}, {0.4f, 1.0f});
  QuantParams params;
  params.dtype = DataType::kS8;
  params.scale = {1};
  params.zero_point = {0};
  params.quant_min = -127;
  params.quant_max = 127;
  test::GraphBuilder b;
  const ValueId x = b.input("x", {1, 1, 8});
  const Graph graph = b.build({b.node("Conv", {x, b.constant("w", w)})});
  const auto shift = [&](const TapMeans& taps, const std::vector<double>& channels) {
    RangeTable measured;
    measured.tap_means[graph.value(graph.nodes[0].outputs[0]).name] = taps;
    measured.values["x"].channel_mean = channels;
    const InputMeans means = input_means(graph, graph.nodes[0], layout, measured);
    return bias_shift(w, {.params = params}, layout, means, means);
  };
  CHECK(shift({.taps = 2, .mean = {10, 1000}}, {1})[0] == Approx(4.0));
  CHECK(shift({}, {1})[0] == Approx(0.4));
  CHECK(shift({.taps = 3, .mean = {1, 2, 3}}, {1})[0] == Approx(0.4));
  CHECK(shift({}, {1, 2}).empty());
}

TEST_CASE("bias correction: a new correction takes the place of the old one") {
  PlannedWeights weights;
  weights.bias = {1, 2};
  set_shift(weights, {0.5, -1});
  set_shift(weights, {});
  set_shift(weights, {0.25, 3});
  CHECK(weights.bias == std::vector<double>{1.25, 5});
  CHECK(weights.shift == std::vector<double>{0.25, 3});
  PlannedWeights without;
  set_shift(without, {0.5});
  CHECK(without.bias == std::vector<double>{0.5});
}

}  // namespace quantize
