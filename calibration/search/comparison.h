// Running a reference and a candidate on the same samples and measuring how far apart they are.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "calibration/images/batches.h"
#include "calibration/images/sample_census.h"
#include "calibration/search/judgement.h"
#include "core/graph.h"
#include "kernels/kernel_table.h"

namespace quantize {

/// One output that both models have.
struct OutputComparison {
  std::string name;
  Deviation deviation;                        // of all samples together, lists aligned (Agreement::align)
  std::optional<double> median_sqnr_db = {};  // of single samples; nothing where half of them have none
  size_t reference_not_finite = 0;            // samples in which the output holds NaN or infinity
  size_t candidate_not_finite = 0;
  TaskFigures figures;  // by what the output means
};

/// Figures of two models on the same samples, output by output and of their top-1.
struct Comparison {
  size_t samples = 0;
  TopOne top1;
  size_t shown = 0;  // samples with labels of boxes or pixels
  /// The number to add to the labels so that most of the reference's classes are right; nothing if
  /// they are right as they stand, or none makes them so.
  std::optional<int64_t> likely_offset = {};
  std::vector<OutputComparison> outputs;  // in the order of the reference's
  std::vector<std::string> warnings;      // outputs that only one model has

  std::optional<double> agreement() const;  // percent, of the worst output that has one
  std::optional<double> sqnr_db() const;    // of the worst output
  std::optional<double> drop() const;       // of what the labels measure (top-1, AP, mean IoU), in points
};

/// Options of compare and compare_layers.
struct ComparisonOptions {
  int threads = 1;
  const KernelTable* kernels = nullptr;
  AskedTasks tasks = {};         // of outputs that are not named: told by the reference
  std::vector<Need> needs = {};  // refuse models without an output that has these meanings
  std::function<std::optional<int64_t>(size_t sample)> label = {};  // empty: there are no labels
  /// Labels of boxes or pixels; empty: there are none.
  std::function<std::shared_ptr<const Truth>(size_t sample)> truth = {};
  SampleCensus* census = nullptr;  // told of every sample that is compared; may be nullptr
  /// Told how many batches are done; never from two threads at once. An exception that it throws ends the
  /// run.
  std::function<void(size_t done, size_t of)> progress = {};
};

/// Runs both models on every sample and compares the outputs of the same name. Models that take codes get the
/// samples quantized. Figures do not depend on threads.
/// Errors: Error(kInvalidArgument) if the models' inputs or first outputs do not go together, if no output
/// means what `task` says, or if an agreement or classes are asked for and no output has them; those of
/// SampleSource::load, ComparisonOptions::truth and Engine::run.
Comparison compare(const Graph& reference, const Graph& candidate, const Batches& samples,
                   const ComparisonOptions& options);

/// One node of the reference whose result the candidate computes too.
struct LayerDeviation {
  std::string name, op_type;
  Deviation deviation;
};

/// One node of the reference whose result the candidate does not have.
struct MissingLayer {
  std::string name, op_type, reason;
};

/// Two models layer by layer.
struct LayerComparison {
  size_t samples = 0;
  std::vector<LayerDeviation> layers;  // in the order of the reference's nodes
  std::vector<MissingLayer> missing;
};

/// Most samples that layers are compared on, evenly spread.
constexpr size_t kMostLayerSamples = 64;

/// Compares what the nodes of the opened reference compute with the candidate's values of the same name:
/// behind QuantizeLinear and DequantizeLinear where it has them, or the codes called NAME_quantized, brought
/// back to reals. Both models run without fusion, which would leave out values, so that errors may differ
/// from those of compare() in their last digits. Errors: those of compare().
LayerComparison compare_layers(const Graph& reference, const Graph& candidate, const Batches& samples,
                               const ComparisonOptions& options);

}  // namespace quantize
