#include "core/ops/macs.h"

#include <catch2/catch.hpp>

#include "core/ops/op.h"
#include "core/passes/passes.h"
#include "tests/support/graph_builder.h"

namespace quantize {

using test::GraphBuilder;

namespace {

uint64_t macs_of_last(GraphBuilder& builder, ValueId output) {
  Graph graph = builder.build({output});
  infer_shapes(graph);
  return macs_of(graph, graph.nodes.back());
}

}  // namespace

TEST_CASE("macs: a convolution multiplies once per output element, input channel of its group and tap") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 4, 6, 6});
  const ValueId y = b.node("Conv", {x, b.random("w", {8, 2, 3, 3})},
                           {{"group", int64_t{2}}, {"pads", std::vector<int64_t>{1, 1, 1, 1}}});
  CHECK(macs_of_last(b, y) == 8 * 36 * 2 * 9);
}

TEST_CASE("macs: a transposed convolution multiplies once per input element, output channel and tap") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 4, 5, 5});
  const ValueId y =
      b.node("ConvTranspose", {x, b.random("w", {4, 3, 2, 2})}, {{"strides", std::vector<int64_t>{2, 2}}});
  CHECK(macs_of_last(b, y) == 4 * 25 * 3 * 4);
}

TEST_CASE("macs: integer products count as those of reals") {
  GraphBuilder b;
  const ValueId w = b.constant("w", Tensor(DataType::kS8, {8, 2, 3, 3})),
                m = b.constant("m", Tensor(DataType::kS8, {6, 5}));
  const ValueId x = b.input("x", {1, 4, 6, 6}, DataType::kU8);
  CHECK(macs_of_last(b, b.node("MatMulInteger", {x, m})) == 4 * 6 * 5 * 6);
  CHECK(macs_of_last(b, b.node("ConvInteger", {x, w}, {{"group", int64_t{2}}})) == 8 * 16 * 2 * 9);
}

TEST_CASE("macs: products of matrices, constant or not, batched or not") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2, 3, 5});
  CHECK(macs_of_last(b, b.node("MatMul", {x, b.random("w", {5, 7})})) == 2 * 3 * 5 * 7);
  CHECK(macs_of_last(b, b.node("MatMul", {x, b.input("z", {2, 5, 4})})) == 2 * 3 * 5 * 4);
  const ValueId flat = b.input("flat", {3, 5});
  CHECK(macs_of_last(b, b.node("Gemm", {flat, b.random("v", {6, 5})}, {{"transB", int64_t{1}}})) ==
        3 * 5 * 6);
  CHECK(macs_of_last(b, b.node("Relu", {flat})) == 0);
}

TEST_CASE("macs: recurrent layers, Einsum and Attention") {
  GraphBuilder b(23);
  const ValueId steps = b.input("steps", {7, 2, 5});
  const ValueId w = b.random("w", {2, 12, 5}), r = b.random("r", {2, 12, 4});
  CHECK(macs_of_last(b, b.nodes("GRU", {steps, w, r}, 1,
                                {{"direction", std::string("bidirectional")},
                                 {"hidden_size", int64_t{4}}})[0]) == 7 * 2 * 2 * 12 * (5 + 4));
  const ValueId x = b.input("x", {2, 3, 5});
  CHECK(macs_of_last(b, b.node("Einsum", {x, b.random("m", {5, 4})},
                               {{"equation", std::string("bij, jk -> bik")}})) == 2 * 3 * 5 * 4);
  CHECK(macs_of_last(b, b.node("Einsum", {x}, {{"equation", std::string("bij->bji")}})) == 0);
  const ValueId heads = b.input("heads", {2, 4, 6, 8});
  CHECK(macs_of_last(b, b.node("Attention", {heads, heads, heads})) == 2 * (2 * 4 * 6 * 8) * 6);
}

TEST_CASE("macs: an unknown extent counts as one") {
  GraphBuilder b;
  const ValueId x = b.input("x", {kUnknownDim, 5});
  CHECK(macs_of_last(b, b.node("MatMul", {x, b.random("w", {5, 7})})) == 5 * 7);
}

TEST_CASE("weight layout: finds each weight of every operator with weights") {
  // Each output channel o reads input channel i of its group with weight w(o, i); the operator on a one-hot
  // input must return exactly that weight.
  GraphBuilder b;
  const ValueId image = b.input("image", {1, 4, 1, 1});
  const ValueId row = b.input("row", {1, 4});
  std::vector<ValueId> outputs{
      b.node("Conv", {image, b.random("conv", {6, 2, 1, 1})}, {{"group", int64_t{2}}}),
      b.node("ConvTranspose", {image, b.random("transposed", {4, 3, 1, 1})}, {{"group", int64_t{2}}}),
      b.node("Gemm", {row, b.random("gemm", {4, 5})}),
      b.node("Gemm", {row, b.random("gemm_t", {5, 4})}, {{"transB", int64_t{1}}}),
      b.node("MatMul", {row, b.random("matmul", {4, 5})})};
  const Graph graph = b.build(outputs);
  for (int64_t channel = 0; channel < 4; ++channel) {
    std::vector<float> one_hot(4, 0.0f);
    one_hot[static_cast<size_t>(channel)] = 1;
    const auto results = test::run_graph(
        graph, {Tensor::of<float>({1, 4, 1, 1}, one_hot), Tensor::of<float>({1, 4}, one_hot)});
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
      const Node& node = graph.nodes[n];
      const Tensor& weights = *graph.constant(node.inputs[1]);
      const auto layout = find_op(graph, node).weight_layout(node, weights.shape());
      REQUIRE(layout.has_value());
      REQUIRE(layout->size() == weights.size());
      REQUIRE(layout->output_channels() == results[n].size());
      CHECK(layout->input_channels() == 4);
      for (int64_t o = 0; o < layout->output_channels(); ++o) {
        const int64_t i = channel - layout->first_input(o);
        const bool reads = i >= 0 && i < layout->inputs;
        CHECK(results[n].data<float>()[o] == (reads ? weights.data<float>()[layout->offset(o, i)] : 0.0f));
      }
    }
  }
}

}  // namespace quantize
