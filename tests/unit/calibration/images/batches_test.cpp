#include <catch2/catch.hpp>

#include "calibration/images/batches.h"
#include "calibration/search/input_codes.h"
#include "tests/support/graph_builder.h"

using namespace quantize;
using namespace quantize::test;

namespace {

Graph with_inputs(const std::vector<Shape>& shapes) {
  GraphBuilder b;
  std::vector<ValueId> outputs;
  for (size_t i = 0; i < shapes.size(); ++i)
    outputs.push_back(b.node("Relu", {b.input("x" + std::to_string(i), shapes[i])}));
  return b.build(outputs);
}

}  // namespace

TEST_CASE("The batch of a model is the first extent that all its inputs are fixed to") {
  CHECK(fixed_batch(with_inputs({{4, 3, 8, 8}})) == 4);
  CHECK(fixed_batch(with_inputs({{4, 3, 8, 8}, {4, 2}})) == 4);
  CHECK(fixed_batch(with_inputs({{4, 3, 8, 8}, {1, 2}})) == 1);
  CHECK(fixed_batch(with_inputs({{1, 3, 8, 8}})) == 1);
  CHECK(fixed_batch(with_inputs({{kUnknownDim, 3, 8, 8}})) == 1);
  CHECK(fixed_batch(with_inputs({{}})) == 1);
  CHECK(*sample_inputs(with_inputs({{4, 3, 8, 8}}))[0].shape == Shape{1, 3, 8, 8});
  CHECK(*sample_inputs(with_inputs({{kUnknownDim, 3}}))[0].shape == Shape{kUnknownDim, 3});
}

TEST_CASE("A row of a batch lies along the first extent, else along the second; other outputs are whole") {
  const std::vector<Tensor> outputs = {Tensor::of<float>({2, 2}, {1, 2, 3, 4}),
                                       Tensor::of<float>({3, 2, 1}, {1, 2, 3, 4, 5, 6}),
                                       Tensor::of<float>({3}, {7, 8, 9})};
  const std::vector<Tensor> second = row_of(outputs, 1, 2);
  CHECK(equal(second[0], Tensor::of<float>({1, 2}, {3, 4})));
  CHECK(equal(second[1], Tensor::of<float>({3, 1, 1}, {2, 4, 6})));
  CHECK(equal(second[2], outputs[2]));
  CHECK(equal(row_of(outputs, 0, 1)[0], outputs[0]));
}

TEST_CASE("A row of an output without elements has none either") {
  const std::vector<Tensor> outputs{Tensor(DataType::kF32, {0, 2}), Tensor(DataType::kF32, {2, 0})};
  const std::vector<Tensor> row = row_of(outputs, 1, 2);
  CHECK(row[0].shape() == Shape{0, 1});
  CHECK(row[1].shape() == Shape{1, 0});
}

TEST_CASE("Floats become codes where the model takes codes, whatever became of its constants since") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 2}, DataType::kU8), plain = b.input("plain", {1, 2});
  const ValueId scale = b.constant("scale", Tensor::scalar<float>(0.5f)),
                zero = b.constant("zero", Tensor::scalar<uint8_t>(10));
  Graph graph = b.build({b.node("Add", {b.node("DequantizeLinear", {x, scale, zero}), plain})});
  const InputCodes codes(graph);
  for (Value& value : graph.values) value.initializer = Tensor();
  const Tensor real = Tensor::of<float>({1, 2}, {1, -2});
  const std::vector<Tensor> inputs = codes.quantized({real, real});
  CHECK(equal(inputs[0], Tensor::of<uint8_t>({1, 2}, {12, 6})));
  CHECK(equal(inputs[1], real));
}
