// Activations of 16 bits: which nodes and values have them, what stands between them and those of 8, and who refuses.
#include "core/quantization/activation_bits.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "core/engine/engine.h"
#include "core/quantization/check_scheme.h"
#include "core/quantization/insert_qdq.h"
#include "core/quantization/modes/mode.h"
#include "tests/support/planned_graph.h"

using namespace quantize;
using test::conv;
using test::GraphBuilder;
using test::Planned;

namespace {

constexpr int64_t kOpset = 21;

QuantizationScheme scheme_for(const char* target) {
  QuantizationScheme scheme;
  const TargetProfile& profile = find_target(target);
  take_types(scheme, profile, profile.choose_types({}, {}));
  return scheme;
}

/// Conv, Relu, Conv, MaxPool, Conv and an Add of the last two Convs, named after their places.
Planned planned_for(const char* target, const QuantizationScheme& scheme) {
  GraphBuilder b(kOpset);
  const ValueId x = b.input("x", {1, 4, 6, 6});
  const ValueId first = b.node("Relu", {conv(b, x, 4, 8)}), second = conv(b, first, 8, 8);
  const ValueId pool = b.node("MaxPool", {second}, {{"kernel_shape", std::vector<int64_t>{1, 1}}});
  const ValueId third = conv(b, pool, 8, 8);
  const ValueId sum = b.node("Add", {second, third});
  for (size_t n = 0; n < b.graph().nodes.size(); ++n)
    b.graph().nodes[n].name = b.graph().nodes[n].op_type + "_" + std::to_string(n);
  return test::plan_of(b, {sum}, scheme, {}, find_target(target));
}

DataType type_of(const Planned& p, const std::string& op_type, size_t nth = 0) {
  for (size_t n = 0; n < p.graph.nodes.size(); ++n)
    if (p.graph.nodes[n].op_type == op_type && nth-- == 0)
      return p.plan.values[static_cast<size_t>(p.graph.nodes[n].outputs[0])]
          .params.value_or(QuantParams{})
          .dtype;
  return DataType::kUndefined;
}

}  // namespace

TEST_CASE("activations of 16 bits: all nodes and values, as the target has them", "[bits]") {
  for (const auto& [target, codes, zero] :
       {std::tuple{"qnn", DataType::kU16, -1}, std::tuple{"tflite", DataType::kS16, 0}}) {
    INFO(target);
    QuantizationScheme scheme = scheme_for(target);
    scheme.activation_bits = 16;
    const Planned p = planned_for(target, scheme);
    for (const PlannedValue& value : p.plan.values) {
      if (!value.params) continue;
      CHECK(value.params->dtype == codes);
      CHECK(value.params->quant_max - value.params->quant_min == 65535);
      if (zero == 0) CHECK(value.params->zero_point[0] == 0);
    }
    const PlanSummary summary = summarize(p);
    CHECK(summary.macs16 == summary.macs);
    CHECK(summary.by_op_type.at("Conv").sixteen == 3);
    for (const PlannedNode& node : p.plan.nodes) CHECK(node.converted.empty());
  }
}

TEST_CASE("activations of 16 bits: of one layer, with conversions before and behind", "[bits]") {
  QuantizationScheme scheme = scheme_for("qnn");
  scheme.bits_rules = {{16, "^Conv_2$"}};
  const Planned p = planned_for("qnn", scheme);
  CHECK(type_of(p, "Relu") == DataType::kU8);
  CHECK(type_of(p, "Conv", 1) == DataType::kU16);
  CHECK(type_of(p, "MaxPool") == DataType::kU16);  // moves what it reads
  CHECK(type_of(p, "Conv", 2) == DataType::kU8);
  CHECK(type_of(p, "Add") == DataType::kU8);
  CHECK(p.node("Conv", 1).converted.size() == 1);
  CHECK(p.node("Conv", 2).converted.size() == 1);
  CHECK(p.node("Add").converted.size() == 1);

  Graph qdq = insert_qdq(p);
  infer_shapes(qdq);
  validate(qdq);
  const Tensor x = test::random_tensor({1, 4, 6, 6}, 7);
  const auto exact = Engine(p.graph, {}).run({x})[0], rounded = Engine(qdq, {}).run({x})[0];
  CHECK(test::relative_difference(rounded, exact) < 0.05);
}

