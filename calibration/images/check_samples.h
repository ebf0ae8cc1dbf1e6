// Are these the samples that statistics were made from?
#pragma once

#include "calibration/images/held_samples.h"
#include "calibration/images/sample_source.h"

namespace quantize {

/// Makes sure that statistics hold these samples of `source`, all of them and of their list no others; samples
/// of other lists may be there too (merge). Nothing is decoded: names and sizes of the whole list count, and
/// the bytes of up to 256 samples, spread evenly. Errors: Error(kCalibration) saying what differs: a new,
/// changed or missing sample, or their number; those of SampleSource::content_hash.
void check_samples(const HeldSamples& held, const SampleSource& source, const SampleRange& range);
inline void check_samples(const HeldSamples& held, const SampleSource& source) {
  check_samples(held, source, source.whole());
}

}  // namespace quantize
