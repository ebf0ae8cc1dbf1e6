// Agreement, task by task. Read Agreement::compare(), then Agreement::total().
#include "calibration/search/agreement.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "calibration/search/deviation.h"
#include "core/error.h"
#include "core/non_finite.h"

namespace quantize {

namespace {

using Part = SampleAgreement;

/// The best class at every place of a tensor: of the elements along the class axis the largest, the first of
/// several.
std::vector<int64_t> classes_at(const OutputTask& task, const Tensor& output) {
  const std::vector<double> values = output.to_vector<double>();
  std::vector<int64_t> classes;
  if (task.indices || task.halves) {
    constexpr double kHalf = 0.5;
    for (const double value : values)
      classes.push_back(task.indices ? std::llround(value) : static_cast<int64_t>(value > kHalf));
    return classes;
  }
  const Shape& shape = output.shape();
  const auto count = static_cast<size_t>(shape[task.class_axis]);
  size_t inner = 1;
  for (size_t i = task.class_axis + 1; i < shape.size(); ++i) inner *= static_cast<size_t>(shape[i]);
  for (size_t begin = 0; begin + count * inner <= values.size(); begin += count * inner) {
    for (size_t place = begin; place < begin + inner; ++place) {
      size_t best = 0;
      for (size_t c = 1; c < count; ++c)
        if (values[place + c * inner] > values[place + best * inner]) best = c;
      classes.push_back(static_cast<int64_t>(best));
    }
  }
  return classes;
}

/// Mean over the classes that either map has of pixels with the class in both to pixels with it in any.
double mean_iou(const std::vector<int64_t>& reference, const std::vector<int64_t>& candidate) {
  std::map<int64_t, std::pair<double, double>> classes;  // in both, in any
  for (size_t i = 0; i < reference.size(); ++i) {
    const bool same = reference[i] == candidate[i];
    classes[reference[i]].first += same;
    ++classes[reference[i]].second;
    if (!same) ++classes[candidate[i]].second;
  }
  double sum = 0;
  for (const auto& [label, pixels] : classes) sum += pixels.first / pixels.second;
  return classes.empty() ? 1 : sum / static_cast<double>(classes.size());
}

void compare_places(const OutputTask& task, const Tensor& reference, const Tensor& candidate, Part& part) {
  const std::vector<int64_t> a = classes_at(task, reference), b = classes_at(task, candidate);
  part.of = static_cast<double>(a.size());
  if (!part.finite) return;
  for (size_t i = 0; i < a.size(); ++i) part.agreeing += a[i] == b[i];
  part.second = task.task == Task::kText ? part.agreeing == part.of : mean_iou(a, b);
}

void compare_images(const Tensor& reference, const Tensor& candidate, Part& part) {
  if (!part.finite) return;
  const std::vector<double> a = reference.to_vector<double>(), b = candidate.to_vector<double>();
  part.count = static_cast<double>(a.size());
  const auto [lowest, highest] = std::minmax_element(a.begin(), a.end());
  part.lowest = *lowest;
  part.highest = *highest;
  for (size_t i = 0; i < a.size(); ++i) part.noise += (a[i] - b[i]) * (a[i] - b[i]);
}

/// A sample with a number that is not finite counts as a box without partner at least.
void compare_boxes(const std::vector<Box>& expected, const std::vector<Box>& found, Part& part) {
  part.reference_boxes = expected.size();
  part.candidate_boxes = found.size();
  part.of = static_cast<double>(expected.size() + found.size()) + (part.finite ? 0 : 1);
  part.agreeing = part.finite ? 2 * static_cast<double>(count_matches(expected, found)) : 0;
}

double dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * double{b[i]};
  return sum;
}

double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  const double lengths = std::sqrt(dot(a, a) * dot(b, b));
  return lengths > 0 ? dot(a, b) / lengths : 0;
}

