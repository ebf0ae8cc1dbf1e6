// The two modes without weights of their own: static, whose nodes plan_quantization decides, and float.
#include "core/quantization/modes/mode.h"
#include "core/quantization/reasons.h"

namespace quantize {

namespace {

void stay_float(const ModeRequest&, const Node&, PlannedNode& planned) {
  planned.reason = text_of(Cause::kModeFloat);
}

}  // namespace

extern const Mode kStaticMode, kFloatMode;
const Mode kStaticMode{.name = "static",
                       .description = "integers of ranges that images showed",
                       .takes_ranges = true,
                       .takes_bits = true,
                       .on_codes = true};
const Mode kFloatMode{.name = "float", .description = "as it is", .plan = stay_float};

}  // namespace quantize
