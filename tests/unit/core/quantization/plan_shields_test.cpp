// Nodes planned as float between integer layers stay float: in the plan, in the QDQ graph, in the int8
// graph and in our engine.
#include "core/quantization/plan_shields.h"

#include <catch2/catch.hpp>
#include <limits>

#include "core/integer/forms.h"
#include "core/integer/lowering.h"
#include "core/ops/op.h"
#include "core/passes/idle_attributes.h"
#include "core/passes/passes.h"
#include "core/quantization/insert_qdq.h"
#include "core/quantization/plan_quantization.h"
#include "tests/support/measured_ranges.h"

using namespace quantize;
using namespace quantize::test;

namespace {

using Ints = std::vector<int64_t>;
using Attributes = std::map<std::string, Attribute>;

/// Two layers with something between them.
struct Network {
  explicit Network(int64_t opset = 13) : b(opset) {
    x = layer(b.input("x", {1, 3, 8, 8}), 3);
    scheme.exclude = {"^(?!conv).*"};
  }

  ValueId layer(ValueId in, int64_t channels) {
    const std::string name = "w" + std::to_string(b.graph().nodes.size());
    return b.node("Conv", {in, b.random(name, {4, channels, 1, 1})});
  }
  ValueId floats(const std::string& name, const std::vector<float>& values) {
    return b.constant(name, Tensor::of<float>({static_cast<int64_t>(values.size())}, values));
  }

  /// The quantized graph that ends in another layer.
  Graph quantized(ValueId middle, const std::string& target = "ort-x86") {
    source = b.build({layer(middle, 4)});
    infer_shapes(source);
    const PlannedModel planned =
        plan_quantization(source, measured_ranges(source), scheme, find_target(target));
    plan = planned.plan;
    Graph result = insert_qdq(planned);
    validate(result);
    infer_shapes(result);
    return result;
  }

  GraphBuilder b;
  ValueId x = kNoValue;
  QuantizationScheme scheme;
  Graph source;
  QuantizationPlan plan;
};

bool has_integer_form(const Graph& graph, const std::string& op_type) {
  return count_nodes(graph, "QLinear" + op_type) > 0 || count_nodes(graph, op_type) == 0;
}

/// The operator stays float in all that becomes of the graph, behind as many shields.
void check_float(const Graph& qdq, const std::string& op_type, size_t shields) {
  INFO(op_type);
  CHECK(count_nodes(qdq, "Max") == shields);
  const Graph file = lower_to_qoperator(qdq, {}, Runtime::kAny), own = lower_to_qoperator(qdq);
  CHECK(count_nodes(file, "QLinearConv") >= 2);
  CHECK_FALSE(has_integer_form(file, op_type));
  CHECK(count_nodes(file, "Max") == shields);
  CHECK_FALSE(has_integer_form(own, op_type));
  CHECK(count_nodes(own, "Max") == 0);
}

const Attributes kPool{{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}};

}  // namespace

TEST_CASE("an excluded node that a runtime would take for itself is shielded", "[shields]") {
  for (const char* target : {"ort-x86", "native"}) {
    const auto check = [&](const std::string& op_type, const Attributes& attributes = {}) {
      Network n;
      const ValueId y = n.b.node(op_type, {n.x}, attributes);
      check_float(n.quantized(y, target), op_type, 1);
    };
    check("AveragePool", kPool);
    check("GlobalAveragePool");
    check("LeakyRelu");
    check("Sigmoid");
    check("Softmax");
    Network n;
    check_float(n.quantized(n.b.node("Add", {n.x, n.layer(n.x, 4)}), target), "Add", 1);
  }
}

TEST_CASE("the shield sees through what a QuantizeLinear is moved over", "[shields]") {
  Network n;
  const ValueId pooled =
      n.b.node("AveragePool", {n.b.node("Transpose", {n.x}, {{"perm", Ints{0, 1, 3, 2}}})}, kPool);
  const ValueId moved = n.b.node("Transpose", {n.b.node("Relu", {pooled})}, {{"perm", Ints{0, 1, 3, 2}}});
  CHECK(count_nodes(n.quantized(moved), "Max") == 1);
  for (const char* factor : {"Mul", "Div"}) {
    Network behind, before;
    const ValueId pool = behind.b.node("AveragePool", {behind.x}, kPool);
    CHECK(count_nodes(behind.quantized(behind.b.node(factor, {pool, behind.floats("k", {3})})), "Max") == 1);
    const ValueId scaled = before.b.node(factor, {before.x, before.floats("k", {3})});
    CHECK(count_nodes(before.quantized(before.b.node("AveragePool", {scaled}, kPool)), "Max") == 1);
  }
}

