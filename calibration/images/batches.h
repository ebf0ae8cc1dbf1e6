// Samples in the batches that a model takes.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "calibration/images/sample_source.h"
#include "core/graph.h"

namespace quantize {

/// The batch that a model is fixed to: the first extent that all its inputs have in common; 1 if they have
/// none, leave it open, or differ.
int64_t fixed_batch(const Graph& graph);

/// The inputs of a model for one sample: those of a fixed batch with a first extent of 1.
std::vector<Value> sample_inputs(const Graph& graph);

/// The results of row i of a batch: that row of an output whose first extent, or else second extent, is the
/// batch; any other output whole.
std::vector<Tensor> row_of(const std::vector<Tensor>& outputs, size_t i, int64_t batch);

/// Cuts the samples of a source, each of a batch of 1 (see sample_inputs), into the batches of a model. The
/// rows that the last batch lacks, and those of images that cannot be used, are filled with samples of the
/// same batch.
class Batches {
 public:
  /// `batch` >= 1: see fixed_batch. The source must outlive this object.
  Batches(SampleSource& source, int64_t batch);

  size_t count() const { return chosen_.size(); }
  size_t sample_count() const { return source_.count(); }

  /// At most so many of the batches, evenly spread.
  Batches spread(size_t most) const;

  struct Batch {
    std::vector<Tensor> inputs;  // of the model
    size_t first = 0;            // row i is sample first + i of the source
    std::vector<size_t> rows;    // that are samples; the others are filled
  };
  /// Nothing if no sample of the batch can be used. Errors: those of SampleSource::load; Error(kCalibration)
  /// if samples of one batch differ in shape. Thread-safe.
  std::optional<Batch> load(size_t i) const;

  /// None of the samples of the batch is to be used. Errors: those of SampleSource::reject.
  void reject(size_t i, const std::string& reason) const;

  int64_t batch() const { return static_cast<int64_t>(batch_); }

  /// row_of for this batch.
  std::vector<Tensor> row(const std::vector<Tensor>& outputs, size_t i) const {
    return row_of(outputs, i, static_cast<int64_t>(batch_));
  }

 private:
  SampleSource& source_;
  size_t batch_;
  std::vector<size_t> chosen_;  // of the source's batches
};

/// Loads every batch and calls body(i, batch) for those with a sample, on several threads. `progress` may be
/// empty; it is told how many are done, never from two threads at once. Errors: those of Batches::load, body
/// and progress.
void for_each_batch(const Batches& batches, int threads,
                    const std::function<void(size_t i, const Batches::Batch&)>& body,
                    const std::function<void(size_t done, size_t of)>& progress);

}  // namespace quantize
