// Classification: the best class of a sample.
#include <algorithm>

#include "calibration/tasks/class_map.h"
#include "calibration/tasks/task.h"
#include "core/non_finite.h"

namespace quantize {

namespace {

class Classification : public TaskMeasure {
 public:
  explicit Classification(ClassReading reading) : reading_(reading) {}

  void compare(const Pair& pair, SampleShare& share) const override {
    share.of = 1;
    share.agreeing = share.finite && class_of(pair.reference) == class_of(pair.candidate);
    share.likeness = share.agreeing;
  }

  void total(std::vector<SampleShare>& /*shares*/, TaskFigures& /*figures*/) const override {}

  const char* agreement_words() const override { return "of samples have the same best class"; }

  std::optional<int64_t> class_of(const Tensor& output) const override {
    if (has_non_finite(output)) return std::nullopt;
    if (!has_class_scores()) return classes_at(reading_, output).front();
    const std::vector<double> scores = output.to_vector<double>();
    return std::max_element(scores.begin(), scores.end()) - scores.begin();
  }
  bool says_class() const override { return true; }
  bool has_class_scores() const override { return !reading_.indices && !reading_.halves; }

 private:
  ClassReading reading_;
};

OutputTask task_of(std::string reason, ClassReading reading) {
  return {&kClassificationTask, std::move(reason), std::make_shared<Classification>(reading)};
}

/// Scores of a Softmax, Sigmoid or layer of weights; the number of a class by ArgMax.
std::optional<OutputTask> recognize(const OutputView& output) {
  const bool is_one = output.tensor().size() == 1, scores = output.kind() == Ending::kScores;
  if (output.form() == TensorForm::kIndices && output.is_vector() && is_one &&
      output.kind() == Ending::kIndices)
    return task_of("numbers of classes" + output.by(), {.indices = true});
  if (output.form() != TensorForm::kVector) return std::nullopt;
  if (is_one && !scores) return no_task("one number" + output.by() + ", which is no class");
  if (is_one) return task_of("one score" + output.by() + ": above a half or not", {.halves = true});
  if (scores || output.kind() == Ending::kProbabilities || output.kind() == Ending::kLinear)
    return task_of(std::to_string(output.tensor().size()) + " scores" + output.by(), {});
  return std::nullopt;
}

std::optional<OutputTask> accept(const OutputView& output) {
  if (!output.is_vector() || output.tensor().size() == 0) return std::nullopt;
  return task_of("as asked for",
                 {.indices = !output.is_float(), .halves = output.is_float() && output.tensor().size() == 1});
}

}  // namespace

const TaskDef kClassificationTask = {.name = "classification", .recognize = recognize, .accept = accept};

}  // namespace quantize