TEST_CASE("activations of 16 bits: values that layers of 16 bits read alone have them from the start",
          "[bits]") {
  QuantizationScheme scheme = scheme_for("qnn");
  scheme.nodes16 = {"Conv_0"};
  CHECK(planned_for("qnn", scheme).value("x").params->dtype == DataType::kU16);
  scheme.integer_input = true;  // the bytes of an image
  const Planned p = planned_for("qnn", scheme);
  CHECK(p.value("x").params->dtype == DataType::kU8);
  CHECK(p.node("Conv").converted.size() == 1);
}

TEST_CASE("activations of 16 bits: operators without weights follow what they read", "[bits]") {
  QuantizationScheme scheme = scheme_for("qnn");
  scheme.nodes16 = {"Conv_2", "Conv_4"};
  CHECK(type_of(planned_for("qnn", scheme), "Add") == DataType::kU16);
  scheme.bits_rules = {{8, "^Add"}};
  CHECK(type_of(planned_for("qnn", scheme), "Add") == DataType::kU8);
}

TEST_CASE("activations of 16 bits: an override is of the node that computes the value", "[bits]") {
  QuantizationScheme scheme = scheme_for("qnn");
  const Planned free = planned_for("qnn", scheme);
  scheme.overrides[free.graph.value(free.graph.nodes[1].outputs[0]).name].num_bits = 16;  // the Relu's
  const Planned p = planned_for("qnn", scheme);
  CHECK(type_of(p, "Relu") == DataType::kU16);
  CHECK(p.node("Conv").activation_bits == 16);
  CHECK(p.node("Conv", 1).activation_bits == 8);
  CHECK(p.value("x").params->dtype == DataType::kU16);
}

TEST_CASE("activations of 16 bits: a runtime without such operators computes in float", "[bits]") {
  QuantizationScheme scheme = scheme_for("ort-x86");
  scheme.activation_bits = 16;
  const Planned p = planned_for("ort-x86", scheme);
  const PlanSummary summary = summarize(p);
  CHECK(summary.integer_macs + summary.macs16 == 0);
  CHECK(float_reason(p, 0)->find("16 bits") != std::string::npos);
  CHECK(p.value("x").params->dtype == DataType::kU16);
}

TEST_CASE("activations of 16 bits: tflite has no Resize of them", "[bits]") {
  GraphBuilder b(kOpset);
  const ValueId x = b.input("x", {1, 4, 6, 6});
  const ValueId up =
      b.node("Resize", {conv(b, x, 4, 4), kNoValue, b.constant("s", Tensor::of<float>({4}, {1, 1, 2, 2}))},
             {{"mode", std::string("nearest")}});
  QuantizationScheme scheme = scheme_for("tflite");
  scheme.activation_bits = 16;
  const Planned p = test::plan_of(b, {conv(b, up, 4, 4)}, scheme, {}, find_target("tflite"));
  CHECK(p.placement("Resize") == Placement::kFloat);
  CHECK(p.node("Resize").reason.find("8 bits alone") != std::string::npos);
  CHECK(p.node("Conv", 1).activation_bits == 16);
}

TEST_CASE("activations of 16 bits: refused by targets without, and by opsets without", "[bits]") {
  QuantizationScheme scheme = scheme_for("vitis");
  scheme.activation_bits = 16;
  const auto kind_of = [&](const char* target, int64_t opset) {
    GraphBuilder b(opset);
    const ValueId x = b.input("x", {1, 4, 6, 6});
    try {
      test::plan_of(b, {conv(b, x, 4, 4)}, scheme, {}, find_target(target));
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::kInternal;
  };
  CHECK(kind_of("vitis", kOpset) == ErrorKind::kUnsupported);
  scheme = scheme_for("qnn");
  scheme.bits_rules = {{16, "."}};
  CHECK(kind_of("qnn", 13) == ErrorKind::kUnsupported);
}

TEST_CASE("activations of 16 bits: the scales that qnn and tflite fix", "[bits]") {
  for (const auto& [target, scale, zero] :
       {std::tuple{"qnn", 1.0f / 65536, 0}, std::tuple{"tflite", 1.0f / 32768, 0}}) {
    GraphBuilder b(kOpset);
    const ValueId x = b.input("x", {1, 4, 6, 6});
    const ValueId y = b.node("Sigmoid", {conv(b, x, 4, 4)});
    QuantizationScheme scheme = scheme_for(target);
    scheme.activation_bits = 16;
    const Planned p = test::plan_of(b, {y}, scheme, {}, find_target(target));
    const QuantParams& params = *p.plan.values[static_cast<size_t>(p.graph.outputs[0])].params;
    CHECK(params.scale[0] == scale);
    CHECK(params.zero_point[0] == zero);
  }
}
