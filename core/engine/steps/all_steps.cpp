// The list of all fast steps: one line each. A file core/engine/steps/<family>.cpp defines `void
// add_<family>_steps(std::vector<EngineForm>&)`, which appends the forms of the operators that it runs.
#include <string_view>

#include "core/engine/steps/step.h"

// clang-format off
#define QUANTIZE_ALL_STEPS(X) \
  X(attention) \
  X(change_layout) \
  X(conv) \
  X(conv_transpose) \
  X(deform_conv) \
  X(float_matmul) \
  X(float_pool) \
  X(in_parts) \
  X(integer_matmul) \
  X(normalization) \
  X(pixel_conv) \
  X(pixel_elementwise) \
  X(pixel_move) \
  X(pixel_pool) \
  X(pixel_quantize) \
  X(pixel_resize) \
  X(pixel_table) \
  X(recurrent) \
  X(softmax) \
  X(sums_of_codes) \
  X(transpose) \
  X(where)
// clang-format on

namespace quantize {

#define QUANTIZE_DECLARE(family) void add_##family##_steps(std::vector<EngineForm>& forms);
QUANTIZE_ALL_STEPS(QUANTIZE_DECLARE)
#undef QUANTIZE_DECLARE

std::span<const EngineForm> all_engine_forms() {
  static const std::vector<EngineForm> forms = [] {
    std::vector<EngineForm> list;
#define QUANTIZE_ADD(family) add_##family##_steps(list);
    QUANTIZE_ALL_STEPS(QUANTIZE_ADD)
#undef QUANTIZE_ADD
    return list;
  }();
  return forms;
}

const EngineForm& engine_form_of(const Node& node) {
  static const EngineForm none{.op_type = "", .domain = ""};
  for (const EngineForm& form : all_engine_forms())
    if (node.op_type == form.op_type && node.domain == form.domain) return form;
  return none;
}

}  // namespace quantize
