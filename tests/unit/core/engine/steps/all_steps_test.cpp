// The table of fast forms.
#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "core/engine/steps/step.h"
#include "core/ops/op_registry.h"

namespace quantize {

TEST_CASE("every fast form belongs to one operator and does something", "[steps]") {
  std::set<std::pair<std::string, std::string>> seen;
  for (const EngineForm& form : all_engine_forms()) {
    INFO(form.op_type);
    CHECK(form.compile != nullptr);
    CHECK(seen.emplace(form.domain, form.op_type).second);
    const auto ops = all_ops();
    CHECK(std::any_of(ops.begin(), ops.end(), [&](const OpDef& def) {
      return std::string(form.op_type) == def.op_type && std::string(form.domain) == def.domain;
    }));
    CHECK((form.pixels.takes != nullptr || form.pixels.border == nullptr));
  }
}

TEST_CASE("an operator without a fast form has an empty one", "[steps]") {
  Node node;
  node.op_type = "Shape";
  CHECK(engine_form_of(node).compile == nullptr);
  node.op_type = "Conv";
  CHECK(engine_form_of(node).fuses_clamp);
  node.domain = "com.microsoft";
  CHECK_FALSE(engine_form_of(node).fuses_clamp);
}

}  // namespace quantize
