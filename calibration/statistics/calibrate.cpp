// The calibration run: load, run, forget, on every thread. Read calibrate().
#include "calibration/statistics/calibrate.h"

#include <map>
#include <mutex>

#include "calibration/statistics/statistics_collector.h"
#include "core/engine/engine.h"
#include "core/error.h"
#include "core/parallel.h"

namespace quantize {

namespace {

/// Hands the values of one sample on and keeps the names of those that are not finite.
class SampleObserver : public ExecutionObserver {
 public:
  SampleObserver(const Graph& graph, uint64_t position, StatisticsCollector& collector)
      : graph_(graph), position_(position), collector_(collector) {}
  void on_value(ValueId id, const TensorView& value) override {
    if (!collector_.add(position_, id, value)) non_finite.push_back(graph_.value(id).name);
  }
  std::vector<std::string> non_finite;

 private:
  const Graph& graph_;
  const uint64_t position_;
  StatisticsCollector& collector_;
};

/// One run over all samples. Returns the names of values that were not finite, per sample that has any.
std::map<size_t, std::vector<std::string>> run_once(const Graph& graph, size_t count,
                                                    const SampleLoader& load, const CalibrateOptions& options,
                                                    StatisticsTable& table) {
  const KernelTable& kernels = options.kernels == nullptr ? best_kernels() : *options.kernels;
  Engine engine(graph, {.kernels = &kernels, .keep = values_to_observe(graph)});
  StatisticsCollector collector(graph, kernels, options.known);
  std::map<size_t, std::vector<std::string>> non_finite;
  std::mutex mutex;
  size_t done = 0;
  parallel_for(count, options.threads, [&](size_t place, int) {
    const size_t i = options.begin + place;
    const auto sample = load(i);
    SampleObserver observer(graph, options.order.first + i * options.order.step, collector);
    if (sample) {
      const std::vector<Tensor> outputs = engine.run(*sample, &observer);
      if (options.census != nullptr) options.census->add(i, *sample, outputs);
      if (options.outputs != nullptr) options.outputs->add(i, outputs);
    }
    const std::lock_guard lock(mutex);
    if (sample) ++table.samples;
    if (!observer.non_finite.empty()) non_finite[i] = std::move(observer.non_finite);
    if (options.progress) options.progress(++done);
  });
  collector.take(table);
  return non_finite;
}

}  // namespace

StatisticsTable calibrate(const Graph& graph, size_t count, const SampleLoader& load,
                          const CalibrateOptions& options) {
  for (;;) {
    StatisticsTable table;
    table.model = fingerprint(graph);
    table.preprocessing = options.preprocessing;
    if (options.census != nullptr) options.census->clear();
    const auto non_finite = run_once(graph, count, load, options, table);
    if (table.samples == 0 && !options.is_part)
      throw Error(ErrorKind::kCalibration,
                  "no sample could be used for calibration; give at least one good image");
    const auto overflowing = options.overflowing == nullptr ? overflowing_samples(non_finite, table.samples)
                                                            : samples_with(non_finite, *options.overflowing);
    if (overflowing.empty() || !options.reject) return table;
    for (const auto& [sample, value] : overflowing) options.reject(sample, overflow_reason(value));
  }
}

}  // namespace quantize