TEST_CASE("nothing is shielded in vain", "[shields]") {
  const auto shields = [](auto middle) {
    Network n;
    return count_nodes(n.quantized(middle(n)), "Max");
  };
  CHECK(shields([](Network& n) { return n.b.node("Tanh", {n.x}); }) == 0);            // no runtime fuses it
  CHECK(shields([](Network& n) { return n.b.node("MaxPool", {n.x}, kPool); }) == 0);  // the same on codes
  CHECK(shields([](Network& n) { return n.b.node("Add", {n.x, n.floats("k", {1})}); }) == 0);  // a constant
  CHECK(shields([](Network& n) { return n.b.node("Sigmoid", {n.b.node("Tanh", {n.x})}); }) ==
        0);  // reads reals
  CHECK(shields([](Network& n) {
          n.scheme.exclude.clear();
          return n.b.node("AveragePool", {n.x}, kPool);
        }) == 0);  // integer as planned
}

TEST_CASE("a form that the integer operator misreads stays float", "[shields]") {
  const auto placement = [](int64_t opset, Attributes attributes) {
    Network n(opset);
    n.scheme.exclude.clear();
    attributes.insert(kPool.begin(), kPool.end());
    const Graph qdq = n.quantized(n.b.node("AveragePool", {n.x}, attributes));
    if (n.plan.nodes[1].placement == Placement::kFloat) check_float(qdq, "AveragePool", 1);
    return n.plan.nodes[1].placement;
  };
  CHECK(placement(13, {}) == Placement::kInteger);
  CHECK(placement(13, {{"ceil_mode", int64_t{1}}}) == Placement::kInteger);
  CHECK(placement(13, {{"ceil_mode", int64_t{1}}, {"count_include_pad", int64_t{1}}}) == Placement::kFloat);
  CHECK(placement(19, {{"dilations", Ints{2, 2}}}) == Placement::kFloat);
  CHECK(placement(19, {{"unheard_of", int64_t{0}}}) == Placement::kFloat);
}

TEST_CASE("integer forms know their attributes", "[shields]") {
  Node gemm;
  gemm.op_type = "Gemm";
  gemm.attributes = {{"transB", int64_t{1}}, {"beta", 1.0f}};
  CHECK(keeps_meaning_on_codes(gemm));
  drop_idle_attributes(gemm);
  CHECK(gemm.attributes.size() == 1);
  gemm.attributes["beta"] = 2.0f;
  CHECK_FALSE(keeps_meaning_on_codes(gemm));
  drop_idle_attributes(gemm);
  CHECK(gemm.has_attribute("beta"));
}

TEST_CASE("forms that a layout optimizer spoils stand behind a barrier", "[shields]") {
  const auto barriers = [](auto middle) {
    Network n(18);
    n.scheme.exclude.clear();
    return count_nodes(n.quantized(middle(n)), "Gather");
  };
  const auto resize = [&](const char* mode, bool scales) {
    return barriers([&](Network& n) {
      std::vector<ValueId> operands{n.x, kNoValue, n.floats("s", {1, 1, 2, 2})};
      if (!scales) operands = {n.x, kNoValue, kNoValue, n.b.ints("s", {1, 4, 16, 16})};
      return n.b.node("Resize", operands, {{"mode", std::string(mode)}});
    });
  };
  CHECK(resize("cubic", true) == 1);
  CHECK(resize("cubic", false) == 1);
  CHECK(resize("linear", true) == 0);
  CHECK(barriers([](Network& n) {
          return n.b.node("Pad", {n.x, n.b.ints("p", {1, 1}), kNoValue, n.b.ints("axes", {3})});
        }) == 1);
  CHECK(barriers([](Network& n) {
          return n.b.node("Pad", {n.x, n.b.ints("p", {0, 0, 0, 1, 0, 0, 0, 1})});
        }) == 0);
}

TEST_CASE("a Resize that fills is no mover of codes", "[shields]") {
  const auto rule = [](const Attributes& attributes) {
    Network n;
    const ValueId y = n.b.node(
        "Resize", {n.x, n.floats("roi", {0, 0, 0, 0, 1, 1, 1.2f, 1}), kNoValue, n.b.ints("s", {1, 4, 9, 9})},
        attributes);
    const Graph graph = n.b.build({y});
    return quantization_of(graph, graph.nodes.back());
  };
  CHECK(rule({{"mode", std::string("nearest")}}) == QuantizationRule::kPassThrough);
  CHECK(rule({{"mode", std::string("linear")}}) == QuantizationRule::kPassThrough);
  CHECK(rule({{"mode", std::string("cubic")}}) == QuantizationRule::kFloat);
  CHECK(rule({{"mode", std::string("nearest")},
              {"coordinate_transformation_mode", std::string("tf_crop_and_resize")}}) ==
        QuantizationRule::kFloat);
}
