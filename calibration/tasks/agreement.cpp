// Agreement over all samples. Read Agreement::compare(), then Agreement::total().
#include "calibration/tasks/agreement.h"

#include <algorithm>

#include "calibration/tasks/deviation.h"
#include "core/error.h"
#include "core/non_finite.h"

namespace quantize {

namespace {

/// The worst samples of one output; `numbers` are those of all samples.
std::vector<WorstSample> worst_of(const std::vector<SampleShare>& shares, const std::vector<size_t>& numbers,
                                  double same) {
  std::vector<WorstSample> worst;
  for (size_t s = 0; s < shares.size(); ++s)
    if (!shares[s].finite || shares[s].likeness < same)
      worst.push_back({numbers[s], shares[s].finite ? std::optional(shares[s].likeness) : std::nullopt});
  std::stable_sort(worst.begin(), worst.end(), [](const WorstSample& a, const WorstSample& b) {
    return a.likeness < b.likeness;  // nothing is below all
  });
  if (worst.size() > kMostWorst) worst.resize(kMostWorst);
  return worst;
}

TaskFigures total_of(const OutputTask& task, std::vector<SampleShare> shares,
                     const std::vector<size_t>& numbers) {
  TaskFigures figures{.task = task};
  double agreeing = 0, of = 0;
  for (const SampleShare& share : shares) {
    figures.not_finite += !share.finite;
    agreeing += share.agreeing;
    of += share.of;
  }
  if (!task.measure) return figures;
  if (of > 0) figures.agreement = 100 * agreeing / of;
  task.measure->total(shares, figures);
  figures.worst = worst_of(shares, numbers, task.measure->same_likeness());
  return figures;
}

/// "'y' is taken for image (3 channels by Conv)", for every output.
std::string reasons(const Graph& graph, const std::vector<OutputTask>& tasks) {
  std::string text;
  for (size_t o = 0; o < tasks.size(); ++o)
    text += (o == 0 ? "'" : "; '") + graph.value(graph.outputs[o]).name + "' is taken for " +
            name_of(tasks[o]) + " (" + tasks[o].reason + ")";
  return text;
}

}  // namespace

std::optional<double> TaskFigures::figure(const std::string& key) const {
  for (const TaskFigure& figure : figures)
    if (figure.key == key) return figure.value;
  return std::nullopt;
}

const std::vector<OutputTask>& Agreement::decide(const std::vector<Tensor>& inputs,
                                                 const std::vector<Tensor>& outputs) {
  std::call_once(decided_, [&] { tasks_ = decide_tasks(graph_, inputs, outputs, asked_); });
  return tasks_;
}

std::vector<SampleShare> Agreement::compare(const std::vector<Tensor>& reference,
                                            const std::vector<Tensor>& candidate,
                                            std::shared_ptr<const Truth> truth) const {
  std::vector<SampleShare> shares(reference.size());
  for (size_t o = 0; o < reference.size(); ++o) {
    shares[o].truth = truth;
    Tensor a = reference[o], b = candidate[o];
    level_lists(a, b);
    if (a.shape() != b.shape())
      throw Error(ErrorKind::kInvalidArgument, "the reference computes " + to_string(a.shape()) +
                                                   ", the candidate " + to_string(b.shape()) +
                                                   "; they are not forms of the same model");
    if (a.size() == 0) continue;  // neither side has found anything
    shares[o].finite = !has_non_finite(a) && !has_non_finite(b);
    if (tasks_[o].measure)
      tasks_[o].measure->compare(
          {.reference = a, .candidate = b, .all_of_reference = reference, .all_of_candidate = candidate},
          shares[o]);
  }
  return shares;
}

std::vector<TaskFigures> Agreement::total(const std::vector<std::vector<SampleShare>>& shares) const {
  std::vector<size_t> numbers;
  for (size_t s = 0; s < shares.size(); ++s)
    if (!shares[s].empty()) numbers.push_back(s);
  std::vector<TaskFigures> figures;
  for (size_t o = 0; o < tasks_.size(); ++o) {
    std::vector<SampleShare> of_output;
    for (const size_t s : numbers) of_output.push_back(shares[s][o]);
    figures.push_back(total_of(tasks_[o], std::move(of_output), numbers));
  }
  return figures;
}

void Agreement::align(std::vector<Tensor>& reference, std::vector<Tensor>& candidate) const {
  for (const OutputTask& task : tasks_)
    if (task.measure) task.measure->align(reference, candidate);
}

void Agreement::pass_over(const std::vector<Tensor>& reference, std::vector<Tensor>& candidate) const {
  for (const OutputTask& task : tasks_)
    if (task.measure) task.measure->pass_over(reference, candidate);
}

bool shows_all(const std::vector<Tensor>& outputs) {
  return std::none_of(outputs.begin(), outputs.end(),
                      [](const Tensor& output) { return output.size() == 0; });
}

std::optional<double> worst_agreement(const std::vector<TaskFigures>& figures) {
  std::optional<double> worst;
  for (const TaskFigures& output : figures)
    if (output.agreement) worst = std::min(worst.value_or(*output.agreement), *output.agreement);
  return worst;
}

std::optional<size_t> class_output(const std::vector<OutputTask>& tasks) {
  for (size_t o = 0; o < tasks.size(); ++o)
    if (tasks[o].measure && tasks[o].measure->says_class()) return o;
  return std::nullopt;
}

void check_meaning(const Graph& graph, const std::vector<OutputTask>& tasks, Need need) {
  const auto meets = [&](const OutputTask& task) {
    if (!task.measure) return false;
    switch (need) {
      case Need::kAgreement:
        return task.measure->agreement_words() != nullptr;
      case Need::kClasses:
        return task.measure->says_class();
      case Need::kBoxes:
        return task.measure->takes_boxes();
      case Need::kMasks:
        break;
    }
    return task.measure->takes_masks();
  };
  if (std::any_of(tasks.begin(), tasks.end(), meets)) return;
  constexpr const char* kWords[] = {
      "agreement means nothing for this model: ",
      "no output holds the scores of classes, which labels and best classes need: ",
      "no output holds boxes, which labels of COCO are held against: ",
      "no output holds classes of pixels, which masks are held against: ",
  };
  throw Error(
      ErrorKind::kInvalidArgument,
      kWords[static_cast<size_t>(need)] + reasons(graph, tasks) +
          (need == Need::kAgreement ? "; ask for an SQNR, or name the task" : "; name the task if one does"));
}

}  // namespace quantize