void compare_embeddings(const Tensor& reference, const Tensor& candidate, Part& part) {
  if (!part.finite) return;
  part.reference = reference.to_vector<float>();
  part.candidate = candidate.to_vector<float>();
  part.second = cosine(part.reference, part.candidate);
}

/// The sample whose vector is nearest to that of sample s, by the cosine.
size_t nearest(const std::vector<const Part*>& parts, size_t s, std::vector<float> Part::*vector) {
  size_t best = s;
  double most = -2;
  for (size_t other = 0; other < parts.size(); ++other) {
    const std::vector<float>&a = parts[s]->*vector, &b = parts[other]->*vector;
    if (other == s || a.size() != b.size()) continue;
    const double similarity = cosine(a, b);
    if (similarity > most) {
      most = similarity;
      best = other;
    }
  }
  return best;
}

/// Percent of samples with the same nearest neighbour; nothing with fewer than two. Of many samples the first
/// kMostNeighbours: every one is compared with all others.
std::optional<double> same_neighbours(const std::vector<const Part*>& all) {
  constexpr size_t kMostNeighbours = 1000;
  std::vector<const Part*> parts(all.begin(),
                                 all.begin() + static_cast<ptrdiff_t>(std::min(all.size(), kMostNeighbours)));
  const size_t count = parts.size();
  std::erase_if(parts, [](const Part* part) { return !part->finite; });
  if (count < 2) return std::nullopt;
  size_t same = 0;
  for (size_t s = 0; s < parts.size() && parts.size() > 1; ++s)
    same += nearest(parts, s, &Part::reference) == nearest(parts, s, &Part::candidate);
  return 100 * static_cast<double>(same) / static_cast<double>(count);
}

/// Peak signal to noise, where the peak is the width of the range of all references.
std::optional<double> psnr(const std::vector<const Part*>& parts) {
  double noise = 0, count = 0, lowest = INFINITY, highest = -INFINITY;
  for (const Part* part : parts) {
    if (part->count == 0) continue;
    noise += part->noise;
    count += part->count;
    lowest = std::min(lowest, part->lowest);
    highest = std::max(highest, part->highest);
  }
  if (count == 0) return std::nullopt;
  const double peak = highest - lowest;
  return Deviation{.signal = peak * peak, .noise = noise / count}.sqnr_db();
}

TaskFigures total_of(const OutputTask& task, const std::vector<const Part*>& parts) {
  TaskFigures figures{.task = task};
  double agreeing = 0, of = 0, second = 0;
  for (const Part* part : parts) {
    figures.not_finite += !part->finite;
    figures.reference_boxes += part->reference_boxes;
    figures.candidate_boxes += part->candidate_boxes;
    agreeing += part->agreeing;
    of += part->of;
    second += part->second;
  }
  const auto samples = static_cast<double>(parts.size());
  if (of > 0) figures.agreement = 100 * agreeing / of;
  if (parts.empty()) return figures;
  if (task.task == Task::kText) figures.sequences = 100 * second / samples;
  if (task.task == Task::kSegmentation) figures.mean_iou = second / samples;
  if (task.task == Task::kImage && figures.not_finite == 0) figures.psnr_db = psnr(parts);
  if (task.task == Task::kEmbedding) {
    figures.cosine = second / samples;
    figures.agreement = same_neighbours(parts);
  }
  return figures;
}

/// "'y' is taken for image (3 channels by Conv)", for every output.
std::string reasons(const Graph& graph, const std::vector<OutputTask>& tasks) {
  std::string text;
  for (size_t o = 0; o < tasks.size(); ++o)
    text += (o == 0 ? "'" : "; '") + graph.value(graph.outputs[o]).name + "' is taken for " +
            name_of(tasks[o].task) + " (" + tasks[o].reason + ")";
  return text;
}

}  // namespace

const std::vector<OutputTask>& Agreement::decide(const std::vector<Tensor>& inputs,
                                                 const std::vector<Tensor>& outputs) {
  std::call_once(decided_, [&] { tasks_ = decide_tasks(graph_, inputs, outputs, asked_); });
  return tasks_;
}

