// One pass over an activation for its extremes and means, one for its histogram.
#include "calibration/statistics/tensor_statistics.h"

#include <algorithm>
#include <cmath>

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

/// Channels that are planes: each is read as a whole.
void summarize_planes(const float* x, const ChannelLayout& layout, const KernelTable& kernels,
                      std::vector<ChannelStatistics>& channels, std::vector<double>& sums) {
  for (size_t o = 0; o < layout.outer; ++o) {
    for (size_t c = 0; c < layout.channels; ++c, x += layout.inner) {
      const MinMaxF32 found = kernels.minmax_f32(x, layout.inner);
      channels[c].min = std::min(channels[c].min, found.min + 0.0f);  // -0 + 0 is 0
      channels[c].max = std::max(channels[c].max, found.max + 0.0f);
      sums[c] += sum_of(x, layout.inner);
    }
  }
}

/// Channels that are single elements, side by side.
void summarize_rows(const float* x, const ChannelLayout& layout, std::vector<ChannelStatistics>& channels,
                    std::vector<double>& sums) {
  for (size_t o = 0; o < layout.outer; ++o, x += layout.channels) {
    for (size_t c = 0; c < layout.channels; ++c) {
      channels[c].min = std::min(channels[c].min, x[c] + 0.0f);
      channels[c].max = std::max(channels[c].max, x[c] + 0.0f);
      sums[c] += double{x[c]};
    }
  }
}

std::vector<ChannelStatistics> summarize_channels(const float* x, const ChannelLayout& layout,
                                                  const KernelTable& kernels) {
  std::vector<ChannelStatistics> channels(layout.channels);
  std::vector<double> sums(layout.channels);
  if (layout.inner == 1)
    summarize_rows(x, layout, channels, sums);
  else
    summarize_planes(x, layout, kernels, channels, sums);
  const auto elements = static_cast<double>(layout.outer * layout.inner);
  for (size_t c = 0; c < layout.channels; ++c) channels[c].mean_sum.add(sums[c] / elements);
  return channels;
}

}  // namespace

std::vector<ChannelStatistics> summarize_channels(const TensorView& value, size_t axis,
                                                  const KernelTable& kernels) {
  return summarize_channels(value.as<float>(), layout_of(value.shape, axis), kernels);
}

double sum_of(const float* x, size_t n) {
  double sums[8] = {};
  size_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (size_t j = 0; j < 8; ++j) sums[j] += double{x[i + j]};
  for (size_t j = 0; i + j < n; ++j) sums[j] += double{x[i + j]};
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
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
  const MinMaxF32 found = kernels.minmax_f32(x, size);
  const float magnitude = std::max(-found.min, found.max);
  TensorStatistics& rest = summary.rest;
  if (found.non_finite != 0 || magnitude >= static_cast<float>(ExactSum::kLimit)) {
    rest.non_finite = count_non_finite(x, size);
    return summary;
  }
  rest.samples = 1;
  rest.min = found.min + 0.0f;
  rest.max = found.max + 0.0f;
  rest.min_sum.add(double{rest.min});
  rest.max_sum.add(double{rest.max});
  rest.recent.samples = {{position, rest.min, rest.max}};
  const size_t rank = value.shape.size();
  if (!axis || *axis >= rank) axis = default_channel_axis(rank);
  if (axis) {
    rest.channel_axis = static_cast<uint32_t>(*axis);
    rest.channels = summarize_channels(value, *axis, kernels);
  }
  summary.exponent = Histogram::exponent_for(magnitude);
  const float inv_bin_width = std::ldexp(1.0f, -summary.exponent);
  summary.used_bins = static_cast<size_t>(magnitude * inv_bin_width) + 1;
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
