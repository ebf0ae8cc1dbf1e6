// One pass over an activation for its extremes and means, one for its histogram.
#include "calibration/statistics/tensor_statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/fusion/channel_axes.h"

namespace quantize {

namespace {

/// A tensor as [outer][channels][inner].
struct ChannelLayout {
  size_t outer = 1, channels = 0, inner = 1;
};

ChannelLayout layout_of(Dims shape, size_t axis) {
  ChannelLayout layout;
  for (size_t i = 0; i < axis; ++i) layout.outer *= static_cast<size_t>(shape[i]);
  layout.channels = static_cast<size_t>(shape[axis]);
  for (size_t i = axis + 1; i < shape.size(); ++i) layout.inner *= static_cast<size_t>(shape[i]);
  return layout;
}

uint64_t count_non_finite(const float* x, size_t n) {
  return static_cast<uint64_t>(
      std::count_if(x, x + n, [](float v) { return !(std::abs(v) < static_cast<float>(ExactSum::kLimit)); }));
}

constexpr MinMaxF32 kNothing = {std::numeric_limits<float>::infinity(),
                                -std::numeric_limits<float>::infinity(), 0};

MinMaxF32 wider(const MinMaxF32& a, const MinMaxF32& b) {
  return {std::min(a.min, b.min), std::max(a.max, b.max), a.non_finite + b.non_finite};
}

/// Channels in the making.
struct ChannelSums {
  std::vector<MinMaxF32> ranges;
  std::vector<double> sums;

  explicit ChannelSums(size_t channels) : ranges(channels, kNothing), sums(channels) {}
};

/// Channels that are planes: each is read as a whole.
ChannelSums sum_planes(const float* x, const ChannelLayout& layout, const KernelTable& kernels) {
  ChannelSums result(layout.channels);
  for (size_t o = 0; o < layout.outer; ++o) {
    for (size_t c = 0; c < layout.channels; ++c, x += layout.inner) {
      const MinMaxSumF32 found = kernels.minmax_sum_f32(x, layout.inner);
      result.ranges[c] = wider(result.ranges[c], found.range);
      result.sums[c] += found.sum;
    }
  }
  return result;
}

/// Channels that are single elements, side by side. Requires: finite.
ChannelSums sum_rows(const float* x, const ChannelLayout& layout) {
  ChannelSums result(layout.channels);
  for (size_t o = 0; o < layout.outer; ++o, x += layout.channels) {
    for (size_t c = 0; c < layout.channels; ++c) {
      result.ranges[c].min = std::min(result.ranges[c].min, x[c] + 0.0f);  // -0 + 0 is 0
      result.ranges[c].max = std::max(result.ranges[c].max, x[c] + 0.0f);
      result.sums[c] += double{x[c]};
    }
  }
  return result;
}

std::vector<ChannelStatistics> channels_of(const ChannelSums& found, const ChannelLayout& layout) {
  std::vector<ChannelStatistics> channels(layout.channels);
  const auto elements = static_cast<double>(layout.outer * layout.inner);
  for (size_t c = 0; c < layout.channels; ++c) {
    channels[c].min = found.ranges[c].min;
    channels[c].max = found.ranges[c].max;
    channels[c].mean_sum.add(found.sums[c] / elements);
  }
  return channels;
}

}  // namespace

std::vector<ChannelStatistics> summarize_channels(const TensorView& value, size_t axis,
                                                  const KernelTable& kernels) {
  const ChannelLayout layout = layout_of(value.shape, axis);
  const auto* x = value.as<float>();
  return channels_of(layout.inner == 1 ? sum_rows(x, layout) : sum_planes(x, layout, kernels), layout);
}

SampleSummary summarize(const TensorView& value, uint64_t position, std::optional<size_t> axis,
                        const KernelTable& kernels) {
  SampleSummary summary;
  const auto size = static_cast<size_t>(value.size());
  if (size == 0) return summary;
  if (size > std::numeric_limits<uint32_t>::max())
    throw Error(ErrorKind::kUnsupported, "an activation of shape " + to_string(value.shape) +
                                             " has too many elements to calibrate; use smaller inputs");
  const auto* x = value.as<float>();
  const size_t rank = value.shape.size();
  if (!axis || *axis >= rank) axis = default_channel_axis(rank);
  const ChannelLayout layout = axis ? layout_of(value.shape, *axis) : ChannelLayout{};
  const bool has_planes = axis && layout.inner > 1;
  ChannelSums channels(0);
  if (has_planes) channels = sum_planes(x, layout, kernels);
  const MinMaxF32 found =
      has_planes ? std::accumulate(channels.ranges.begin(), channels.ranges.end(), kNothing, wider)
                 : kernels.minmax_f32(x, size);
  const float magnitude = std::max(-found.min, found.max);
  TensorStatistics& rest = summary.rest;
  if (found.non_finite != 0 || magnitude >= static_cast<float>(ExactSum::kLimit)) {
    rest.non_finite = count_non_finite(x, size);
    return summary;
  }
  rest.samples = 1;
  rest.min = found.min;
  rest.max = found.max;
  rest.min_sum.add(double{rest.min});
  rest.max_sum.add(double{rest.max});
  rest.recent.samples = {{position, rest.min, rest.max}};
  if (axis) {
    rest.channel_axis = static_cast<uint32_t>(*axis);
    rest.channels = channels_of(has_planes ? channels : sum_rows(x, layout), layout);
  }
  summary.exponent = Histogram::exponent_for(magnitude);
  const float inv_bin_width = std::ldexp(1.0f, -summary.exponent);
  summary.used_bins = static_cast<size_t>(magnitude * inv_bin_width) + 1;
  std::fill_n(summary.counts.begin(), 2 * Histogram::kBins, 0);
  summary.zeros = kernels.histogram_f32(x, size, inv_bin_width, summary.counts.data(), 2 * Histogram::kBins);
  return summary;
}

void TensorStatistics::add(const SampleSummary& sample) {
  add(sample.rest);
  histogram.zeros += sample.zeros;
  histogram.add(sample.counts, sample.exponent, sample.used_bins);
}

void TensorStatistics::add(const TensorStatistics& other) {
  if (samples + other.samples > ExactSum::kMaxTerms)
    throw Error(ErrorKind::kCalibration,
                "statistics hold at most " + std::to_string(ExactSum::kMaxTerms) + " samples; use fewer");
  non_finite += other.non_finite;
  if (other.samples == 0) return;
  if (samples == 0) {
    channels.resize(other.channels.size());
    channel_axis = other.channel_axis;
  }
  samples += other.samples;
  min = std::min(min, other.min);
  max = std::max(max, other.max);
  min_sum.add(other.min_sum);
  max_sum.add(other.max_sum);
  recent.add(other.recent);
  histogram.add(other.histogram);
  channels_vary = channels_vary || other.channels_vary || channels.size() != other.channels.size() ||
                  channel_axis != other.channel_axis;
  if (channels_vary) {
    channels.clear();
    channel_axis = 0;
  }
  for (size_t c = 0; c < channels.size(); ++c) {
    channels[c].min = std::min(channels[c].min, other.channels[c].min);
    channels[c].max = std::max(channels[c].max, other.channels[c].max);
    channels[c].mean_sum.add(other.channels[c].mean_sum);
  }
}

}  // namespace quantize
