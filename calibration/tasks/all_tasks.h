// The list of tasks, and the meaning of all outputs of a network. Read decide_tasks().
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "calibration/tasks/task.h"

namespace quantize {

/// All tasks, in the order in which an output is held against them.
std::span<const TaskDef* const> all_tasks();

/// Nothing for any name that none has.
const TaskDef* find_task(const std::string& name);

/// The meanings that a user gave.
struct AskedTasks {
  const TaskDef* of_all = nullptr;                       // of every output that can be that
  std::map<std::string, const TaskDef*> of_output = {};  // by the output's name

  bool empty() const { return of_all == nullptr && of_output.empty(); }
};

/// Reads "auto", "NAME" and "OUTPUT=NAME". Errors: Error(kInvalidArgument) for a name that no task has, and for an
/// output, or all of them, given two tasks.
AskedTasks parse_tasks(const std::vector<std::string>& words);
constexpr const char* kAutoTask = "auto";  // every output is looked at for itself

/// Decides for every output of the graph, by its shape, its numbers and what computes it:
///
///   boxes and scores, see find_layout                            detection
///   [N, C], C scores of a Softmax, Sigmoid or layer of weights   classification
///   [N, T, C] or [T, 1, C] scores                                text
///   [N, 1 or 3, H, W] of anything but scores                     image
///   [N, C, H, W] or [N, H, W, C] scores; one Sigmoid a pixel; ArgMax   segmentation
///   [N, C] of anything else                                      embedding
///
/// `inputs` and `outputs` are those of one run of the graph, a batch of 1 where the batch can be chosen. What was asked
/// for all outputs is what every output is that can be that, and no other means anything.
/// Errors: Error(kInvalidArgument) if no output, or not the one named, can mean what was asked for, with the
/// shapes; if there is no output of a name.
std::vector<OutputTask> decide_tasks(const Graph& graph, const std::vector<Tensor>& inputs,
                                     const std::vector<Tensor>& outputs, const AskedTasks& asked);

}  // namespace quantize
