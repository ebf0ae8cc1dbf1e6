// Ranges and means of values: all that calibration tells the plan.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/quant_params.h"

namespace quantize {

/// Mean of a Conv's input per input channel and kernel tap, over samples and output positions, zero padding
/// included: mean[c * taps + t], t = ky * kernel_w + kx.
struct TapMeans {
  size_t taps = 0;
  std::vector<double> mean;
};

/// A range that a value could have.
struct RangeCandidate {
  std::string method;
  Range range;
  double error = 0;  // of the results of the value's readers, as a share of their energy
};

/// A value of whole numbers of [0, 255], of which preprocessing made the image, per channel:
///
///   image = scale * (byte - zero)
///
/// A zero need not be whole.
struct ImageBytes {
  std::string image;  // the name of its value
  std::vector<double> scale, zero;
};

/// One value's entry. Keyed by name: names survive the passes, ids do not.
struct ValueRange {
  /// One, or one per channel.
  std::vector<Range> ranges;
  /// The range for codes of 16 bits, where the scheme may have such; nothing: that of 8 bits.
  std::optional<Range> range16 = {};
  /// The axis that counts the channels of everything below.
  int64_t channel_axis = 1;
  /// Mean of each channel; may be empty.
  std::vector<double> channel_mean;
  /// Smallest and largest element of each channel, as seen: neither clipped nor made to hold 0; may be empty.
  std::vector<Range> channel_ranges;
  /// NaN and infinite elements seen: such a value stays float.
  uint64_t non_finite = 0;
  /// For the bytes of an image: see read_pixels.
  std::optional<ImageBytes> bytes = {};
  /// Which calibrator decided: goes into the plan.
  std::string method;
  /// True if choose_ranges took another range than the first table has.
  bool by_readers = false;
  /// The ranges that were compared, if any; that of the method first.
  std::vector<RangeCandidate> candidates;
};

/// Ranges and means of all values that were observed.
struct RangeTable {
  std::map<std::string, ValueRange> values;
  std::map<std::string, TapMeans> tap_means;  // by the name of the Conv's output value

  const ValueRange* find(const std::string& name) const {
    const auto found = values.find(name);
    return found == values.end() ? nullptr : &found->second;
  }
};

}  // namespace quantize
