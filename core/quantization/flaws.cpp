#include "core/quantization/flaws.h"

#include <algorithm>
#include <iterator>

#include "core/error.h"

namespace quantize {

namespace {

using enum FlawLevel;

constexpr const char* kQuantizeIt = "quantize the FP32 model for this target";
constexpr const char* kAddPair =
    "put a QuantizeLinear and a DequantizeLinear of the same scale on this value";

constexpr FlawRule kRules[] = {
    {Flaw::kOpset, kError, "opset", "{} does not take opset {}, but {} to {}",
     "convert the FP32 model to such an opset and quantize it again"},
    {Flaw::kNoKernel, kNote, "no-kernel", "{} has no integer kernel for it", ""},
    {Flaw::kForm, kNote, "no-kernel-for-form", "{} has an integer kernel for other forms of it alone", ""},
    {Flaw::kNoReals, kNote, "no-reals", "'{}' is {}, not f32", ""},
    {Flaw::kCodesOperator, kWarning, "operator-of-codes",
     "{} reads QuantizeLinear and DequantizeLinear, not this operator of codes",
     "write the model with --format qdq"},
    {Flaw::kNoAbsorber, kNote, "no-absorber", "stands behind no integer operator that takes it in", ""},
    {Flaw::kReadsReals, kWarning, "reads-reals", "reads '{}' as reals: no DequantizeLinear makes it",
     kQuantizeIt},
    {Flaw::kIncomplete, kWarning, "incomplete-island",
     "reads '{}' as reals and the other operand from a DequantizeLinear", kAddPair},
    {Flaw::kWeightsReal, kWarning, "weights-in-reals", "its weights '{}' are reals",
     "write them as codes behind a DequantizeLinear"},
    {Flaw::kUnknownScale, kWarning, "unknown-scale",
     "scale and zero point of '{}' are no constants of one type of 8 bits", "write them as initializers"},
    {Flaw::kTypes, kWarning, "types", "{} does not multiply {} by {}", kQuantizeIt},
    {Flaw::k16Bits, kNote, "16-bits", "{} computes in float between codes of 16 bits, as those of '{}'",
     "give it activations of 8 bits"},
    {Flaw::kZeroPoint, kWarning, "zero-point",
     "the zero point of '{}' is not in the middle of its codes, as {} wants it", kQuantizeIt},
    {Flaw::kScaleGrid, kWarning, "scale-grid", "the scale of '{}' is no power of two, as {} wants it",
     kQuantizeIt},
    {Flaw::kScaleByChannel, kWarning, "scale-per-channel", "'{}' has a scale per channel",
     "give it one scale"},
    {Flaw::kWeightAxis, kWarning, "weight-axis",
     "the scales of its weights '{}' are not one, or one for each output channel where it takes that",
     kQuantizeIt},
    {Flaw::kBiasForm, kWarning, "bias-form", "its bias '{}' is not as {} takes it: {}", kQuantizeIt},
    {Flaw::kBiasScale, kWarning, "bias-scale",
     "the scale of its bias '{}' is not that of its input times that of its weights",
     "round the bias with that scale"},
    {Flaw::kReadAsReals, kWarning, "read-as-reals",
     "its output '{}' is read as reals, too, or is a result of the network",
     "let all readers read it behind one QuantizeLinear and DequantizeLinear"},
    {Flaw::kNoQuantize, kWarning, "no-quantize", "no QuantizeLinear reads its output '{}'", kAddPair},
    {Flaw::kClampStays, kWarning, "clamp-stays",
     "{} does not take in '{}' behind it: the codes reach beyond its bounds",
     "take a zero point that makes the bound the first or last code"},
    {Flaw::kScalesDiffer, kWarning, "scales-differ",
     "'{}' and '{}' have other scales or zero points, and it hands codes on", "give both the same"},
    {Flaw::kFixedScale, kWarning, "fixed-scale", "its output '{}' does not have scale {} and zero point {}",
     kQuantizeIt},
    {Flaw::kOtherCodes, kWarning, "other-codes", "'{}' and '{}' are codes of other types",
     "give both the same type"},
};

}  // namespace

std::span<const FlawRule> flaw_rules() {
  return kRules;
}

const FlawRule& rule_of(Flaw flaw) {
  const auto rule = std::find_if(std::begin(kRules), std::end(kRules),
                                 [&](const FlawRule& each) { return each.flaw == flaw; });
  if (rule == std::end(kRules)) throw Error(ErrorKind::kInternal, "a flaw has no rule");
  return *rule;
}

}  // namespace quantize
