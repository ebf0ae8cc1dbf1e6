// Whether two networks agree, by what their outputs mean. Read Agreement.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "calibration/tasks/all_tasks.h"

namespace quantize {

/// Compares the outputs of two networks, sample by sample, by the task of each output.
///
///   Agreement agreement(graph, {});                                  // a task, or nothing: told by the graph
///   agreement.decide(inputs, outputs);                               // of one run of the reference
///   shares[s] = agreement.compare(expected, computed);               // sample by sample, from any thread
///   figures = agreement.total(shares);                               // in the order of samples
///
/// The tasks are decided by one sample: shapes, operators, and for boxes the numbers' ranges count, which
/// samples of one model share.
class Agreement {
 public:
  /// `graph`: the reference, as its file has it. It must outlive this object.
  Agreement(const Graph& graph, AskedTasks asked) : graph_(graph), asked_(std::move(asked)) {}

  /// Decides the tasks by one run of the reference, unless they are decided already.
  /// Errors: those of decide_tasks.
  const std::vector<OutputTask>& decide(const std::vector<Tensor>& inputs,
                                        const std::vector<Tensor>& outputs);
  /// Empty before the first sample.
  const std::vector<OutputTask>& tasks() const { return tasks_; }

  /// One entry per output; the tensors are those of graph.outputs, the truth nullptr without labels. Thread-safe.
  /// Requires: the tasks are decided. Errors: Error(kInvalidArgument) if shapes differ.
  std::vector<SampleShare> compare(const std::vector<Tensor>& reference, const std::vector<Tensor>& candidate,
                                   std::shared_ptr<const Truth> truth = nullptr) const;

  /// The figures over all samples; empty shares are passed over. WorstSample::sample is a place in `shares`.
  std::vector<TaskFigures> total(const std::vector<std::vector<SampleShare>>& shares) const;

  /// Both networks' outputs with their lists in one order, to be compared number by number.
  void align(std::vector<Tensor>& reference, std::vector<Tensor>& candidate) const;
  /// The candidate's outputs with the reference's numbers in all places that no program looks at.
  void pass_over(const std::vector<Tensor>& reference, std::vector<Tensor>& candidate) const;

 private:
  const Graph& graph_;
  AskedTasks asked_;
  std::once_flag decided_;
  std::vector<OutputTask> tasks_;
};

/// True if no output is empty: lists of boxes show only then what they are.
bool shows_all(const std::vector<Tensor>& outputs);
/// Samples that are looked at in search of one that shows all.
constexpr size_t kMostForMeaning = 16;

/// The smallest agreement of any output in percent: what a bound on agreement is held against. Nothing if no
/// output has one.
std::optional<double> worst_agreement(const std::vector<TaskFigures>& figures);

/// A use of the outputs that only some meanings have.
enum class Need { kAgreement, kClasses, kBoxes, kMasks };

/// Errors: Error(kInvalidArgument), with what every output was taken for, if no output has the meaning that is
/// needed: an agreement, or what labels of classes, boxes or pixels are held against.
void check_meaning(const Graph& graph, const std::vector<OutputTask>& tasks, Need need);

/// The output whose best class is a sample's: the first that says one. Nothing if there is none.
std::optional<size_t> class_output(const std::vector<OutputTask>& tasks);

}  // namespace quantize
