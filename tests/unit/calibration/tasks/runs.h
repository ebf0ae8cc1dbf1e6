// Runs of networks as tasks see them: graphs whose outputs are made by an operator and have these numbers.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "calibration/tasks/all_tasks.h"
#include "tests/support/graph_builder.h"

namespace quantize::test {

/// One run of a graph.
struct Run {
  Graph graph;
  std::vector<Tensor> inputs, outputs;

  OutputView view(size_t output) const { return {graph, inputs, outputs, output}; }
  std::vector<OutputTask> tasks(const std::vector<std::string>& asked = {}) const {
    return decide_tasks(graph, inputs, outputs, parse_tasks(asked));
  }
};

/// A graph of an image with an output for each operator, and what a run computes.
inline Run run_of(const std::vector<std::pair<std::string, Tensor>>& outputs,
                  const Shape& image = {1, 3, 64, 64}) {
  GraphBuilder b;
  const ValueId x = b.input("x", image);
  std::vector<ValueId> ids;
  Run run;
  for (const auto& [op_type, tensor] : outputs) {
    std::map<std::string, Attribute> attributes;
    if (op_type == "Softmax") attributes["axis"] = int64_t{tensor.shape().size() == 4 ? 1 : -1};
    if (op_type == "Concat") attributes["axis"] = int64_t{1};
    ids.push_back(op_type == "Conv" || op_type == "Add"
                      ? b.node(op_type, {x, op_type == "Add" ? x : b.random("w", {1})})
                      : b.node(op_type, {x}, attributes));
    run.outputs.push_back(tensor);
  }
  run.graph = b.build(ids);
  run.inputs = {Tensor(DataType::kF32, image)};
  return run;
}

/// Rows as they stand in an output [1, rows, columns], or [1, columns, rows].
inline Tensor rows_of(const std::vector<std::vector<float>>& rows, bool rows_last = false) {
  const auto count = static_cast<int64_t>(rows.size()), columns = static_cast<int64_t>(rows[0].size());
  Tensor tensor(DataType::kF32, rows_last ? Shape{1, columns, count} : Shape{1, count, columns});
  for (int64_t r = 0; r < count; ++r)
    for (int64_t c = 0; c < columns; ++c)
      tensor.mutable_data<float>()[rows_last ? c * count + r : r * columns + c] =
          rows[static_cast<size_t>(r)][static_cast<size_t>(c)];
  return tensor;
}

/// The same tensor without extents of 1 in front.
inline Tensor list_of(const std::vector<std::vector<float>>& rows) {
  const Tensor tensor = rows_of(rows);
  return Tensor::of({tensor.shape()[1], tensor.shape()[2]}, tensor.to_vector<float>());
}

}  // namespace quantize::test
