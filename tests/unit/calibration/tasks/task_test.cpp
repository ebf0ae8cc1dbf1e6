#include <catch2/catch.hpp>

#include "core/error.h"
#include "tests/unit/calibration/tasks/runs.h"

using namespace quantize;
using namespace quantize::test;

namespace {

// A run whose outputs have these shapes and random numbers from 0 to 1.
Run net(const std::vector<std::pair<std::string, Shape>>& outputs) {
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (const auto& [op_type, shape] : outputs)
    tensors.emplace_back(
        op_type, op_type == "ArgMax" ? Tensor(DataType::kS64, shape)
                                     : random_tensor(shape, static_cast<uint32_t>(tensors.size()) + 1, 0, 1));
  return run_of(tensors);
}

std::string task(const std::string& op_type, const Shape& shape) {
  return name_of(net({{op_type, shape}}).tasks()[0]);
}

}  // namespace

TEST_CASE("The task of an output follows from its shape and from what computes it") {
  CHECK(task("Softmax", {1, 1000}) == "classification");
  CHECK(task("Conv", {1, 10}) == "classification");
  CHECK(task("Conv", {1, 10, 1, 1}) == "classification");
  CHECK(task("Conv", {1, 1, 1, 10}) == "classification");
  CHECK(task("Conv", {10}) == "classification");
  CHECK(task("ArgMax", {1}) == "classification");
  CHECK(task("Sigmoid", {1, 1}) == "classification");
  CHECK(task("Conv", {1, 1}) == "none");

  CHECK(task("LpNormalization", {1, 128}) == "embedding");
  CHECK(task("Add", {1, 128}) == "embedding");
  CHECK(task("Relu", {1, 128}) == "embedding");

  CHECK(task("Softmax", {1, 40, 6625}) == "text");
  CHECK(task("Conv", {26, 1, 37}) == "text");
  CHECK(task("Softmax", {1, 37, 1, 26}) == "text");
  CHECK(task("ArgMax", {1, 40}) == "text");

  CHECK(task("Conv", {1, 21, 64, 64}) == "segmentation");
  CHECK(task("Softmax", {1, 3, 64, 64}) == "segmentation");
  CHECK(task("Sigmoid", {1, 1, 64, 64}) == "segmentation");
  CHECK(task("ArgMax", {1, 64, 64}) == "segmentation");
  CHECK(task("Sigmoid", {1, 64, 64}) == "segmentation");

  CHECK(task("Conv", {1, 3, 128, 128}) == "image");
  CHECK(task("Conv", {1, 1, 64, 64}) == "image");
  CHECK(task("Sigmoid", {1, 3, 64, 64}) == "image");
  CHECK(task("Conv", {1, 64, 64}) == "image");
  CHECK(task("Conv", {1, 64, 64, 3}) == "image");
}

TEST_CASE("Features and heads that are not decoded have no agreement") {
  CHECK(task("Relu", {1, 256, 16, 16}) == "none");
  CHECK(task("Conv", {1, 255, 2, 2}) == "none");  // 32 pixels apart
  CHECK(task("Add", {1, 197, 192}) == "none");
  for (const OutputTask& head : net({{"Conv", {1, 255, 16, 16}}, {"Conv", {1, 255, 8, 8}}}).tasks())
    CHECK(std::string(name_of(head)) == "none");
  CHECK(task("Conv", {1, 3, 16, 16, 85}) == "none");
  for (const OutputTask& head :
       net({{"Conv", {1, 16, 16, 16}}, {"Conv", {1, 84, 16, 16}}}).tasks())  // four anchors
    CHECK(std::string(name_of(head)) == "none");
  for (const OutputTask& map : net({{"Conv", {1, 19, 16, 16}}, {"Conv", {1, 4, 16, 16}}}).tasks())
    CHECK(std::string(name_of(map)) == "segmentation");
}

TEST_CASE("Boxes that are not decoded are not judged as boxes, whoever asks") {
  Run offsets = net({{"Softmax", {1, 420, 21}}, {"Conv", {1, 420, 4}}});
  offsets.outputs[1] = random_tensor({1, 420, 4}, 5, -1, 1);
  for (const OutputTask& output : offsets.tasks()) CHECK(std::string(name_of(output)) == "none");
  CHECK_THROWS_WITH(offsets.tasks({"detection"}),
                    Catch::Contains("no output can be of the task 'detection'"));
  const std::vector<std::pair<std::string, Shape>> others = {{"Conv", {1, 255, 16, 16}},
                                                             {"Conv", {1, 3, 16, 16, 85}},
                                                             {"Softmax", {1, 40, 97}},
                                                             {"Softmax", {1, 1000}}};
  for (const auto& [op_type, shape] : others)
    CHECK_THROWS_WITH(net({{op_type, shape}}).tasks({"detection"}), Catch::Contains(to_string(shape)));
}

TEST_CASE("Detectors are told by joined heads, or by boxes beside scores") {
  CHECK(task("Concat", {1, 84, 8400}) == "detection");
  CHECK(task("Concat", {1, 3549, 85}) == "detection");
  const std::vector<OutputTask> pair = net({{"Softmax", {1, 420, 2}}, {"Conv", {1, 420, 4}}}).tasks();
  CHECK(std::string(name_of(pair[0])) == "detection");
  CHECK(std::string(name_of(pair[1])) == "none");
}

TEST_CASE("A task that was asked for counts for the outputs that can be it") {
  const Run two = net({{"Relu", {1, 256, 16, 16}}, {"LpNormalization", {1, 128}}});
  CHECK(std::string(name_of(two.tasks({"classification"})[0])) == "none");
  CHECK(std::string(name_of(two.tasks({"classification"})[1])) == "classification");
  CHECK(std::string(name_of(two.tasks({"embedding"})[0])) == "embedding");
  CHECK(std::string(name_of(net({{"Sigmoid", {1, 1, 64, 64}}}).tasks({"image"})[0])) == "image");
  CHECK_THROWS_WITH(two.tasks({"detection"}), Catch::Contains("detection") && Catch::Contains("1x256x16x16"));
}

TEST_CASE("A task by the name of an output counts for that one alone") {
  const Run two = net({{"Relu", {1, 256, 16, 16}}, {"LpNormalization", {1, 128}}});
  const std::string second = two.view(1).name(1);
  const std::vector<OutputTask> tasks = two.tasks({second + "=classification"});
  CHECK(std::string(name_of(tasks[0])) == "none");
  CHECK(std::string(name_of(tasks[1])) == "classification");
  CHECK(std::string(name_of(two.tasks({"embedding", second + "=classification"})[1])) == "classification");
  CHECK_THROWS_WITH(two.tasks({second + "=segmentation"}),
                    Catch::Contains(second) && Catch::Contains("1x128"));
  CHECK_THROWS_WITH(two.tasks({"nothing=embedding"}), Catch::Contains("no output of that name"));
}

TEST_CASE("Names of tasks are read as they are written, once for each output") {
  for (const TaskDef* task : all_tasks()) CHECK(parse_tasks({task->name}).of_all == task);
  CHECK(parse_tasks({"auto"}).empty());
  CHECK(parse_tasks({}).empty());
  CHECK(parse_tasks({"a=b=text"}).of_output.at("a=b") == &kTextTask);
  for (const std::vector<std::string>& wrong : std::vector<std::vector<std::string>>{
           {"none"}, {"y=auto"}, {"poetry"}, {"text", "image"}, {"y=text", "y=image"}, {""}})
    CHECK_THROWS_AS(parse_tasks(wrong), Error);
}
