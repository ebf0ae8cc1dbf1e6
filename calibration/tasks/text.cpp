// Text: a class at every position, read as CTC does.
#include <algorithm>
#include <numeric>

#include "calibration/tasks/class_map.h"
#include "calibration/tasks/edit_distance.h"
#include "calibration/tasks/task.h"

namespace quantize {

namespace {

/// Positions that agree are `agreeing`.
enum Number : size_t { kPositions, kStrings, kEdits, kLength, kNumbers };

class Text : public TaskMeasure {
 public:
  Text(ClassReading reading, std::optional<int64_t> blank) : reading_(reading), blank_(blank) {}

  void compare(const Pair& pair, SampleShare& share) const override {
    share.numbers.assign(kNumbers, 0);
    share.of = places_of(reading_, pair.reference);
    if (!share.finite) return;
    const std::vector<int64_t> a = classes_at(reading_, pair.reference),
                               b = classes_at(reading_, pair.candidate);
    for (size_t i = 0; i < a.size(); ++i) share.agreeing += a[i] == b[i];
    const std::vector<int64_t> read = decode_greedily(a, blank_), found = decode_greedily(b, blank_);
    const auto edits = static_cast<double>(edit_distance(read, found));
    share.numbers = {a == b ? 1.0 : 0.0, read == found ? 1.0 : 0.0, edits, static_cast<double>(read.size())};
    share.likeness =
        1 - edits / std::max<double>(static_cast<double>(std::max(read.size(), found.size())), 1);
  }

  void total(std::vector<SampleShare>& shares, TaskFigures& figures) const override {
    using Unit = TaskFigure::Unit;
    std::vector<double> sums(kNumbers, 0);
    bool finite = true;
    for (const SampleShare& share : shares) {
      finite = finite && share.finite;
      for (size_t i = 0; i < share.numbers.size(); ++i) sums[i] += share.numbers[i];
    }
    const auto per_sample = [&](double sum) {
      return shares.empty() ? std::nullopt : std::optional(sum / static_cast<double>(shares.size()));
    };
    const auto edits = finite ? per_sample(sums[kEdits]) : std::nullopt;
    figures.figures = {{"sequences", "", Unit::kPercent, per_sample(100 * sums[kPositions])},
                       {"strings", "the same string in", Unit::kPercent, per_sample(100 * sums[kStrings])},
                       {"edit_distance", "mean edit distance", Unit::kNumber, edits},
                       {"length", "", Unit::kNumber, finite ? per_sample(sums[kLength]) : std::nullopt}};
  }

  const char* agreement_words() const override { return "of positions have the same best class"; }

 private:
  ClassReading reading_;
  std::optional<int64_t> blank_;
};

OutputTask task_of(const OutputView& output, std::string reason, ClassReading reading) {
  std::optional<int64_t> blank;
  if (!reading.indices && output.tensor().size() != 0)
    blank = likely_blank(classes_at(reading, output.tensor()), output.shape()[reading.axis]);
  reason += blank ? "; class " + std::to_string(*blank) + " is the blank" : "; no class is a blank";
  return {&kTextTask, std::move(reason), std::make_shared<Text>(reading, blank)};
}

/// Scores of classes along a sequence, or a row of numbers of classes.
std::optional<OutputTask> recognize(const OutputView& output) {
  const Shape& shape = output.shape();
  const Ending kind = output.kind();
  if (output.form() == TensorForm::kIndices && output.is_vector() && kind == Ending::kIndices)
    return task_of(output, "numbers of classes" + output.by(), {.indices = true});
  const bool is_sequence = output.form() == TensorForm::kSequence;
  if (!is_sequence && output.form() != TensorForm::kMap) return std::nullopt;
  if (kind == Ending::kOther || kind == Ending::kJoined || kind == Ending::kNormalized) return std::nullopt;
  const size_t axis = is_sequence ? output.class_axis() : output.channel_axis();
  const int64_t classes = shape[axis];
  if (!is_sequence && !(shape.size() == 4 && shape[2] == 1 && output.tensor().size() > classes))
    return std::nullopt;
  return task_of(
      output,
      std::to_string(classes) + (is_sequence ? " scores a position" : " channels a position") + output.by(),
      {.axis = axis});
}

std::optional<OutputTask> accept(const OutputView& output) {
  if (output.shape().size() < 2 || output.is_vector() || output.tensor().size() == 0) return std::nullopt;
  return task_of(output, "as asked for", {.axis = output.class_axis(), .indices = !output.is_float()});
}

}  // namespace

const TaskDef kTextTask = {.name = "text", .recognize = recognize, .accept = accept};

}  // namespace quantize
