// Timing models against each other: interleaved rounds, gated by a probe of what the CPU can do at the
// moment. Read measure().
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "cli/console.h"
#include "core/engine/engine.h"

namespace quantize {

/// Options of a measurement: models and how they are run.
struct BenchPlan {
  std::vector<std::string> files;
  std::vector<std::string> input_shapes;
  const KernelTable* kernels = nullptr;
  int threads = 1;
  size_t rounds = 10;
  bool layers = false;
  uint64_t max_memory = std::numeric_limits<uint64_t>::max();  // bytes of all models together
};

/// One step of a model.
struct LayerTime {
  std::string name, op_type, shape;  // shape: of the output
  std::string kernel;                // "int8", "float", "convert" between the two, or "other"
  uint64_t macs = 0;
  double median_ms = 0;
};

/// The measurement of one model. Times of single inferences in milliseconds, over all accepted rounds.
struct ModelTime {
  std::string file;
  double median_ms = 0, min_ms = 0, p95_ms = 0;
  double ratio = 1, ratio_low = 1, ratio_high = 1;  // to the first model in the same round: median, quartiles
  int64_t batch = 1;                                // samples of one inference
  double load_ms = 0, first_ms = 0;                 // reading and compiling; the first inference
  uint64_t macs = 0, memory_bytes = 0;              // of one inference: work, and room for its values
  std::optional<uint64_t> model_bytes;              // on disk
  bool is_int8 = false;                             // most of the work is on integers
  std::vector<LayerTime> layers;
};

/// Times of all models, and how quiet the CPU was.
struct BenchResult {
  std::vector<ModelTime> models;
  double peak_f32 = 0, peak_u8s8 = 0;  // best of the probes, multiply-accumulates per second of one thread
  size_t rounds = 0;                   // that count: as many as asked for
  size_t repeated_rounds =
      0;                    // that were run beyond these, as the CPU was busy; the slower ones do not count
  size_t noisy_rounds = 0;  // of those that count: with a busy CPU all the same
  size_t inferences = 0, alone = 0;  // all that were timed; those that one thread did, for want of free CPUs
};

/// A step that costs more on integers than on floats.
struct SlowerStep {
  std::string name;
  double int8_ms = 0, float_ms = 0;
};

/// The steps of the same name in both models, both measured with layers, that are int8 in one, float in the
/// other, and slower on int8 by more than a tenth and a microsecond; the worst first.
std::vector<SlowerStep> slower_steps(const ModelTime& float_model, const ModelTime& int8_model);

/// Loads the models, warms up and measures. A round visits every model for a slot of about 30 ms; for rounds
/// whose probes fall more than 3 % below the best others are run, up to as many again, and the ones with the
/// best probes count. Errors: those of load_model and Engine; Error(kInvalidArgument) if an input's shape is
/// not known; Error(kUnsupported) if the models need more than plan.max_memory.
BenchResult measure(const BenchPlan& plan, Console& console);

}  // namespace quantize
