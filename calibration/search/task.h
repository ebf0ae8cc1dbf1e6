// The meaning of a network's outputs. Read decide_tasks().
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "calibration/search/box_layout.h"
#include "core/graph.h"

namespace quantize {

/// The meaning of an output, by which two networks can be said to agree.
enum class Task { kNone, kClassification, kDetection, kSegmentation, kImage, kEmbedding, kText };

/// "classification", ...; "none" for kNone.
const char* name_of(Task task);
/// All names but "none", for help and checks.
std::vector<std::string> task_names();
/// Nothing for any other text.
std::optional<Task> parse_task(const std::string& name);

/// One output and its meaning.
struct OutputTask {
  Task task = Task::kNone;
  std::string reason = {};  // for people: by what that was told, or why the output means nothing that agrees
  size_t class_axis = 1;    // of kSegmentation and kText
  bool indices = false;     // the elements are numbers of classes already
  bool halves = false;      // one score a place: above a half or not
  BoxLayout boxes = {};     // of kDetection
};

/// Decides for every output of the graph, by its shape and by what computes it:
///
///   [N, C], C scores of a Softmax, Sigmoid or layer of weights   kClassification
///   [N, C] of anything else                                      kEmbedding
///   [N, T, C] or [T, 1, C] scores                                kText
///   [N, boxes, 4 + K] or [N, 4 + K, boxes], joined from heads; boxes and scores in two outputs   kDetection
///   [N, C, H, W] or [N, H, W, C] scores; one Sigmoid a pixel; ArgMax   kSegmentation
///   [N, 1 or 3, H, W] of anything else                           kImage
///
/// `inputs` and `outputs` are those of one run of the graph, a batch of 1 where the batch can be chosen. With
/// `asked`, every output that can mean that does, and no other means anything.
/// Errors: Error(kInvalidArgument) if no output can mean what was asked for, with the shapes.
std::vector<OutputTask> decide_tasks(const Graph& graph, const std::vector<Tensor>& inputs,
                                     const std::vector<Tensor>& outputs, std::optional<Task> asked);

}  // namespace quantize
