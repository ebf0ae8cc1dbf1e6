// The table of integer operators.
#include "core/integer/forms.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "core/ops/op_registry.h"

namespace quantize {
namespace {

const OpDef* find(std::string_view op_type, std::string_view domain) {
  const auto ops = all_ops();
  const auto def = std::find_if(ops.begin(), ops.end(), [&](const OpDef& each) {
    return op_type == each.op_type && domain == each.domain;
  });
  return def == ops.end() ? nullptr : &*def;
}

Node node_of(const IntegerForm& form, size_t inputs) {
  Node node;
  node.op_type = form.op_type;
  node.domain = form.domain;
  node.inputs.assign(inputs, 0);
  node.outputs = {1};
  return node;
}

}  // namespace

TEST_CASE("every integer form is an operator whose inputs its slots are", "[forms]") {
  for (const IntegerForm& form : integer_forms()) {
    INFO(form.op_type);
    const OpDef* def = find(form.op_type, form.domain);
    REQUIRE(def != nullptr);
    if (!form.float_type.empty()) CHECK(find(form.float_type, "") != nullptr);
    CHECK((form.float_type.empty()) == (form.shape == IslandShape::kNone));
    REQUIRE(def->code_slots != nullptr);
    const size_t inputs = def->max_inputs == kAnyNumber ? def->min_inputs : def->max_inputs;
    const CodeSlots slots = def->code_slots(node_of(form, inputs));
    CHECK((slots.operands.size() == form.slots.operands.size() && slots.y_scale == form.slots.y_scale));
    for (const CodeOperand& operand : slots.operands)
      CHECK((operand.codes < inputs && operand.scale < inputs && operand.zero_point < inputs));
    if (slots.y_scale != kAnyNumber) CHECK(slots.y_scale + 1 < inputs);
  }
}

TEST_CASE("operands of QLinearConcat come in threes, as many as there are", "[forms]") {
  Node concat;
  concat.op_type = "QLinearConcat";
  concat.domain = "com.microsoft";
  concat.inputs.assign(11, 0);
  const CodeSlots slots = slots_of(concat);
  REQUIRE(slots.operands.size() == 3);
  CHECK((slots.operands[2].codes == 8 && slots.operands[2].scale == 9 && slots.operands[2].zero_point == 10));
  CHECK(slots.y_scale == 0);
}

TEST_CASE("a QGemm without a scale of its result makes reals", "[forms]") {
  Node gemm;
  gemm.op_type = "QGemm";
  gemm.domain = "com.microsoft";
  gemm.inputs.assign(9, 0);
  CHECK_FALSE(makes_reals(gemm));
  gemm.inputs.resize(7);
  CHECK(makes_reals(gemm));
  CHECK(slots_of(gemm).y_scale == kAnyNumber);
}

TEST_CASE("a float operator becomes the first of its forms", "[forms]") {
  Node node;
  node.op_type = "MatMul";
  REQUIRE(integer_form_of(node) != nullptr);
  CHECK(integer_form_of(node)->op_type == "QLinearMatMul");
  node.domain = "com.microsoft";
  CHECK(integer_form_of(node) == nullptr);
  node = {};
  node.op_type = "Reshape";
  CHECK(integer_form_of(node) == nullptr);
  CHECK(slots_of(node).operands.empty());
  CHECK_FALSE(is_integer_operator(node));
  node.op_type = "ConvInteger";
  CHECK(is_integer_operator(node));
  node.op_type = "QuantizeLinear";
  CHECK_FALSE(is_integer_operator(node));
}

}  // namespace quantize
