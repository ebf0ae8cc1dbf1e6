// Telling what outputs mean. Read decide_tasks() at the end.
#include "calibration/search/task.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "calibration/search/box_layout.h"
#include "core/error.h"
#include "core/fusion/output_ending.h"

namespace quantize {

namespace {

struct TaskName {
  Task task;
  const char* name;
};
constexpr std::array<TaskName, 7> kTasks = {{{Task::kNone, "none"},
                                             {Task::kClassification, "classification"},
                                             {Task::kDetection, "detection"},
                                             {Task::kSegmentation, "segmentation"},
                                             {Task::kImage, "image"},
                                             {Task::kEmbedding, "embedding"},
                                             {Task::kText, "text"}}};

bool is_float(DataType dtype) {
  return dtype == DataType::kF32 || dtype == DataType::kF64 || dtype == DataType::kF16;
}

/// Extents of vectors are counted without those of 1: [N, C], [N, C, 1, 1] and [N, 1, 1, C] hold C numbers.
bool is_vector(const Shape& shape) {
  size_t longer = 0;
  for (size_t i = 1; i < shape.size(); ++i) longer += shape[i] != 1;
  return shape.size() < 2 || longer <= (shape.size() == 2 || shape[0] == 1 ? 1 : 0);
}

class Decider {
 public:
  Decider(const Graph& graph, const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs)
      : graph_(graph), inputs_(inputs), outputs_(outputs) {}

  OutputTask decide(size_t o) const {
    const Tensor& output = outputs_[o];
    const OutputEnding ending = ending_of(graph_, graph_.outputs[o], output.shape().size());
    if (output.size() == 0 || ending.op_type.empty()) return none("nothing is computed");
    if (!is_float(output.dtype()) || ending.ending == Ending::kIndices) return indices(output, ending);
    if (const std::optional<OutputTask> boxes = detection(o, ending)) return *boxes;
    if (is_vector(output.shape())) return vector(output, ending);
    if (output.shape().size() == 3 && !covers_image(output.shape())) return sequence(output, ending);
    return map(o, ending);
  }

  /// The output as what was asked for, if it can be that.
  std::optional<OutputTask> as(size_t o, Task asked) const {
    OutputTask task = decide(o);
    if (task.task == asked) return task;
    const Shape& shape = outputs_[o].shape();
    const bool is_map = shape.size() >= 4 || covers_image(shape);
    const OutputEnding ending = ending_of(graph_, graph_.outputs[o], shape.size());
    const bool fits = (asked == Task::kClassification && is_vector(shape)) ||
                      (asked == Task::kEmbedding && outputs_[o].size() > 1) ||
                      (asked == Task::kText && shape.size() >= 2 && !is_vector(shape)) ||
                      (asked == Task::kSegmentation && is_map) ||
                      (asked == Task::kImage && shape.size() >= 3);
    if (asked == Task::kDetection) {
      if (ending.ending == Ending::kProbabilities || detection(o, ending)) return std::nullopt;
      const std::optional<BoxLayout> layout = layout_of(outputs_[o], inputs_);
      if (!layout) return std::nullopt;
      return OutputTask{
          .task = asked, .reason = "as asked for; " + describe(*layout, outputs_[o]), .boxes = *layout};
    }
    if (!fits) return std::nullopt;
    OutputTask result{.task = asked, .reason = "as asked for"};
    result.class_axis =
        asked == Task::kSegmentation ? channel_axis(shape, ending) : class_axis(shape, ending);
    result.indices = !is_float(outputs_[o].dtype());
    result.halves = asked == Task::kClassification
                        ? outputs_[o].size() == 1
                        : asked == Task::kSegmentation && !result.indices && shape[result.class_axis] == 1;
    if (covers_image(shape)) result.halves = asked == Task::kSegmentation;
    return result;
  }

 private:
  static OutputTask none(const std::string& reason) { return {.task = Task::kNone, .reason = reason}; }

  static std::string by(const OutputEnding& ending) { return " by " + ending.op_type; }

  static OutputTask indices(const Tensor& output, const OutputEnding& ending) {
    OutputTask task{
        .task = Task::kSegmentation, .reason = "numbers of classes" + by(ending), .indices = true};
    if (is_vector(output.shape())) task.task = output.size() == 1 ? Task::kClassification : Task::kText;
    return task;
  }

