#include <catch2/catch.hpp>

#include "calibration/search/task.h"
#include "core/error.h"
#include "tests/support/graph_builder.h"

using namespace quantize;
using namespace quantize::test;

namespace {

// A graph whose outputs are made by `last` and have these shapes; only names and shapes of the run count.
struct Net {
  Graph graph;
  std::vector<Tensor> inputs, outputs;
};

Net net(const std::vector<std::pair<std::string, Shape>>& outputs, const Shape& image = {1, 3, 64, 64}) {
  GraphBuilder b;
  const ValueId x = b.input("x", image);
  std::vector<ValueId> ids;
  Net result;
  for (const auto& [op_type, shape] : outputs) {
    std::map<std::string, Attribute> attributes;
    if (op_type == "Softmax") attributes["axis"] = int64_t{shape.size() == 4 ? 1 : -1};
    if (op_type == "Concat") attributes["axis"] = int64_t{1};
    ids.push_back(op_type == "Conv" || op_type == "Add"
                      ? b.node(op_type, {x, op_type == "Add" ? x : b.random("w", {1})})
                      : b.node(op_type, {x}, attributes));
    result.outputs.push_back(op_type == "ArgMax"
                                 ? Tensor(DataType::kS64, shape)
                                 : random_tensor(shape, static_cast<uint32_t>(ids.size()), 0, 1));
  }
  result.graph = b.build(ids);
  result.inputs = {Tensor(DataType::kF32, image)};
  return result;
}

std::vector<OutputTask> tasks(const Net& n, std::optional<Task> asked = std::nullopt) {
  return decide_tasks(n.graph, n.inputs, n.outputs, asked);
}

OutputTask task(const std::string& op_type, const Shape& shape) {
  return tasks(net({{op_type, shape}}))[0];
}

}  // namespace

TEST_CASE("The task of an output follows from its shape and from what computes it") {
  CHECK(task("Softmax", {1, 1000}).task == Task::kClassification);
  CHECK(task("Conv", {1, 10}).task == Task::kClassification);
  CHECK(task("Conv", {1, 10, 1, 1}).task == Task::kClassification);
  CHECK(task("Conv", {1, 1, 1, 10}).task == Task::kClassification);
  CHECK(task("Conv", {10}).task == Task::kClassification);
  CHECK(task("ArgMax", {1}).task == Task::kClassification);
  CHECK(task("ArgMax", {1}).indices);
  CHECK(task("Sigmoid", {1, 1}).halves);
  CHECK(task("Conv", {1, 1}).task == Task::kNone);

  CHECK(task("LpNormalization", {1, 128}).task == Task::kEmbedding);
  CHECK(task("Add", {1, 128}).task == Task::kEmbedding);
  CHECK(task("Relu", {1, 128}).task == Task::kEmbedding);

  CHECK(task("Softmax", {1, 40, 6625}).task == Task::kText);
  CHECK(task("Softmax", {1, 40, 6625}).class_axis == 2);
  CHECK(task("Conv", {26, 1, 37}).task == Task::kText);
  CHECK(task("Softmax", {1, 37, 1, 26}).task == Task::kText);
  CHECK(task("ArgMax", {1, 40}).task == Task::kText);

  CHECK(task("Conv", {1, 21, 64, 64}).task == Task::kSegmentation);
  CHECK(task("Softmax", {1, 3, 64, 64}).task == Task::kSegmentation);
  CHECK(task("Sigmoid", {1, 1, 64, 64}).halves);
  CHECK(task("ArgMax", {1, 64, 64}).task == Task::kSegmentation);
  CHECK(task("Sigmoid", {1, 64, 64}).task == Task::kSegmentation);

  CHECK(task("Conv", {1, 3, 128, 128}).task == Task::kImage);
  CHECK(task("Conv", {1, 1, 64, 64}).task == Task::kImage);
  CHECK(task("Sigmoid", {1, 3, 64, 64}).task == Task::kImage);
  CHECK(task("Conv", {1, 64, 64}).task == Task::kImage);
  CHECK(task("Conv", {1, 64, 64, 3}).task == Task::kImage);
}

