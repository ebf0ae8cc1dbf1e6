// Timing models against each other: interleaved rounds, gated by a probe of what the CPU can do at the
// moment. Read measure().
#pragma once

#include <string>
#include <vector>

#include "cli/console.h"
#include "core/engine/engine.h"

namespace quantize {

struct BenchPlan {
  std::vector<std::string> files;
  std::vector<std::string> input_shapes;
  const KernelTable* kernels = nullptr;
  int threads = 1;
  size_t rounds = 10;
  bool layers = false;
};

/// One step of a model.
struct LayerTime {
  std::string name, op_type, shape, kernel;  // shape: of the output; kernel: "int8", "float" or "move"
  uint64_t macs = 0;
  double median_ms = 0;
};

/// What was measured of one model. Times of single inferences in milliseconds, over all accepted rounds.
struct ModelTime {
  std::string file;
  double median_ms = 0, min_ms = 0, p95_ms = 0;
  double ratio = 1, ratio_low = 1, ratio_high = 1;  // to the first model in the same round: median, quartiles
  double load_ms = 0, first_ms = 0;                 // reading and compiling; the first inference
  uint64_t macs = 0, memory_bytes = 0;              // of one inference; arena and packed weights' source
  bool is_int8 = false;                             // most of the work is on integers
  std::vector<LayerTime> layers;
};

struct BenchResult {
  std::vector<ModelTime> models;
  double peak_f32 = 0, peak_u8s8 = 0;  // best of the probes, multiply-accumulates per second of one thread
  size_t accepted_rounds = 0, noisy_rounds = 0;
};

/// Loads the models, warms up and measures. A round visits every model for a slot of about 30 ms; rounds
/// whose probes fall more than 3 % below the best are repeated, up to twice as many, and left out where
/// enough others remain. Errors: those of load_model and Engine; Error(kInvalidArgument) if an input's shape
/// is not known.
BenchResult measure(const BenchPlan& plan, Console& console);

}  // namespace quantize
