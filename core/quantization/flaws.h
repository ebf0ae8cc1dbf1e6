// Why a runtime does not compute a node on integers: the flaws, and the one place that names and words them.
#pragma once

#include <span>

namespace quantize {

/// How much a finding matters.
enum class FlawLevel {
  kNote,     // the runtime has no integer kernel for the node: nothing in the file would change it
  kWarning,  // it has one, and the file keeps the node from it
  kError,    // the runtime does not take the file
};

/// The flaws of a node, or of the file. Behind each stand the words of its sentence, in order.
enum class Flaw {
  kOpset,           // target, opset, lowest, highest
  kNoKernel,        // target
  kForm,            // target
  kNoReals,         // value, type
  kCodesOperator,   // target
  kNoAbsorber,      //
  kReadsReals,      // value
  kIncomplete,      // value
  kWeightsReal,     // value
  kUnknownScale,    // value
  kTypes,           // target, type, type
  k16Bits,          // target, value
  kZeroPoint,       // value, target
  kScaleGrid,       // value, target
  kScaleByChannel,  // value
  kWeightAxis,      // value
  kBiasForm,        // value, target, type
  kBiasScale,       // value
  kReadAsReals,     // value
  kNoQuantize,      // value
  kClampStays,      // target, node
  kScalesDiffer,    // value, value
  kFixedScale,      // value, scale, zero point
  kOtherCodes,      // value, value
};

/// The facts that every finding of a flaw has.
struct FlawRule {
  Flaw flaw;
  FlawLevel level;
  const char* id;        // for machines, as "scales-differ"
  const char* sentence;  // with {} where a word belongs
  const char* remedy;    // what would mend it; "": nothing
};

/// All of them.
std::span<const FlawRule> flaw_rules();
/// The rule of a flaw.
const FlawRule& rule_of(Flaw flaw);

}  // namespace quantize