TEST_CASE("Features and heads that are not decoded have no agreement") {
  CHECK(task("Relu", {1, 256, 16, 16}).task == Task::kNone);
  CHECK(task("Conv", {1, 255, 2, 2}).task == Task::kNone);  // 32 pixels apart
  CHECK(task("Add", {1, 197, 192}).task == Task::kNone);
  for (const OutputTask& head : tasks(net({{"Conv", {1, 255, 16, 16}}, {"Conv", {1, 255, 8, 8}}})))
    CHECK(head.task == Task::kNone);
  CHECK(task("Conv", {1, 3, 16, 16, 85}).task == Task::kNone);
  for (const OutputTask& head :
       tasks(net({{"Conv", {1, 16, 16, 16}}, {"Conv", {1, 84, 16, 16}}})))  // four anchors
    CHECK(head.task == Task::kNone);
  for (const OutputTask& map : tasks(net({{"Conv", {1, 19, 16, 16}}, {"Conv", {1, 4, 16, 16}}})))
    CHECK(map.task == Task::kSegmentation);
}

TEST_CASE("Boxes that are not decoded are not judged as boxes, whoever asks") {
  Net offsets = net({{"Softmax", {1, 420, 21}}, {"Conv", {1, 420, 4}}});
  offsets.outputs[1] = random_tensor({1, 420, 4}, 5, -1, 1);
  for (const OutputTask& output : tasks(offsets)) CHECK(output.task == Task::kNone);
  CHECK_THROWS_WITH(tasks(offsets, Task::kDetection),
                    Catch::Contains("no output can be of the task 'detection'"));
  const std::vector<std::pair<std::string, Shape>> others = {{"Conv", {1, 255, 16, 16}},
                                                             {"Conv", {1, 3, 16, 16, 85}},
                                                             {"Softmax", {1, 40, 97}},
                                                             {"Softmax", {1, 1000}}};
  for (const auto& [op_type, shape] : others)
    CHECK_THROWS_WITH(tasks(net({{op_type, shape}}), Task::kDetection), Catch::Contains(to_string(shape)));
}

TEST_CASE("Detectors are told by joined heads, or by boxes beside scores") {
  CHECK(task("Concat", {1, 84, 8400}).task == Task::kDetection);
  CHECK(task("Concat", {1, 84, 8400}).boxes.rows_last);
  CHECK(task("Concat", {1, 3549, 85}).boxes.objectness);
  const std::vector<OutputTask> pair = tasks(net({{"Softmax", {1, 420, 2}}, {"Conv", {1, 420, 4}}}));
  CHECK(pair[0].task == Task::kDetection);
  CHECK(pair[0].boxes.boxes_output == 1u);
  CHECK(pair[0].boxes.background);
  CHECK(pair[1].task == Task::kNone);
}

TEST_CASE("A task that was asked for counts for the outputs that can be it") {
  const Net two = net({{"Relu", {1, 256, 16, 16}}, {"LpNormalization", {1, 128}}});
  CHECK(tasks(two, Task::kClassification)[0].task == Task::kNone);
  CHECK(tasks(two, Task::kClassification)[1].task == Task::kClassification);
  CHECK(tasks(two, Task::kEmbedding)[0].task == Task::kEmbedding);
  CHECK(tasks(net({{"Sigmoid", {1, 1, 64, 64}}}), Task::kImage)[0].task == Task::kImage);
  CHECK_THROWS_WITH(tasks(two, Task::kDetection),
                    Catch::Contains("detection") && Catch::Contains("1x256x16x16"));
}

TEST_CASE("Names of tasks are read as they are written") {
  for (const std::string& name : task_names()) CHECK(name_of(parse_task(name).value()) == name);
  CHECK_FALSE(parse_task("none"));
  CHECK_FALSE(parse_task("auto"));
}
