#include "calibration/tasks/all_tasks.h"

#include <algorithm>
#include <array>

#include "core/error.h"

namespace quantize {

namespace {

constexpr std::array<const TaskDef*, 6> kTasks = {
    &kDetectionTask, &kClassificationTask, &kTextTask, &kImageTask, &kSegmentationTask, &kEmbeddingTask,
};

OutputTask recognized(const OutputView& output) {
  if (output.tensor().size() != 0 && output.form() == TensorForm::kNothing)
    return no_task("nothing is computed");
  for (const TaskDef* task : kTasks)
    if (std::optional<OutputTask> found = task->recognize(output)) return *std::move(found);
  if (output.tensor().size() == 0) return no_task("it holds nothing in the first samples");
  return no_task("values of shape " + to_string(output.shape()) + output.by() + " have no known meaning");
}

/// An output that means what is asked for by itself keeps what was recognized.
std::optional<OutputTask> accepted(const OutputView& output, const TaskDef& asked) {
  OutputTask task = recognized(output);
  return task.def == &asked ? std::optional(std::move(task)) : asked.accept(output);
}

std::string shapes_of(const Graph& graph, const std::vector<Tensor>& outputs) {
  std::string text;
  for (size_t o = 0; o < outputs.size(); ++o)
    text += (o == 0 ? "'" : ", '") + graph.value(graph.outputs[o]).name + "' of shape " +
            to_string(outputs[o].shape());
  return text;
}

void check_names(const Graph& graph, const AskedTasks& asked) {
  for (const auto& [name, task] : asked.of_output)
    if (std::none_of(graph.outputs.begin(), graph.outputs.end(),
                     [&, &wanted = name](ValueId id) { return graph.value(id).name == wanted; }))
      throw Error(ErrorKind::kInvalidArgument,
                  "--task gives a meaning to '" + name + "', but the model has no output of that name");
}

}  // namespace

std::span<const TaskDef* const> all_tasks() {
  return kTasks;
}

const TaskDef* find_task(const std::string& name) {
  const auto* const found =
      std::find_if(kTasks.begin(), kTasks.end(), [&](const TaskDef* task) { return task->name == name; });
  return found == kTasks.end() ? nullptr : *found;
}

const char* name_of(const OutputTask& task) {
  return task.def == nullptr ? "none" : task.def->name;
}

OutputTask no_task(std::string reason) {
  return {.reason = std::move(reason)};
}

AskedTasks parse_tasks(const std::vector<std::string>& words) {
  AskedTasks asked;
  bool all_given = false;
  const auto fail = [](const std::string& message) { throw Error(ErrorKind::kInvalidArgument, message); };
  for (const std::string& word : words) {
    const size_t split = word.rfind('=');
    const std::string name = split == std::string::npos ? word : word.substr(split + 1);
    const TaskDef* task = find_task(name);
    if (task == nullptr && (name != kAutoTask || split != std::string::npos)) {
      std::string names;
      for (const TaskDef* known : kTasks) names += std::string(names.empty() ? "" : ", ") + known->name;
      fail("--task '" + word + "' names no task; there are " + names + ", and auto for all outputs");
    }
    if (split != std::string::npos) {
      if (!asked.of_output.emplace(word.substr(0, split), task).second)
        fail("--task gives the output '" + word.substr(0, split) + "' two meanings");
      continue;
    }
    if (all_given) fail("--task gives all outputs two meanings; name the outputs: --task OUTPUT=NAME");
    all_given = true;
    asked.of_all = task;
  }
  return asked;
}

std::vector<OutputTask> decide_tasks(const Graph& graph, const std::vector<Tensor>& inputs,
                                     const std::vector<Tensor>& outputs, const AskedTasks& asked) {
  check_names(graph, asked);
  std::vector<OutputTask> tasks;
  bool any = asked.of_all == nullptr;
  for (size_t o = 0; o < outputs.size(); ++o) {
    const OutputView view(graph, inputs, outputs, o);
    const auto named = asked.of_output.find(view.name(o));
    const TaskDef* wanted = named == asked.of_output.end() ? asked.of_all : named->second;
    if (wanted == nullptr) {
      tasks.push_back(recognized(view));
      continue;
    }
    const std::optional<OutputTask> task = accepted(view, *wanted);
    if (!task && named != asked.of_output.end())
      throw Error(ErrorKind::kInvalidArgument, "the output '" + view.name(o) + "' of shape " +
                                                   to_string(view.shape()) + " cannot be of the task '" +
                                                   wanted->name + "'");
    any = any || task;
    tasks.push_back(task.value_or(no_task("not what was asked for")));
  }
  if (!any)
    throw Error(ErrorKind::kInvalidArgument, std::string("no output can be of the task '") +
                                                 asked.of_all->name + "': the model computes " +
                                                 shapes_of(graph, outputs));
  return tasks;
}

}  // namespace quantize
