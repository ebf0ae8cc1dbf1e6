// Steps that several threads share compute the same bytes as one thread does.
#include <catch2/catch.hpp>

#include "core/passes/passes.h"
#include "tests/support/graph_builder.h"
#include "tests/support/reference.h"

using namespace quantize;
using namespace quantize::test;

namespace {

using Ints = std::vector<int64_t>;

/// Runs a graph of one step with every kernel table on one and on several threads.
void check_split(const Graph& graph) {
  const std::vector<Tensor> inputs = random_inputs(graph);
  for (const Isa isa : supported_isas()) {
    CompileOptions options;
    options.kernels = &kernels_for(isa);
    const Tensor expected = Engine(graph, options).run(inputs)[0];
    for (const int threads : {2, 3, 7}) {
      INFO("isa " << name_of(isa) << " threads " << threads);
      options.threads = threads;
      std::vector<Shape> shapes;
      for (const Tensor& input : inputs) shapes.push_back(input.shape());
      CHECK(compile(specialize(graph, shapes), options).steps()[0].chunks > 1);
      CHECK(equal(Engine(graph, options).run(inputs)[0], expected));
    }
  }
}

void check_conv(const Shape& image, const Shape& weights, int64_t group, const Ints& strides,
                const Ints& pads) {
  INFO("Conv of " << to_string(image) << " by " << to_string(weights) << " group " << group);
  GraphBuilder b;
  const ValueId x = b.input("x", image);
  check_split(b.build({b.node("Conv", {x, b.random("w", weights), b.random("bias", {weights[0]})},
                              {{"group", group}, {"strides", strides}, {"pads", pads}})}));
}

}  // namespace

TEST_CASE("threads share a convolution's rows, panels, groups or images") {
  check_conv({1, 8, 70, 60}, {9, 8, 3, 3}, 1, {1, 1}, {1, 1, 1, 1});      // rows
  check_conv({1, 3, 99, 97}, {17, 3, 7, 7}, 1, {2, 2}, {3, 3, 3, 3});     // rows of phases
  check_conv({1, 40, 40, 31}, {33, 40, 1, 1}, 1, {1, 1}, {0, 0, 0, 0});   // rows, in place
  check_conv({1, 100, 7, 7}, {131, 100, 3, 3}, 1, {1, 1}, {1, 1, 1, 1});  // panels
  check_conv({1, 200, 7, 5}, {333, 200, 1, 1}, 1, {1, 1}, {0, 0, 0, 0});  // panels, in place
  check_conv({2, 60, 14, 14}, {90, 20, 3, 3}, 3, {1, 1}, {1, 1, 1, 1});   // groups and images
  check_conv({1, 6, 5, 33, 30}, {10, 6, 2, 3, 3}, 1, {1, 1, 1}, {0, 1, 1, 1, 1, 1});
  check_conv({2, 50, 60, 60}, {100, 1, 3, 3}, 50, {2, 1}, {1, 1, 1, 1});  // depthwise
  check_conv({3, 100, 5, 5}, {777, 100, 5, 5}, 1, {1, 1}, {0, 0, 0, 0});  // a kernel as large as the image
}

TEST_CASE("threads share a transposed convolution") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2, 30, 21, 20});
  check_split(b.build({b.node("ConvTranspose", {x, b.random("w", {30, 7, 3, 3}), b.random("bias", {14})},
                              {{"group", int64_t{2}}, {"strides", Ints{2, 2}}})}));
}

TEST_CASE("threads share softmax and layer normalization") {
  for (const int64_t axis : {1, 3}) {
    GraphBuilder b;
    check_split(b.build({b.node("Softmax", {b.input("x", {3, 30, 33, 31})}, {{"axis", axis}})}));
  }
  GraphBuilder b(17);
  const ValueId x = b.input("x", {3, 300, 65});
  check_split(b.build({b.node("LayerNormalization", {x, b.random("w", {65}), b.random("bias", {65})})}));
}

TEST_CASE("threads share pools and operators that work element by element") {
  const auto check = [](const std::string& op_type, size_t inputs,
                        std::map<std::string, Attribute> attributes) {
    INFO(op_type);
    GraphBuilder b;
    std::vector<ValueId> operands;
    for (size_t i = 0; i < inputs; ++i) operands.push_back(b.input("x" + std::to_string(i), {2, 19, 41, 37}));
    check_split(b.build({b.node(op_type, operands, std::move(attributes))}));
  };
  for (const char* pool : {"MaxPool", "AveragePool"})
    check(pool, 1, {{"kernel_shape", Ints{3, 2}}, {"strides", Ints{2, 1}}, {"pads", Ints{1, 0, 1, 1}}});
  for (const char* op_type : {"Sigmoid", "Relu", "Tanh"}) check(op_type, 1, {});
  for (const char* op_type : {"Add", "Mul", "Max"}) check(op_type, 2, {});
  GraphBuilder b;
  const ValueId x = b.input("x", {33, 1003});
  check_split(b.build({b.node(
      "Clip", {x, b.constant("low", Tensor::scalar(-0.5f)), b.constant("high", Tensor::scalar(0.5f))})}));
}

TEST_CASE("threads share a product's rows, columns or matrices") {
  {
    GraphBuilder b;
    const ValueId x = b.input("x", {1, 1000});
    check_split(b.build({b.node("Gemm", {x, b.random("w", {1003, 1000}), b.random("c", {1003})},
                                {{"transB", int64_t{1}}, {"alpha", 0.5f}})}));
  }
  for (const auto& [left, right] : std::vector<std::pair<Shape, Shape>>{{{300, 70}, {70, 50}},
                                                                        {{2, 151, 70}, {70, 50}},
                                                                        {{7, 70}, {70, 1111}},
                                                                        {{2, 6, 50, 41}, {2, 6, 41, 50}}}) {
    INFO(to_string(left) << " times " << to_string(right));
    for (const bool constant : {false, true}) {
      GraphBuilder b;
      const ValueId x = b.input("x", left);
      const ValueId w = constant ? b.random("w", right) : b.input("w", right);
      check_split(b.build({b.node("MatMul", {x, w})}));
    }
  }
}
