// Running a reference and a candidate on the same samples and measuring how far apart they are.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "calibration/deviation.h"
#include "cli/samples.h"
#include "core/graph.h"

namespace quantize {

/// One node of the reference whose result the candidate computes too.
struct LayerDeviation {
  std::string name, op_type;
  Deviation deviation;
};

struct Comparison {
  size_t samples = 0;
  size_t agreeing = 0;  // samples whose best class of the first output is the same
  size_t labelled = 0;  // samples with a label
  size_t reference_right = 0, candidate_right = 0;  // of those
  std::map<std::string, Deviation> outputs;         // by the name of the output
  std::vector<LayerDeviation> layers;               // in the order of the reference's nodes

  double agreement() const;       // percent
  double reference_top1() const;  // percent; of labelled samples
  double candidate_top1() const;
};

struct ComparisonOptions {
  int threads = 1;
  const KernelTable* kernels = nullptr;
  bool layers = false;
  std::map<std::string, int64_t> labels;  // by the name of the sample, or its last part
};

/// Runs both models on every sample. The reference's value 'x' is compared with the candidate's 'x', behind
/// QuantizeLinear and DequantizeLinear where it has them.
/// Errors: Error(kInvalidArgument) if the models' inputs or outputs do not go together.
Comparison compare(const Graph& reference, const Graph& candidate, SampleSource& source,
                   const ComparisonOptions& options, const Console& console);

/// Reads lines "image-name class-index". Errors: Error(kIo), Error(kInvalidArgument) naming the line.
std::map<std::string, int64_t> read_labels(const std::string& path, int64_t offset);

/// The label of a sample, by its path below the directory or by its file's name.
std::optional<int64_t> label_of(const std::map<std::string, int64_t>& labels, const std::string& sample);

}  // namespace quantize