std::vector<SampleAgreement> Agreement::compare(const std::vector<Tensor>& reference,
                                                const std::vector<Tensor>& candidate) const {
  std::vector<Part> parts(reference.size());
  for (size_t o = 0; o < reference.size(); ++o) {
    const OutputTask& task = tasks_[o];
    Tensor a = reference[o], b = candidate[o];
    level_lists(a, b);
    if (a.shape() != b.shape())
      throw Error(ErrorKind::kInvalidArgument, "the reference computes " + to_string(a.shape()) +
                                                   ", the candidate " + to_string(b.shape()) +
                                                   "; they are not forms of the same model");
    if (a.size() == 0) continue;  // neither side has found anything
    Part& part = parts[o];
    part.finite = !has_non_finite(a) && !has_non_finite(b);
    if (task.task == Task::kClassification) {
      part.of = 1;
      part.agreeing = part.finite && class_of(task, a) == class_of(task, b);
    } else if (task.task == Task::kText || task.task == Task::kSegmentation) {
      compare_places(task, a, b, part);
    } else if (task.task == Task::kImage) {
      compare_images(a, b, part);
    } else if (task.task == Task::kEmbedding) {
      compare_embeddings(a, b, part);
    } else if (task.task == Task::kDetection) {
      const size_t boxes = task.boxes.boxes_output.value_or(o);
      part.finite = part.finite && !has_non_finite(reference[boxes]) && !has_non_finite(candidate[boxes]);
      compare_boxes(read_boxes(task.boxes, a, reference[boxes]), read_boxes(task.boxes, b, candidate[boxes]),
                    part);
    }
  }
  return parts;
}

std::vector<TaskFigures> Agreement::total(const std::vector<std::vector<SampleAgreement>>& parts) const {
  std::vector<TaskFigures> figures;
  for (size_t o = 0; o < tasks_.size(); ++o) {
    std::vector<const Part*> of_output;
    for (const std::vector<Part>& sample : parts)
      if (!sample.empty()) of_output.push_back(&sample[o]);
    figures.push_back(total_of(tasks_[o], of_output));
  }
  return figures;
}

std::optional<double> worst_agreement(const std::vector<TaskFigures>& figures) {
  std::optional<double> worst;
  for (const TaskFigures& output : figures)
    if (output.agreement) worst = std::min(worst.value_or(*output.agreement), *output.agreement);
  return worst;
}

bool has_agreement(const std::vector<OutputTask>& tasks) {
  return std::any_of(tasks.begin(), tasks.end(), [](const OutputTask& task) {
    return task.task != Task::kNone && task.task != Task::kImage;
  });
}

std::optional<size_t> class_output(const std::vector<OutputTask>& tasks) {
  for (size_t o = 0; o < tasks.size(); ++o)
    if (tasks[o].task == Task::kClassification) return o;
  return std::nullopt;
}

std::optional<int64_t> class_of(const OutputTask& task, const Tensor& output) {
  if (has_non_finite(output)) return std::nullopt;
  if (task.indices || task.halves) return classes_at(task, output).front();
  const std::vector<double> scores = output.to_vector<double>();
  return std::max_element(scores.begin(), scores.end()) - scores.begin();
}

void check_meaning(const Graph& graph, const std::vector<OutputTask>& tasks, bool needs_agreement,
                   bool needs_classes) {
  if ((!needs_agreement || has_agreement(tasks)) && (!needs_classes || class_output(tasks))) return;
  const bool agreement = needs_agreement && !has_agreement(tasks);
  throw Error(ErrorKind::kInvalidArgument,
              (agreement ? "agreement means nothing for this model: "
                         : "no output holds the scores of classes, which labels and best classes need: ") +
                  reasons(graph, tasks) +
                  (agreement ? "; ask for an SQNR, or name the task" : "; name the task if one does"));
}

}  // namespace quantize
