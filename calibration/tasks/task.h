// The meaning of a network's outputs, and how two networks are compared by it. Read TaskDef, then TaskMeasure.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "calibration/tasks/boxes.h"
#include "calibration/tasks/output_view.h"
#include "calibration/tasks/truth.h"
#include "core/tensor.h"

namespace quantize {

/// The share of one sample in the figures of one output. A TaskMeasure alone makes it and adds it up.
struct SampleShare {
  bool finite = true;           // both networks compute finite numbers only
  double agreeing = 0, of = 0;  // answers that are the same; how many there are
  /// How alike the two results are: 1 is the same, smaller is less. Of images it is a PSNR in decibels.
  double likeness = 1;
  std::vector<double> numbers;                        // for the task to add up
  std::vector<float> reference, candidate;            // embeddings, to find the nearest of others
  std::vector<Box> reference_boxes, candidate_boxes;  // the best first
  std::vector<Box> reference_found, candidate_found;  // the same for labels, see read_all_boxes
  std::shared_ptr<const Truth> truth = {};            // what the sample shows; nullptr: it has no label
};

/// A number beside the agreement.
struct TaskFigure {
  enum class Unit { kNumber, kPercent, kDecibel, kCount };
  const char* key;    // in JSON; a '/' leads into an object
  const char* words;  // for people; "" for a number that tables alone show
  Unit unit;
  std::optional<double> value;  // nothing: not known
};

/// A sample in which two networks differ.
struct WorstSample {
  size_t sample;                   // its number
  std::optional<double> likeness;  // see SampleShare; nothing: a result is not finite
};

struct TaskDef;
class TaskMeasure;

/// One output and its meaning.
struct OutputTask {
  const TaskDef* def = nullptr;                     // nullptr: the output means nothing that agrees
  std::string reason = {};                          // for people: by what that was told
  std::shared_ptr<const TaskMeasure> measure = {};  // set exactly if def is
};

/// How two networks agree in one output, over all samples.
struct TaskFigures {
  OutputTask task;
  /// Percent of what the task counts (TaskMeasure::agreement_words); nothing if it has none or no sample gives
  /// one.
  std::optional<double> agreement = {};
  std::vector<TaskFigure> figures = {};
  std::optional<double> drop = {};  // in points of the metric that the labels of the samples give
  std::string note = {};            // for people: how the labels were read; "" without any
  size_t not_finite = 0;  // samples in which either network computes NaN or infinity: nothing agrees
  std::vector<WorstSample> worst = {};  // kMostWorst at most, the worst first; none that are the same

  /// The figure of this key; nothing if it has none or it is not known.
  std::optional<double> figure(const std::string& key) const;
};
constexpr size_t kMostWorst = 10;

/// How two networks compare in one output of a meaning: the part of a task that measures. Thread-safe.
class TaskMeasure {
 public:
  /// One output of both networks for one sample, lists levelled (see level_lists), beside all outputs as they are.
  struct Pair {
    const Tensor& reference;
    const Tensor& candidate;
    const std::vector<Tensor>& all_of_reference;
    const std::vector<Tensor>& all_of_candidate;
  };

  virtual ~TaskMeasure() = default;

  /// Fills the share of a sample, in which `finite` is set for the output itself, and the truth. Where a result is
  /// not finite, nothing agrees.
  virtual void compare(const Pair& pair, SampleShare& share) const = 0;

  /// Adds what the task knows of all samples, in their order. The agreement is the percentage of `agreeing` in `of`
  /// already. It may set the likeness of a sample where all samples decide that.
  virtual void total(std::vector<SampleShare>& shares, TaskFigures& figures) const = 0;

  /// Words behind the agreement: "of samples have the same best class". nullptr: the task has none.
  virtual const char* agreement_words() const = 0;

  /// The likeness of two results that are the same.
  virtual double same_likeness() const { return 1; }

  /// True if most answers of a usable network agree with those of the reference.
  virtual bool counts_answers() const { return true; }

  /// The class that the output says of a sample; nothing if it holds NaN or infinity.
  /// Requires: says_class().
  virtual std::optional<int64_t> class_of(const Tensor& /*output*/) const { return std::nullopt; }
  virtual bool says_class() const { return false; }
  /// True if the output holds a score of each of several classes.
  virtual bool has_class_scores() const { return false; }

  /// True if labels of that kind say what the output should be.
  virtual bool takes_boxes() const { return false; }
  virtual bool takes_masks() const { return false; }

  /// Brings lists whose order means nothing into one order, so that their numbers can be compared one by one: in all
  /// outputs that hold such a list.
  virtual void align(std::vector<Tensor>& /*reference*/, std::vector<Tensor>& /*candidate*/) const {}

  /// Puts the reference's numbers for those of the candidate that no program looks at.
  virtual void pass_over(const std::vector<Tensor>& /*reference*/, std::vector<Tensor>& /*candidate*/) const {
  }
};

/// A meaning that outputs can have.
struct TaskDef {
  const char* name;  // as --task takes it
  /// The output if it means this, told by its shape, its numbers and what computes it; an OutputTask without
  /// meaning if it is known to have none; nothing if the next task is to be asked.
  std::optional<OutputTask> (*recognize)(const OutputView& output);
  /// The output as this, because --task says so; nothing if it cannot be that.
  std::optional<OutputTask> (*accept)(const OutputView& output);
};

extern const TaskDef kDetectionTask, kClassificationTask, kTextTask, kImageTask, kSegmentationTask,
    kEmbeddingTask;

/// "classification", ...; "none" for an output without a meaning.
const char* name_of(const OutputTask& task);
/// An output without a meaning, and why.
OutputTask no_task(std::string reason);

}  // namespace quantize
