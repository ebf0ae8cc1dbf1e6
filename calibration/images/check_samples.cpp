// Comparing a list of samples with those that statistics hold. Read check_samples() at the end.
#include "calibration/images/check_samples.h"

#include <algorithm>
#include <map>

#include "core/error.h"

namespace quantize {
namespace {

constexpr size_t kCompared = 256;

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorKind::kCalibration, "the statistics were made from other samples: " + what +
                                           "; calibrate again, or ask for the same samples");
}

/// Compares bytes; samples that could not be used have no content to compare.
void check_contents(const SampleSource& source, const SampleRange& range,
                    const std::map<uint64_t, uint64_t>& contents_by_name) {
  for (const size_t place : spread_evenly(kCompared, range.end - range.begin)) {
    const size_t i = range.begin + place;
    const auto found = contents_by_name.find(source.name_hash(i));
    if (found == contents_by_name.end() || found->second == 0) continue;
    if (source.content_hash(i) != found->second) refuse("'" + source.name(i) + "' has changed since");
  }
}

}  // namespace

void check_samples(const HeldSamples& held, const SampleSource& source, const SampleRange& range) {
  std::map<uint64_t, uint64_t> contents;
  const auto list = held.find(source.list_hash());
  size_t count = 0;
  for (const auto& [hash, each] : held) {
    if (list != held.end() && hash != list->first) continue;
    count += each.samples.size();
    for (const HeldSample& sample : each.samples) contents[sample.name] = sample.content;
  }
  for (size_t i = range.begin; i < range.end; ++i)
    if (!contents.contains(source.name_hash(i))) refuse("'" + source.name(i) + "' is not among them");
  const size_t asked = range.end - range.begin;
  if (count != asked)
    refuse("they hold " + std::to_string(count) + ", and " + std::to_string(asked) +
           (asked == 1 ? " is" : " are") + " asked for");
  check_contents(source, range, contents);
  if (list == held.end()) refuse("a file has another size");
}

}  // namespace quantize
