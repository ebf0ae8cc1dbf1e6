// Whether two networks agree, by what their outputs mean. Read Agreement.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "calibration/search/task.h"

namespace quantize {

/// The share of one sample in the figures of one output. Agreement alone makes and adds them up.
struct SampleAgreement {
  bool finite = true;              // both values of the output hold finite numbers only
  double agreeing = 0, of = 0;     // classes, positions, pixels, boxes that are the same; how many there are
  double second = 0;               // 1 if the whole sequence is the same; mean IoU; cosine
  double noise = 0, count = 0;     // images: squared error and elements
  double lowest = 0, highest = 0;  // images: of the reference
  size_t reference_boxes = 0, candidate_boxes = 0;
  std::vector<float> reference, candidate;  // embeddings, to find the nearest of others
};

/// How two networks agree in one output, over all samples. Figures that mean nothing for its task, or that no
/// sample could give, are nothing.
struct TaskFigures {
  OutputTask task;
  /// Percent of what the task counts:
  ///   classification  samples with the same best class
  ///   text            positions with the same best class
  ///   segmentation    pixels with the same best class
  ///   detection       boxes with a partner, of those of both networks
  ///   embedding       samples whose nearest other sample is the same
  ///   image, none     nothing
  std::optional<double> agreement = {};
  std::optional<double> sequences = {};  // text: percent of samples with every position the same
  std::optional<double> mean_iou = {};   // segmentation: of the classes of a sample, mean of all samples
  std::optional<double> psnr_db = {};    // image: against the width of the reference's range; 999 where equal
  std::optional<double> cosine = {};     // embedding: mean similarity of the two vectors of a sample
  size_t reference_boxes = 0, candidate_boxes = 0;  // detection
  size_t not_finite = 0;  // samples in which either network computes NaN or infinity: nothing agrees
};

/// Compares the outputs of two networks, sample by sample, by the task of each output.
///
///   Agreement agreement(graph, std::nullopt);                        // a task, or nothing: told by the graph
///   parts[s] = agreement.compare(inputs, expected, computed);        // sample by sample, from any thread
///   figures = agreement.total(parts);                                // in the order of samples
///
/// The tasks are decided by the first sample that is compared: nothing but shapes and, for boxes, the
/// numbers' ranges count, which samples of one model share.
class Agreement {
 public:
  /// `graph`: the reference, as its file has it. It must outlive this object.
  Agreement(const Graph& graph, std::optional<Task> asked) : graph_(graph), asked_(asked) {}

  /// Decides the tasks by one run of the reference, unless they are decided already.
  /// Errors: those of decide_tasks.
  const std::vector<OutputTask>& decide(const std::vector<Tensor>& inputs,
                                        const std::vector<Tensor>& outputs);
  /// Empty before the first sample.
  const std::vector<OutputTask>& tasks() const { return tasks_; }

  /// One entry per output; the tensors are those of graph.outputs. Thread-safe.
  /// Requires: the tasks are decided. Errors: Error(kInvalidArgument) if shapes differ.
  std::vector<SampleAgreement> compare(const std::vector<Tensor>& reference,
                                       const std::vector<Tensor>& candidate) const;

  /// The figures over all samples; empty parts are passed over.
  std::vector<TaskFigures> total(const std::vector<std::vector<SampleAgreement>>& parts) const;

 private:
  const Graph& graph_;
  std::optional<Task> asked_;
  std::once_flag decided_;
  std::vector<OutputTask> tasks_;
};

/// The smallest agreement of any output in percent: what a bound on agreement is held against. Nothing if no
/// output has one.
std::optional<double> worst_agreement(const std::vector<TaskFigures>& figures);

/// True if agreement means something for at least one output.
bool has_agreement(const std::vector<OutputTask>& tasks);

/// Errors: Error(kInvalidArgument), with what every output was taken for, if an agreement is asked for and no
/// output has one, or if classes are and none has them.
void check_meaning(const Graph& graph, const std::vector<OutputTask>& tasks, bool needs_agreement,
                   bool needs_classes);

/// The output whose best class is a sample's: the first of kClassification. Nothing if there is none.
std::optional<size_t> class_output(const std::vector<OutputTask>& tasks);

/// The class that a sample's output of kClassification says; nothing if it holds NaN or infinity.
std::optional<int64_t> class_of(const OutputTask& task, const Tensor& output);

}  // namespace quantize
