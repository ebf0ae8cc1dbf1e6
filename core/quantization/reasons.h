// Why the plan has each node and value as it is: the causes, and the one place that words them. Decisions never read the
// words.
#pragma once

#include <initializer_list>
#include <span>
#include <string>

namespace quantize {

/// The cause of a decision about a node or a value. Behind each stand the words of its sentence, in order.
enum class Cause {
  // Nodes that the user leaves out
  kNotIncluded,
  kExcludedByName,
  kToMeetBound,
  kNotOfTypes,
  kExcludedByType,
  // Nodes that cannot become integer
  kNoKernel,  // target
  kNoAbsorber,
  kWeightsOnLeft,
  kTwoActivations,
  kNoMatrix,
  kWeightsNotFinite,
  kTransposed,
  kScaled,
  kBiasComputed,
  kBiasByRow,
  kBiasNotFinite,
  kWeightsDisabled,
  kReadsConstant,  // value
  kInputType,      // value, type
  kOutputType,     // type
  kSumsOfCodes,    // how many codes
  kSums,           // the bound
  kOtherMode,      // target, modes
  kNothingToStore,
  kNotSmaller,
  kNoDynamic,      // target
  kDynamicLayout,  // target
  kDynamicDepthwise,
  kModeFloat,
  // Nodes that stay float for what they read or make
  kInputFloat,     // value, its reason
  kInputComputed,  // value
  kOutputFloat,    // value, its reason
  kOtherType,      // value
  kNoTypes,        // target
  kMakesResults,
  kNoReader,
  kNoSharedScale,     // value, target
  kFloatBeforeClamp,  // target, clamp, clamp, its reason
  kNo16BitKernel,     // target
  k16BitsInFloat,     // target
  // Float nodes that stay f32 where the rest is of 16 bits
  kReadsStored,
  kNoNarrowForm,
  kWideOperator,
  kNotFiniteValue,  // value
  kTooLarge,        // value, number
  kTooSmall,        // value, number
  kAloneInWide,
  // Nodes that are integer, or a part of one
  kIntegerKernel,  // target
  kApplied,        // node
  kAdded,          // node
  kImplied,        // value
  kNotImplied,     // value
  kDoneByScales,   // value
  kDynamic,        // target
  kStored,         // how
  // Values
  kMethod,  // method
  kWholeResult,
  kOverridden,  // what the range was before
  kFixed,       // target, operator
  kKnown,
  kByChannel,  // why one scale will not do
  kHandedOn,   // value, node
  kMadeOne,    // value, node
  kNotNeeded,
  kDisabled,
  kUnseen,
  kNotFinite,  // how many elements
  kNoRange,
  kOwnOverride,    // value
  kNoisyChannels,  // step, share, limit, steps
  kNoisyResult,    // step, share, node, limit, steps
};

/// A sentence with a word in the place of each {}. Requires: as many as there are.
std::string with_words(const std::string& sentence, std::span<const std::string> words);

/// The sentence of a cause with these details put in.
/// Requires: as many as it names.
std::string text_of(Cause cause, std::initializer_list<std::string> details = {});

}  // namespace quantize
