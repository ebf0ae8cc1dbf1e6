// Linear layers on tensors whose channels come last: whatever a constant behind them looks like, it is added
// once, and the correction of the bias uses the means of the axis that is multiplied.
#include <catch2/catch.hpp>
#include <cmath>

#include "core/integer/lowering.h"
#include "core/passes/passes.h"
#include "core/quantization/insert_qdq.h"
#include "core/quantization/plan_quantization.h"
#include "tests/support/measured_ranges.h"

namespace quantize {

using test::GraphBuilder;

namespace {

using List = std::vector<int64_t>;

/// Signal over error of all outputs together, in dB.
double sqnr(const std::vector<Tensor>& expected, const std::vector<Tensor>& actual) {
  double signal = 0, noise = 1e-30;
  for (size_t t = 0; t < expected.size(); ++t) {
    REQUIRE(actual[t].shape() == expected[t].shape());
    for (int64_t i = 0; i < expected[t].size(); ++i) {
      const double e = expected[t].data<float>()[i], a = actual[t].data<float>()[i];
      signal += e * e;
      noise += (e - a) * (e - a);
    }
  }
  return 10 * std::log10(signal / noise);
}

struct Result {
  double qdq = 0, lowered = 0;  // dB
  size_t products = 0;          // of integers
};

/// The quantized form of a graph with static shapes, with one kind of correction.
Result quantized(const Graph& graph, BiasCorrection correction, int weight_bits = 8) {
  QuantizationScheme scheme;
  scheme.bias_correction = correction;
  scheme.weights.num_bits = weight_bits;
  const RangeTable ranges = test::measured_ranges(graph);
  Graph qdq = insert_qdq(plan_quantization(graph, ranges, scheme, find_target("ort-x86")));
  validate(qdq);
  infer_shapes(qdq);
  const Graph lowered = lower_to_qoperator(qdq, {}, Runtime::kAny);
  validate(lowered);
  const auto inputs = test::random_inputs(graph);
  const auto expected = test::run_graph(graph, inputs);
  return {sqnr(expected, test::run_graph(qdq, inputs)), sqnr(expected, test::run_graph(lowered, inputs)),
          test::count_nodes(lowered, "MatMulIntegerToFloat") + test::count_nodes(lowered, "QLinearMatMul") +
              test::count_nodes(lowered, "QGemm")};
}

Graph inferred(GraphBuilder& b, std::vector<ValueId> outputs) {
  Graph graph = b.build(std::move(outputs));
  infer_shapes(graph);
  return graph;
}

/// An input whose means differ a lot along every axis.
ValueId uneven(GraphBuilder& b, const Shape& shape) {
  ValueId x = b.input("x", shape);
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    Shape row(shape.size(), 1);
    row[axis] = shape[axis];
    x = b.node("Add", {x, b.random("mean" + std::to_string(axis), row, -2, 3)});
  }
  return x;
}

}  // namespace

TEST_CASE("linear layers: a constant behind a product is added once, in every form", "[linear]") {
  constexpr int64_t kInputs = 6, kOutputs = 5;
  const int rank = GENERATE(2, 3, 4, 5);
  Shape shape(static_cast<size_t>(rank), 3);
  shape[0] = 12;
  shape[1] = kInputs;  // so that the means of another axis would fit, too
  shape.back() = kInputs;
  Shape ones(static_cast<size_t>(rank), 1), longer(static_cast<size_t>(rank) + 1, 1);
  ones.back() = longer.back() = kOutputs;
  const std::vector<Shape> forms = {{kOutputs}, ones,         {},   {1}, Shape(static_cast<size_t>(rank), 1),
                                    longer,     {kInputs, 1}, shape};
  for (const Shape& form : forms)
    for (bool left : {false, true})
      for (bool shared : {false, true}) {
        INFO("rank " << rank << ", constant of shape " << to_string(form) << ", left " << left << ", shared "
                     << shared);
        if (form == Shape{kInputs, 1} && shape[static_cast<size_t>(rank) - 2] != kInputs) continue;
        Shape fitting = form;
        if (form == shape) fitting.back() = kOutputs;
        GraphBuilder b;
        const ValueId x = uneven(b, shape);
        const ValueId product = b.node("MatMul", {x, b.random("w", {kInputs, kOutputs})});
        const ValueId constant = b.random("b", fitting, 3, 9);
        std::vector<ValueId> outputs{
            b.node("Add", left ? std::vector{constant, product} : std::vector{product, constant})};
        if (shared) {
          const ValueId other = b.node("MatMul", {x, b.random("w2", {kInputs, kOutputs})});
          outputs.push_back(b.node("Add", {other, constant}));
          outputs.push_back(b.node("Mul", {constant, outputs[0]}));
        }
        const Graph graph = inferred(b, outputs);
        for (int bits : {8, 4}) {
          const Result off = quantized(graph, BiasCorrection::kOff, bits),
                       on = quantized(graph, BiasCorrection::kClosedForm, bits);
          INFO(bits << " bits: " << off.qdq << " dB without correction, " << on.qdq << " with");
          CHECK(off.qdq > (bits == 8 ? 40 : 18));
          CHECK(on.qdq > off.qdq - 1);
          CHECK(on.lowered > off.qdq - 1);
          CHECK(on.products == (shared ? 2 : 1));
        }
      }
}

