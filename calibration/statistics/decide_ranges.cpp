// One calibrator call per value, spread over the threads.
#include "calibration/statistics/decide_ranges.h"

#include "calibration/statistics/calibrator.h"
#include "core/error.h"
#include "core/parallel.h"

namespace quantize {

namespace {

const Calibrator& calibrator_for(const QuantizationScheme& scheme, const std::string& value) {
  const ValueOverride* specific = find_override(scheme, value);
  return find_calibrator(specific != nullptr && specific->method ? *specific->method : scheme.method);
}

ValueRange decide(const TensorStatistics& statistics, const QuantizationScheme& scheme,
                  const std::string& name) {
  const Calibrator& calibrator = calibrator_for(scheme, name);
  ValueRange result;
  result.method = calibrator.name();
  result.non_finite = statistics.non_finite;
  if (statistics.samples == 0 || statistics.non_finite != 0) return result;
  result.ranges = {calibrator.compute_range(statistics, {activation_type(scheme, name), scheme.percentile})};
  if (may_have_16_bits(scheme))
    result.range16 =
        calibrator.compute_range(statistics, {activation_type(scheme, name, 16), scheme.percentile});
  if (!statistics.channels.empty()) result.channel_axis = statistics.channel_axis;
  for (const ChannelStatistics& channel : statistics.channels) {
    result.channel_mean.push_back(channel.mean_sum.value() / static_cast<double>(statistics.samples));
    result.channel_ranges.push_back({channel.min, channel.max});
  }
  return result;
}

TapMeans means_of(const TapStatistics& taps) {
  TapMeans result{.taps = taps.taps, .mean = {}};
  for (const ExactSum& sum : taps.mean_sums)
    result.mean.push_back(sum.value() / static_cast<double>(taps.samples));
  return result;
}

}  // namespace

RangeTable decide_ranges(const StatisticsTable& statistics, const QuantizationScheme& scheme, int threads) {
  find_calibrator(scheme.method);
  RangeTable table;
  std::vector<decltype(statistics.values)::const_pointer> sources;
  for (const auto& source : statistics.values) {
    sources.push_back(&source);
    table.values[source.first];
  }
  parallel_for(sources.size(), threads, [&](size_t i, int) {
    const std::string& name = sources[i]->first;
    with_context([&] { return "value '" + name + "'"; },
                 [&] { table.values.at(name) = decide(sources[i]->second, scheme, name); });
  });
  for (const auto& [name, taps] : statistics.taps)
    if (taps.samples != 0) table.tap_means[name] = means_of(taps);
  return table;
}

}  // namespace quantize
