// The sentences. Names stand in single quotes: reports group reasons by what is left without them.
#include "core/quantization/reasons.h"

#include <algorithm>
#include <iterator>

#include "core/error.h"

namespace quantize {

namespace {

/// With {} where a detail belongs.
struct Sentence {
  Cause cause;
  const char* text;
};
constexpr Sentence kSentences[] = {
    {Cause::kNotIncluded, "not among the nodes to include"},
    {Cause::kExcludedByName, "excluded by its name"},
    {Cause::kToMeetBound, "in float to meet the bound on the loss"},
    {Cause::kNotOfTypes, "not among the operator types to quantize"},
    {Cause::kExcludedByType, "excluded by its operator type"},
    {Cause::kNoKernel, "{} has no integer kernel for it"},
    {Cause::kNoAbsorber, "stands behind no integer operator that could absorb it"},
    {Cause::kWeightsOnLeft, "its weights stand on the left"},
    {Cause::kTwoActivations, "multiplies two activations, which attention needs exact"},
    {Cause::kNoMatrix, "its weights are not one matrix or kernel"},
    {Cause::kWeightsNotFinite, "its weights are not finite f32 numbers"},
    {Cause::kTransposed, "transposes its activations (transA)"},
    {Cause::kScaled, "scales its product or bias (alpha, beta)"},
    {Cause::kBiasComputed, "its bias is computed"},
    {Cause::kBiasByRow, "its bias differs between rows"},
    {Cause::kBiasNotFinite, "its bias is not finite"},
    {Cause::kWeightsDisabled, "its weights are left in float by their override"},
    {Cause::kReadsConstant, "reads the constant '{}'"},
    {Cause::kInputType, "its input '{}' is {}, not f32"},
    {Cause::kOutputType, "has an output of type {}"},
    {Cause::kSumsOfCodes, "its sums could leave s32: it adds up {} codes"},
    {Cause::kSums, "its sums could leave s32: {}"},
    {Cause::kOtherMode, "{} has no integer kernel for it; --mode {} makes its weights smaller"},
    {Cause::kNothingToStore, "it has no constant weights of f32"},
    {Cause::kNotSmaller, "its codes and scales would take no less than its weights"},
    {Cause::kNoDynamic, "{} does not compute it on codes of dynamic ranges"},
    {Cause::kDynamicLayout, "{} takes the steps of its sequence on the first axis alone (layout)"},
    {Cause::kDynamicDepthwise,
     "its channels are apart (depthwise), so that one dynamic scale for all of them would be too coarse"},
    {Cause::kModeFloat, "in float by its mode"},
    {Cause::kInputFloat, "its input '{}' stays float: {}"},
    {Cause::kInputComputed, "its input '{}' is computed in float"},
    {Cause::kOutputFloat, "its output '{}' stays float: {}"},
    {Cause::kOtherType, "its input '{}' is of another integer type than its output"},
    {Cause::kNoTypes, "{} does not multiply the type of its input by that of its weights"},
    {Cause::kMakesResults, "computes results, which are not rounded once more"},
    {Cause::kNoReader, "no integer operator reads its output"},
    {Cause::kNoSharedScale, "its input '{}' cannot have the scale of its output, which {} wants"},
    {Cause::kFloatBeforeClamp, "{} computes the layer before '{}' in float; '{}' stays because {}"},
    {Cause::kNo16BitKernel, "{} has its integer kernel for activations of 8 bits alone"},
    {Cause::k16BitsInFloat, "{} computes in float between codes of 16 bits"},
    {Cause::kReadsStored, "its stored weights are read as f32"},
    {Cause::kNoNarrowForm, "it is not known to run in 16 bits"},
    {Cause::kWideOperator, "its sums, powers or decisions need f32"},
    {Cause::kNotFiniteValue, "'{}' was NaN or infinite in calibration"},
    {Cause::kTooLarge, "'{}' reaches {}, too near to the largest number of 16 bits"},
    {Cause::kTooSmall, "'{}' is {}, for which 16 bits have too few digits"},
    {Cause::kAloneInWide, "no node beside it is of 16 bits"},
    {Cause::kIntegerKernel, "integer kernel of {}"},
    {Cause::kApplied, "applied by '{}' before it rounds"},
    {Cause::kAdded, "added by '{}' before it rounds"},
    {Cause::kImplied, "implied by the range of '{}'"},
    {Cause::kNotImplied, "the codes of '{}' reach beyond its bounds"},
    {Cause::kDoneByScales, "done by the scales and zero points of '{}'"},
    {Cause::kDynamic, "integers of {} with ranges of each run"},
    {Cause::kStored, "computes on reals; its weights are stored in {}"},
    {Cause::kMethod, "{}"},
    {Cause::kWholeResult, "max, as for all results"},
    {Cause::kOverridden, "{}, changed by its override"},
    {Cause::kFixed, "fixed by {} for the result of every {}"},
    {Cause::kKnown, "a scale that was given"},
    {Cause::kByChannel, "a scale per channel, as only depthwise convolutions read it: {}"},
    {Cause::kHandedOn, "scale of '{}', handed on by '{}'"},
    {Cause::kMadeOne, "scale of '{}', which '{}' makes of it"},
    {Cause::kNotNeeded, "no integer operator needs it"},
    {Cause::kDisabled, "left in float by its override"},
    {Cause::kUnseen, "calibration saw nothing of it"},
    {Cause::kNotFinite, "{} of its elements were NaN or infinite in calibration"},
    {Cause::kNoRange, "calibration found no range for it"},
    {Cause::kOwnOverride, "its override keeps it from sharing the scale of '{}'"},
    {Cause::kNoisyChannels,
     "rounded to steps of {}, its channels would have {} noise (limit {}); its narrowest channel "
     "spans {} steps"},
    {Cause::kNoisyResult,
     "rounded to steps of {}, it would add {} noise to the result of '{}' (limit {}); its narrowest "
     "channel spans "
     "{} steps"},
};

}  // namespace

std::string with_words(const std::string& sentence, std::span<const std::string> words) {
  std::string text;
  auto next = words.begin();
  for (size_t at = 0; at < sentence.size(); ++at) {
    if (sentence.compare(at, 2, "{}") != 0) {
      text += sentence[at];
      continue;
    }
    if (next == words.end()) throw Error(ErrorKind::kInternal, "a reason lacks a detail");
    text += *next++;
    ++at;
  }
  if (next != words.end()) throw Error(ErrorKind::kInternal, "a reason has a detail too many");
  return text;
}

std::string text_of(Cause cause, std::initializer_list<std::string> details) {
  const auto sentence = std::find_if(std::begin(kSentences), std::end(kSentences),
                                     [&](const Sentence& each) { return each.cause == cause; });
  if (sentence == std::end(kSentences)) throw Error(ErrorKind::kInternal, "a cause has no sentence");
  return with_words(sentence->text, std::span(details.begin(), details.size()));
}

}  // namespace quantize