TEST_CASE("linear layers: the means are those of the multiplied axis, and they help", "[linear]") {
  // 4 bits: a correction is worth several dB, one by means of another axis costs as much.
  for (const Shape& shape : {Shape{40, 12}, Shape{4, 12, 12}, Shape{1, 12, 5, 12}, Shape{1, 12, 2, 3, 12}}) {
    INFO(to_string(shape));
    GraphBuilder b;
    const ValueId x = uneven(b, shape);
    const ValueId y = b.node("Add", {b.node("MatMul", {x, b.random("w", {12, 7})}), b.random("b", {7})});
    const Graph graph = inferred(b, {y});
    const double off = quantized(graph, BiasCorrection::kOff, 4).qdq;
    CHECK(quantized(graph, BiasCorrection::kClosedForm, 4).qdq > off + 1);
  }
}

TEST_CASE("linear layers: a convolution of one axis is corrected along its channels", "[linear]") {
  GraphBuilder b;
  const ValueId x = uneven(b, {2, 12, 12});
  const Graph graph = inferred(b, {b.node("Conv", {x, b.random("w", {7, 12, 1})})});
  const double off = quantized(graph, BiasCorrection::kOff, 4).qdq;
  CHECK(quantized(graph, BiasCorrection::kClosedForm, 4).qdq > off + 1);
}

TEST_CASE("linear layers: a ConvNeXt block, channels last between its transposes", "[linear]") {
  GraphBuilder b(20);
  const ValueId x = b.input("x", {1, 8, 8, 8});
  const ValueId stem = b.node("Conv", {x, b.random("ws", {8, 8, 1, 1}), b.random("bs", {8})});
  const ValueId deep = b.node("Conv", {stem, b.random("wd", {8, 1, 3, 3}), b.random("bd", {8})},
                              {{"group", int64_t{8}}, {"pads", List{1, 1, 1, 1}}});
  const ValueId last = b.node("Transpose", {deep}, {{"perm", List{0, 2, 3, 1}}});
  const ValueId normal =
      b.node("LayerNormalization", {last, b.random("s", {8}, 0.5f, 2), b.random("o", {8})});
  const ValueId up =
      b.node("Add", {b.node("MatMul", {normal, b.random("w1", {8, 32})}), b.random("b1", {32})});
  const ValueId gelu = b.node("Gelu", {up});
  const ValueId down =
      b.node("Add", {b.random("b2", {8}), b.node("MatMul", {gelu, b.random("w2", {32, 8})})});
  const ValueId scaled = b.node("Mul", {down, b.random("gamma", {8}, 0.2f, 1)});
  const ValueId image = b.node("Transpose", {scaled}, {{"perm", List{0, 3, 1, 2}}});
  const Graph graph = inferred(b, {b.node("Add", {image, stem})});
  const Result off = quantized(graph, BiasCorrection::kOff),
               on = quantized(graph, BiasCorrection::kClosedForm);
  CHECK(off.qdq > 30);
  CHECK(on.qdq > off.qdq - 0.5);
  CHECK(on.lowered > off.lowered - 0.5);
  CHECK(on.products == 2);
}

TEST_CASE("linear layers: windows of a Swin block, five axes", "[linear]") {
  GraphBuilder b(20);
  const ValueId x = b.input("x", {1, 8, 8, 12});
  const ValueId normal = b.node("LayerNormalization", {x, b.random("s", {12}, 0.5f, 2), b.random("o", {12})});
  const ValueId split = b.node("Reshape", {normal, b.ints("to", {2, 4, 2, 4, 12})});
  const ValueId windows = b.node("Transpose", {split}, {{"perm", List{0, 2, 1, 3, 4}}});
  const ValueId one =
      b.node("Add", {b.node("MatMul", {windows, b.random("w1", {12, 24})}), b.random("b1", {24})});
  const ValueId two = b.node("Add", {b.node("MatMul", {b.node("Gelu", {one}), b.random("w2", {24, 12})}),
                                     b.random("b2", {1, 1, 1, 1, 12})});
  const ValueId back = b.node("Transpose", {two}, {{"perm", List{0, 2, 1, 3, 4}}});
  const ValueId image = b.node("Reshape", {back, b.ints("from", {1, 8, 8, 12})});
  const Graph graph = inferred(b, {b.node("Add", {x, image})});
  const Result off = quantized(graph, BiasCorrection::kOff),
               on = quantized(graph, BiasCorrection::kClosedForm);
  CHECK(off.qdq > 30);
  CHECK(on.qdq > off.qdq - 0.5);
  CHECK(on.lowered > off.lowered - 0.5);
  CHECK(on.products == 2);
}

TEST_CASE("linear layers: a Gemm's bias of one column is no bias of channels", "[linear]") {
  // [4, 1] differs between rows; with as many columns as rows it must not be taken for a row.
  GraphBuilder b;
  const ValueId x = uneven(b, {4, 6});
  const Graph graph = inferred(b, {b.node("Gemm", {x, b.random("w", {6, 4}), b.random("b", {4, 1}, -9, 9)})});
  CHECK(quantized(graph, BiasCorrection::kClosedForm).qdq > 30);
}

}  // namespace quantize