  OutputTask vector(const Tensor& output, const OutputEnding& ending) const {
    const std::string count = std::to_string(output.size());
    const bool scores = ending.ending == Ending::kScores;
    if (output.size() == 1)
      return scores ? OutputTask{.task = Task::kClassification,
                                 .reason = "one score" + by(ending) + ": above a half or not",
                                 .halves = true}
                    : none("one number" + by(ending) + ", which is no class");
    if (scores || ending.ending == Ending::kProbabilities || ending.ending == Ending::kLinear)
      return {.task = Task::kClassification, .reason = count + " scores" + by(ending)};
    return {.task = Task::kEmbedding, .reason = count + " numbers" + by(ending) + ", which are no classes"};
  }

  static size_t class_axis(const Shape& shape, const OutputEnding& ending) {
    if (ending.axis && *ending.axis > 0) return static_cast<size_t>(*ending.axis);
    return shape.size() == 4 ? 1 : shape.size() - 1;
  }

  static OutputTask sequence(const Tensor& output, const OutputEnding& ending) {
    if (ending.ending == Ending::kOther || ending.ending == Ending::kJoined)
      return none("values of shape " + to_string(output.shape()) + by(ending) + " have no known meaning");
    if (ending.ending == Ending::kNormalized)
      return {.task = Task::kEmbedding, .reason = "features" + by(ending) + ", which are no classes"};
    const size_t axis = class_axis(output.shape(), ending);
    const int64_t classes = output.shape()[axis];
    return {.task = Task::kText,
            .reason = std::to_string(classes) + " scores a position" + by(ending),
            .class_axis = axis};
  }

  /// True for [N, H, W] of the input's own height and width.
  bool covers_image(const Shape& shape) const {
    if (shape.size() != 3 || inputs_.empty() || inputs_[0].shape().size() != 4) return false;
    const Shape& image = inputs_[0].shape();
    return (shape[1] == image[2] && shape[2] == image[3]) || (shape[1] == image[1] && shape[2] == image[2]);
  }

  static size_t channel_axis(const Shape& shape, const OutputEnding& ending) {
    if (ending.axis && *ending.axis > 0) return static_cast<size_t>(*ending.axis);
    constexpr int64_t kColours = 4;
    const bool last = shape.back() <= kColours && shape[1] > kColours && shape[2] > kColours;
    return last ? shape.size() - 1 : 1;
  }

  /// True if the places of a map are so many that they stand for pixels of the image, eight apart at most.
  bool is_dense(int64_t places) const {
    constexpr int64_t kApart = 8, kColours = 4;
    return inputs_.empty() || places * kApart * kApart * kColours >= inputs_[0].size();
  }

  /// True if another output is a map of as many channels and another size.
  bool is_head(size_t o) const {
    const Shape& shape = outputs_[o].shape();
    return std::any_of(outputs_.begin(), outputs_.end(), [&](const Tensor& other) {
      return other.shape().size() == shape.size() && other.shape() != shape && other.shape()[1] == shape[1];
    });
  }

  /// True if one output has four numbers for each of several anchors at a place, and another of that size
  /// some scores for each anchor.
  bool is_of_anchors(size_t o) const {
    const auto are_both = [](const Shape& boxes, const Shape& scores) {
      const int64_t anchors = boxes[1] / 4;
      return boxes[1] % 4 == 0 && anchors > 1 && scores[1] % anchors == 0 && scores[1] != boxes[1];
    };
    const Shape& shape = outputs_[o].shape();
    return shape.size() == 4 && std::any_of(outputs_.begin(), outputs_.end(), [&](const Tensor& other) {
             const Shape& partner = other.shape();
             return partner.size() == 4 && std::equal(shape.begin() + 2, shape.end(), partner.begin() + 2) &&
                    (are_both(shape, partner) || are_both(partner, shape));
           });
  }

