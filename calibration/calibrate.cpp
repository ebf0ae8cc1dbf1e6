// The calibration run: load, run, forget, on every thread.
#include "calibration/calibrate.h"

#include <atomic>
#include <mutex>

#include "calibration/statistics_collector.h"
#include "core/engine/engine.h"
#include "core/error.h"
#include "core/parallel.h"

namespace quantize {

StatisticsTable calibrate(const Graph& graph, size_t count, const SampleLoader& load,
                          const CalibrateOptions& options) {
  const KernelTable& kernels = options.kernels == nullptr ? best_kernels() : *options.kernels;
  Engine engine(graph, {.kernels = &kernels, .keep = values_to_observe(graph)});
  StatisticsCollector collector(graph, kernels);
  StatisticsTable table;
  table.model = fingerprint(graph);
  table.preprocessing = options.preprocessing;
  std::mutex mutex;
  size_t done = 0;
  parallel_for(count, options.threads, [&](size_t i, int) {
    const auto sample = load(i);
    if (sample) engine.run(*sample, &collector);
    const std::lock_guard lock(mutex);
    if (sample) ++table.samples;
    if (options.progress) options.progress(++done);
  });
  if (table.samples == 0)
    throw Error(ErrorKind::kCalibration,
                "no sample could be used for calibration; give at least one good image");
  collector.take(table);
  return table;
}

}  // namespace quantize
