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

}  // namespace

TEST_CASE("every integer form is an operator whose inputs its slots are", "[forms]") {
  for (const IntegerForm& form : integer_forms()) {
    INFO(form.op_type);
    const OpDef* def = find(form.op_type, form.domain);
    REQUIRE(def != nullptr);
    CHECK(find(form.float_type, "") != nullptr);
    const size_t inputs = def->max_inputs == kAnyNumber ? def->min_inputs : def->max_inputs;
    REQUIRE(!def->slots.operands.empty());
    for (const CodeOperand& operand : def->slots.operands)
      CHECK((operand.codes < inputs && operand.scale < inputs && operand.zero_point < inputs));
    if (def->slots.y_scale != kAnyNumber) CHECK(def->slots.y_scale + 1 < inputs);
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
  CHECK(makes_codes(gemm));
  gemm.inputs.resize(7);
  CHECK_FALSE(makes_codes(gemm));
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