  OutputTask map(size_t o, const OutputEnding& ending) const {
    const Tensor& output = outputs_[o];
    const Shape& shape = output.shape();
    const bool scores = ending.ending == Ending::kScores;
    if (covers_image(shape))
      return scores ? OutputTask{.task = Task::kSegmentation,
                                 .reason = "one score a pixel" + by(ending),
                                 .halves = true}
                    : OutputTask{.task = Task::kImage, .reason = "one number a pixel" + by(ending)};
    const size_t axis = channel_axis(shape, ending);
    const int64_t channels = shape[axis], places = output.size() / channels;
    const std::string count = std::to_string(channels) + " channels" + by(ending);
    if (shape.size() > 4 && !inputs_.empty() && inputs_[0].shape().size() == 4)
      return none("values of shape " + to_string(shape) + by(ending) + " are no map of the image");
    if (channels == 1 && scores)
      return {.task = Task::kSegmentation,
              .reason = "one score a pixel" + by(ending),
              .class_axis = axis,
              .halves = true};
    if ((channels == 1 || channels == 3) && ending.ending != Ending::kProbabilities)
      return {.task = Task::kImage, .reason = count};
    if (ending.ending == Ending::kOther || ending.ending == Ending::kNormalized)
      return none(count + " are features, no classes");
    if (shape.size() == 4 && shape[2] == 1 && places > 1)
      return {.task = Task::kText, .reason = count + " a position", .class_axis = axis};
    if (is_head(o)) return none(count + " in maps of several sizes are no classes");
    if (is_of_anchors(o)) return none(count + " may be of anchors of a detector, which are no classes");
    if (!is_dense(places))
      return none(count + " at " + std::to_string(places) + " places are no map of the image");
    return {.task = Task::kSegmentation, .reason = count + " a pixel", .class_axis = axis};
  }

  /// Boxes and scores: in one output, joined from the heads of a detector, or in two.
  std::optional<OutputTask> detection(size_t o, const OutputEnding& ending) const {
    const Shape& shape = outputs_[o].shape();
    if (shape.size() != 3) return std::nullopt;
    for (size_t other = 0; other < outputs_.size(); ++other) {
      const Shape& partner = outputs_[other].shape();
      if (other == o || partner.size() != 3 || partner[1] != shape[1] || !is_float(outputs_[other].dtype()))
        continue;
      if (shape[2] == 4 && partner[2] != 4)
        return none("boxes of '" + name(other) + "', which has their agreement, if there is one");
      if (partner[2] != 4 || shape[2] == 4) continue;
      const std::optional<BoxLayout> layout =
          layout_beside(outputs_[o], outputs_[other], other, ending.ending == Ending::kProbabilities);
      if (!layout)
        return none("scores of '" + name(other) + "', whose numbers are no boxes: they are not decoded");
      return OutputTask{.task = Task::kDetection,
                        .reason = "scores of the boxes in '" + name(other) + "'",
                        .boxes = *layout};
    }
    if (ending.ending != Ending::kJoined) return std::nullopt;
    const std::optional<BoxLayout> layout = layout_of(outputs_[o], inputs_);
    if (!layout) return std::nullopt;
    return OutputTask{.task = Task::kDetection, .reason = describe(*layout, outputs_[o]), .boxes = *layout};
  }

  const std::string& name(size_t o) const { return graph_.value(graph_.outputs[o]).name; }

  const Graph& graph_;
  const std::vector<Tensor>& inputs_;
  const std::vector<Tensor>& outputs_;
};

}  // namespace

const char* name_of(Task task) {
  const auto* const found =
      std::find_if(kTasks.begin(), kTasks.end(), [&](const TaskName& entry) { return entry.task == task; });
  return found->name;
}

std::vector<std::string> task_names() {
  std::vector<std::string> names;
  for (const TaskName& entry : kTasks)
    if (entry.task != Task::kNone) names.emplace_back(entry.name);
  return names;
}

std::optional<Task> parse_task(const std::string& name) {
  for (const TaskName& entry : kTasks)
    if (entry.task != Task::kNone && entry.name == name) return entry.task;
  return std::nullopt;
}

std::vector<OutputTask> decide_tasks(const Graph& graph, const std::vector<Tensor>& inputs,
                                     const std::vector<Tensor>& outputs, std::optional<Task> asked) {
  const Decider decider(graph, inputs, outputs);
  std::vector<OutputTask> tasks;
  bool any = false;
  std::string shapes;
  for (size_t o = 0; o < outputs.size(); ++o) {
    const std::optional<OutputTask> fitting = asked ? decider.as(o, *asked) : decider.decide(o);
    any = any || fitting.has_value();
    tasks.push_back(fitting.value_or(OutputTask{.task = Task::kNone, .reason = "not what was asked for"}));
    shapes += (o == 0 ? "'" : ", '") + graph.value(graph.outputs[o]).name + "' of shape " +
              to_string(outputs[o].shape());
  }
  if (!any)
    throw Error(ErrorKind::kInvalidArgument, std::string("no output can be of the task '") + name_of(*asked) +
                                                 "': the model computes " + shapes);
  return tasks;
}

}  // namespace quantize
