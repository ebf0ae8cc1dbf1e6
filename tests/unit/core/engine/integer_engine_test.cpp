// Whole quantized networks: the integer steps of every level and number of threads compute the same bytes as
// the reference code of the integer operators.
#include <catch2/catch.hpp>

#include "core/integer/lowering.h"
#include "tests/support/check_engine.h"

namespace quantize {

using test::check_engine;
using test::GraphBuilder;

namespace {

using Attributes = std::map<std::string, Attribute>;

ValueId conv(GraphBuilder& b, ValueId x, int64_t inputs, int64_t outputs, int64_t kernel,
             Attributes more = {}) {
  const std::string name = std::to_string(b.graph().nodes.size());
  const int64_t pad = kernel / 2, group = more.count("group") == 0 ? 1 : std::get<int64_t>(more["group"]);
  more.emplace("pads", std::vector<int64_t>{pad, pad, pad, pad});
  return b.node(
      "Conv",
      {x, b.random("w" + name, {outputs, inputs / group, kernel, kernel}), b.random("b" + name, {outputs})},
      more);
}

Attributes strides(int64_t h, int64_t w) {
  return {{"strides", std::vector<int64_t>{h, w}}};
}

void check_network(GraphBuilder& b, std::vector<ValueId> outputs) {
  const Graph source = b.build(std::move(outputs));
  check_engine(test::quantized_graph(source), test::random_inputs(source));
}

size_t steps_of(const Graph& qdq, const std::string& op_type) {
  std::vector<Shape> shapes;
  Engine engine(qdq, {});
  for (ValueId id : engine.graph().inputs) shapes.push_back(*engine.graph().value(id).shape);
  const auto program = engine.program(shapes);
  return static_cast<size_t>(std::count_if(program->steps().begin(), program->steps().end(),
                                           [&](const Step& step) { return step.node.op_type == op_type; }));
}

}  // namespace

TEST_CASE("Integer engine: a residual network with strides and a classifier") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2, 3, 17, 14});
  const ValueId stem = b.node("Relu", {conv(b, x, 3, 20, 7, strides(2, 2))});
  const ValueId pooled = b.node("MaxPool", {stem},
                                {{"kernel_shape", std::vector<int64_t>{3, 3}},
                                 {"strides", std::vector<int64_t>{2, 2}},
                                 {"pads", std::vector<int64_t>{1, 1, 1, 1}}});
  const ValueId branch = conv(b, b.node("Relu", {conv(b, pooled, 20, 9, 1)}), 9, 20, 3);
  const ValueId first = b.node("Relu", {b.node("Add", {branch, pooled})});
  const ValueId second = b.node("Add", {first, conv(b, first, 20, 20, 3)});
  const ValueId flat = b.node("Flatten", {b.node("GlobalAveragePool", {second})});
  const Graph source = b.build(
      {b.node("Gemm", {flat, b.random("fc", {5, 20}), b.random("fcb", {5})}, {{"transB", int64_t{1}}})});
  // Rounded before the addition and behind it; or once.
  const bool joins = GENERATE(false, true);
  const Graph qdq = test::quantized_graph(source, joins ? "native" : "ort-x86");
  const Graph lowered = lower_to_qoperator(qdq);
  CHECK(test::count_nodes(lowered, "QLinearAdd") == (joins ? 0 : 2));
  CHECK(test::count_nodes(lowered, "FusedConv") == (joins ? 2 : 0));
  check_engine(qdq, test::random_inputs(source));
  check_engine(lower_to_qoperator(qdq, {}, Runtime::kAny), test::random_inputs(source));
}

TEST_CASE("Integer engine: residuals join convolutions of every kind before the only rounding") {
  GraphBuilder b(20);
  const ValueId x = b.input("x", {1, 3, 13, 9});
  const int64_t channels = GENERATE(13, 24, 70, 130);
  const ValueId stem = conv(b, x, 3, channels, 3);
  const ValueId deep = b.node("Add", {conv(b, stem, channels, channels, 3, {{"group", channels}}), stem});
  // A table behind the sum, and a sum that is a residual itself.
  const ValueId shortcut = conv(b, deep, channels, 31, 1, strides(2, 2));
  const ValueId table =
      b.node("HardSwish", {b.node("Add", {shortcut, conv(b, deep, channels, 31, 3, strides(2, 2))})});
  const ValueId last =
      b.node("Clip", {b.node("Add", {conv(b, table, 31, 31, 1), shortcut}),
                      b.constant("low", Tensor::scalar(-1e9f)), b.constant("high", Tensor::scalar(1e9f))});
  const Graph source = b.build({conv(b, last, 31, 4, 1)});
  const Graph qdq = test::quantized_graph(source);
  CHECK(steps_of(qdq, "QLinearAdd") == 0);
  CHECK(steps_of(qdq, "FusedConv") == 3);
  CHECK(steps_of(qdq, "Clip") + steps_of(qdq, "LookupTable") == 0);
  check_engine(qdq, test::random_inputs(source));
}

TEST_CASE("Integer engine: residuals behind functions, and such as are computed after their convolution") {
  GraphBuilder b(20);
  const ValueId x = b.input("x", {2, 3, 12, 10});
  const int64_t channels = GENERATE(7, 40, 130);
  const auto silu = [&](ValueId y) { return b.node("Mul", {y, b.node("Sigmoid", {y})}); };
  const ValueId stem = silu(conv(b, x, 3, channels, 3));
  const ValueId block = b.node("Add", {stem, silu(conv(b, stem, channels, channels, 3))});
  const ValueId deep = b.node("HardSwish", {conv(b, block, channels, channels, 3, {{"group", channels}})});
  const ValueId fine = b.node("Relu", {b.node("Add", {deep, block})});
  // As in a feature pyramid: the coarse image is enlarged after the convolution that it is added to.
  const ValueId lateral = conv(b, fine, channels, 20, 1);
  const ValueId coarse = conv(b, fine, channels, 20, 3, strides(2, 2));
  const ValueId enlarged =
      b.node("Resize", {coarse, kNoValue, b.constant("scales", Tensor::of<float>({4}, {1, 1, 2, 2}))});
  const Graph source = b.build({conv(b, b.node("Add", {lateral, enlarged}), 20, 4, 1)});
  const Graph qdq = test::quantized_graph(source);
  CHECK(steps_of(qdq, "QLinearAdd") + steps_of(qdq, "Add") == 0);
  CHECK(steps_of(qdq, "FusedConv") >= 3);
  check_engine(qdq, test::random_inputs(source));
}

TEST_CASE("Integer engine: residuals of QDQ files that say no shapes; a constant one stays float") {
  const bool is_constant = GENERATE(false, true);
  GraphBuilder b;
  const ValueId scale = b.constant("s", Tensor::scalar(0.05f)),
                zero = b.constant("z", Tensor::scalar(uint8_t{120}));
  const auto rounded = [&](ValueId x) {
    return b.node("DequantizeLinear", {b.node("QuantizeLinear", {x, scale, zero}), scale, zero});
  };
  const auto codes_conv = [&](ValueId x, const std::string& name) {
    const QuantParams params = choose_quant_params({{-1.27f, 1.27f}}, {DataType::kS8, 8, true, true});
    const ValueId w = b.constant(name, quantize_tensor(test::random_tensor({3, 3, 1, 1}, 3), params));
    const ValueId w_scale = b.constant(name + "_s", Tensor::scalar(0.01f)),
                  w_zero = b.constant(name + "_z", Tensor::scalar(int8_t{0}));
    return b.node("Conv", {x, b.node("DequantizeLinear", {w, w_scale, w_zero})});
  };
  const ValueId x = rounded(b.input("x", {1, 3, 6, 6}));
  Tensor codes(DataType::kU8, {1, 3, 6, 6});
  for (int64_t i = 0; i < codes.size(); ++i) codes.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(7 * i);
  const ValueId residual = is_constant ? b.node("DequantizeLinear", {b.constant("r", codes), scale, zero})
                                       : rounded(codes_conv(x, "first"));
  const Graph source = b.build({rounded(b.node("Add", {codes_conv(x, "second"), residual}))});
  for (const Value& value : source.values) CHECK((value.is_constant() || value.name == "x" || !value.shape));
  CHECK(steps_of(source, "FusedConv") == (is_constant ? 0 : 1));
  CHECK(steps_of(source, "Add") == (is_constant ? 1 : 0));
  if (is_constant) return;
  Graph known = source;
  infer_shapes(known);
  check_engine(known, test::random_inputs(known));
}

TEST_CASE("Integer engine: a sum takes over the bytes of its residual") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 32, 32});
  ValueId y = conv(b, x, 3, 64, 1);
  for (int i = 0; i < 3; ++i) y = b.node("Add", {conv(b, conv(b, y, 64, 64, 1), 64, 64, 1), y});
  const Graph source = b.build({conv(b, y, 64, 2, 1)});
  const Graph qdq = test::quantized_graph(source, GENERATE("native", "ort-x86"));
  constexpr size_t kImage = size_t{64} * 32 * 32;
  Engine engine(qdq, {});
  CHECK(engine.program({{1, 3, 32, 32}})->arena_bytes() < kImage * 5 / 2);
  check_engine(qdq, test::random_inputs(source));
  // Not where the convolution reads it as well, nor where it is needed later.
  GraphBuilder other;
  const ValueId z = conv(other, other.input("x", {1, 3, 9, 9}), 3, 20, 1);
  const ValueId sum = other.node("Add", {conv(other, z, 20, 20, 1), z});
  const ValueId later = other.node("Add", {conv(other, sum, 20, 20, 1), z});
  check_network(other, {conv(other, later, 20, 2, 1), conv(other, sum, 20, 2, 1)});
}

TEST_CASE("Integer engine: shapes of a residual that are known late") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 6, 6}), residual = b.input("residual", {1, 3, 6, 6});
  const Graph source = b.build({conv(b, b.node("Add", {conv(b, x, 3, 3, 1), residual}), 3, 2, 1)});
  Graph qdq = test::quantized_graph(source);
  for (Value& value : qdq.values)
    if (!value.is_constant() && value.shape && value.shape->size() == 4)
      value.shape = Shape{kUnknownDim, (*value.shape)[1], kUnknownDim, kUnknownDim};
  Engine engine(qdq, {});
  const auto run = [&](Shape first, Shape second) {
    return engine.run({test::random_tensor(first, 1), test::random_tensor(second, 2)})[0].shape();
  };
  CHECK(run({2, 3, 5, 7}, {2, 3, 5, 7}) == Shape{2, 2, 5, 7});
  CHECK_THROWS_WITH(run({2, 3, 5, 7}, {1, 3, 5, 7}),
                    Catch::Contains("a residual of shape 1x3x5x7 is added to a convolution's 2x3x5x7"));
}

TEST_CASE("Integer engine: attention, whose products have no weights") {
  const int32_t key_zero = GENERATE(128, 120, 0, 255);
  const DataType dtype = GENERATE(DataType::kU8, DataType::kS8);
  GraphBuilder b(17);
  const auto rounded = [&](ValueId value, float scale, int32_t zero_point) {
    const std::string name = std::to_string(b.graph().nodes.size());
    const ValueId s = b.constant("s" + name, Tensor::scalar(scale));
    const ValueId z = b.constant("z" + name, dtype == DataType::kU8
                                                 ? Tensor::scalar(static_cast<uint8_t>(zero_point))
                                                 : Tensor::scalar(static_cast<int8_t>(zero_point - 128)));
    return b.node("DequantizeLinear", {b.node("QuantizeLinear", {value, s, z}), s, z});
  };
  const Attributes swap = {{"perm", std::vector<int64_t>{0, 1, 3, 2}}};
  const ValueId query = rounded(b.input("query", {2, 3, 70, 21}), 0.01f, 131);
  const ValueId key = rounded(b.input("key", {1, 3, 37, 21}), 0.008f, key_zero);
  const ValueId value = rounded(b.input("value", {2, 1, 37, 19}), 0.009f, key_zero);
  const ValueId product =
      b.node("MatMul", {query, rounded(b.node("Transpose", {key}, swap), 0.008f, key_zero)});
  const ValueId share = b.node("Softmax", {rounded(product, 0.05f, 97)}, {{"axis", int64_t{-1}}});
  const ValueId mixed = b.node("MatMul", {rounded(share, 1.0f / 255, 0), value});
  const ValueId columns = b.node("Softmax", {rounded(mixed, 0.007f, 140)}, {{"axis", int64_t{1}}});
  const ValueId learned = b.constant("learned", test::random_tensor({5, 37}, 9));
  const ValueId few = b.node("MatMul", {rounded(learned, 0.008f, 127), value});
  const Graph source = b.build({rounded(columns, 1.0f / 255, 3), rounded(few, 0.05f, 128)});
  Graph known = source;
  infer_shapes(known);
  CHECK(test::count_nodes(lower_to_qoperator(known), "QLinearMatMul") == 3);
  CHECK(test::count_nodes(lower_to_qoperator(known), "QLinearSoftmax") == 2);
  check_engine(known, test::random_inputs(known));
}

TEST_CASE("Integer engine: depthwise, grouped, dilated and asymmetric convolutions") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 4, 13, 15});
  const ValueId wide = b.node("Clip", {conv(b, x, 4, 72, 1), b.constant("zero", Tensor::scalar(0.0f)),
                                       b.constant("six", Tensor::scalar(6.0f))});
  const ValueId deep =
      conv(b, wide, 72, 72, 3, {{"group", int64_t{72}}, {"strides", std::vector<int64_t>{2, 1}}});
  const ValueId five = conv(b, deep, 72, 72, 5, {{"group", int64_t{72}}});
  const ValueId groups = conv(b, five, 72, 24, 3, {{"group", int64_t{6}}});
  const ValueId dilated =
      conv(b, groups, 24, 10, 3,
           {{"dilations", std::vector<int64_t>{2, 3}}, {"pads", std::vector<int64_t>{2, 3, 2, 3}}});
  const ValueId uneven = conv(b, dilated, 10, 7, 2, {{"pads", std::vector<int64_t>{0, 1, 2, 0}}});
  check_network(b, {uneven, deep});
}

TEST_CASE("Integer engine: concatenated, split and resized images") {
  GraphBuilder b(18);
  const ValueId x = b.input("x", {1, 8, 6, 6});
  const ValueId whole = b.node("Relu", {conv(b, x, 8, 32, 1)});
  const auto halves = b.nodes("Split", {whole}, 2, {{"axis", int64_t{1}}, {"num_outputs", int64_t{2}}});
  const ValueId deeper = b.node("Add", {conv(b, halves[1], 16, 16, 3), halves[1]});
  const ValueId joined = b.node("Concat", {halves[0], halves[1], deeper}, {{"axis", int64_t{1}}});
  const ValueId mixed = conv(b, joined, 48, 12, 1);
  const ValueId large =
      b.node("Resize", {mixed, kNoValue, b.constant("scales", Tensor::of<float>({4}, {1, 1, 2, 2}))},
             {{"mode", std::string("nearest")},
              {"coordinate_transformation_mode", std::string("asymmetric")},
              {"nearest_mode", std::string("floor")}});
  const ValueId skip = conv(b, large, 12, 5, 3);
  check_network(b, {b.node("Concat", {skip, large}, {{"axis", int64_t{1}}}), joined});
}

TEST_CASE("Integer engine: images blended by a linear Resize, larger, smaller and to odd sizes") {
  QuantizationScheme scheme;
  const bool is_signed = GENERATE(false, true);  // codes of s8 are blended as reals
  if (is_signed) scheme.activations = {.dtype = DataType::kS8, .symmetric = true};
  GraphBuilder b(18);
  const auto resize = [&](ValueId x, int64_t h, int64_t w, const char* coordinates, int64_t antialias) {
    const std::string name = "sizes" + std::to_string(b.graph().nodes.size());
    return b.node("Resize", {x, kNoValue, kNoValue, b.constant(name, Tensor::of<int64_t>({2}, {h, w}))},
                  {{"mode", std::string("linear")},
                   {"coordinate_transformation_mode", std::string(coordinates)},
                   {"axes", std::vector<int64_t>{2, 3}},
                   {"antialias", antialias}});
  };
  const ValueId x = b.input("x", {2, 5, 7, 6});
  const ValueId mixed = conv(b, x, 5, 19, 1);
  const ValueId large = resize(mixed, 14, 12, "half_pixel", 0);
  const ValueId corners = resize(conv(b, large, 19, 4, 3), 23, 17, "align_corners", 0);
  const ValueId small = resize(conv(b, corners, 4, 33, 3), 9, 5, "pytorch_half_pixel", 1);
  const ValueId same = resize(conv(b, small, 33, 8, 1), 9, 11, "asymmetric", 0);
  const Graph source = b.build({conv(b, same, 8, 3, 3), conv(b, large, 19, 2, 1)});
  const Graph qdq = test::quantized_graph(source, "native", scheme);
  if (!is_signed) CHECK(steps_of(qdq, "ToPixels") + steps_of(qdq, "ToRowMajor") <= 2);
  check_engine(qdq, test::random_inputs(source));
  // Other runtimes cut fractions off, so a file for all of them keeps the Resize in float; we run it as the
  // other.
  const Graph file = lower_to_qoperator(qdq, {}, Runtime::kAny);
  for (const Node& node : file.nodes)
    if (node.op_type == "Resize") CHECK(file.value(node.inputs[0]).dtype == DataType::kF32);
  const std::vector<Tensor> inputs = test::random_inputs(source);
  Engine of_qdq(qdq, {}), of_file(file, {});
  const std::vector<Tensor> expected = of_qdq.run(inputs), actual = of_file.run(inputs);
  for (size_t i = 0; i < expected.size(); ++i) CHECK(equal(actual[i], expected[i]));
}

TEST_CASE("Integer engine: functions of one value become tables, gates multiply") {
  GraphBuilder b(14);
  const ValueId x = b.input("x", {1, 6, 9, 7});
  const ValueId swish = b.node("HardSwish", {conv(b, x, 6, 40, 3)});
  const ValueId sigmoid = b.node("Sigmoid", {swish});
  const ValueId silu = b.node("Mul", {swish, sigmoid});
  const ValueId squeezed = b.node("Relu", {conv(b, b.node("GlobalAveragePool", {silu}), 40, 10, 1)});
  const ValueId gate = b.node("HardSigmoid", {conv(b, squeezed, 10, 40, 1)});
  const ValueId gated = b.node("Mul", {silu, gate});
  const ValueId leaky = b.node("LeakyRelu", {conv(b, gated, 40, 3, 1)});
  const ValueId average = b.node("AveragePool", {leaky},
                                 {{"kernel_shape", std::vector<int64_t>{3, 2}},
                                  {"strides", std::vector<int64_t>{2, 2}},
                                  {"pads", std::vector<int64_t>{1, 0, 1, 1}},
                                  {"count_include_pad", int64_t{1}}});
  check_network(b, {average, leaky});
}

TEST_CASE("Integer engine: a SiLU with rounding between its operators is one convolution with a table") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 8, 8});
  const ValueId y = conv(b, x, 3, 16, 3);
  const Graph source = b.build({conv(b, b.node("Mul", {y, b.node("Sigmoid", {y})}), 16, 4, 1)});
  const Graph qdq = test::quantized_graph(source, "ort-x86");
  CHECK(steps_of(qdq, "FusedConv") == 1);
  CHECK(steps_of(qdq, "QLinearMul") + steps_of(qdq, "LookupTable") == 0);
  check_engine(qdq, test::random_inputs(source));
}

TEST_CASE("Integer engine: functions stand in convolutions, before the only rounding") {
  GraphBuilder b(20);
  // A channel far below 0 makes the range in front of a function so wide that rounding there would cost much.
  const auto wide_conv = [&](ValueId x, int64_t inputs, int64_t outputs, int64_t kernel,
                             Attributes more = {}) {
    const ValueId y = conv(b, x, inputs, outputs, kernel, std::move(more));
    b.graph().value(b.graph().nodes.back().inputs[2]).initializer.mutable_data<float>()[0] = -900;
    return y;
  };
  const ValueId x = b.input("x", {2, 3, 11, 9});
  const ValueId first = wide_conv(x, 3, 70, 3, strides(2, 1));
  const ValueId stem = b.node("Mul", {first, b.node("Sigmoid", {first})});
  const ValueId deep = b.node("HardSwish", {wide_conv(stem, 70, 70, 3, {{"group", int64_t{70}}})});
  const ValueId groups = b.node("Mish", {wide_conv(deep, 70, 20, 3, {{"group", int64_t{5}}})});
  const ValueId gelu = b.node("Gelu", {wide_conv(groups, 20, 300, 1)});
  const ValueId leaky =
      b.node("LeakyRelu", {wide_conv(gelu, 300, 33, 3, strides(2, 2))}, {{"alpha", 0.001f}});
  const Graph source = b.build({conv(b, leaky, 33, 4, 1)});
  const Graph qdq = test::quantized_graph(source);
  const Graph lowered = lower_to_qoperator(qdq);
  const auto functions = std::count_if(lowered.nodes.begin(), lowered.nodes.end(),
                                       [](const Node& node) { return node.has_attribute("function"); });
  CHECK(functions == 5);
  CHECK(steps_of(qdq, "FusedConv") == 5);
  check_engine(qdq, test::random_inputs(source));
}

TEST_CASE("Integer engine: scales per channel between convolutions and depthwise ones") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 6, 12, 10});
  const int64_t channels = 37;
  // Channels whose ranges differ by 2^12, which the weights behind them make equal again.
  const auto scaled = [&](const std::string& name, Shape shape, float sign) {
    Tensor weights = test::random_tensor(shape, 5);
    const int64_t inner = weights.size() / channels;
    for (int64_t i = 0; i < weights.size(); ++i)
      weights.mutable_data<float>()[i] *= std::exp2(sign * static_cast<float>(i / inner % 13 - 6));
    return b.constant(name, weights);
  };
  const auto depthwise = [&](ValueId y, int64_t kernel, int64_t stride) {
    const std::string name = "deep" + std::to_string(kernel);
    return b.node("Conv",
                  {y, scaled(name, {channels, 1, kernel, kernel}, -1), b.random(name + "_b", {channels})},
                  {{"group", channels},
                   {"pads", std::vector<int64_t>(4, kernel / 2)},
                   {"strides", std::vector<int64_t>{1, stride}}});
  };
  ValueId wide = b.node("Conv", {x, scaled("w", {channels, 6, 1, 1}, 1)});
  const bool has_function = GENERATE(false, true);
  wide = has_function ? b.node("Mul", {wide, b.node("Sigmoid", {wide})}) : b.node("Relu", {wide});
  const ValueId deep = depthwise(wide, 3, 2), five = depthwise(wide, 5, 1);
  const Graph source = b.build({conv(b, deep, channels, 4, 1), conv(b, five, channels, 4, 1)});
  const Graph qdq = test::quantized_graph(source, "native", {}, 0.01);
  size_t by_channel = 0;
  for (const Node& node : qdq.nodes)
    by_channel += node.op_type == "QuantizeLinear" && qdq.constant(node.inputs[1])->size() == channels;
  CHECK(by_channel == 1);
  CHECK(steps_of(qdq, "FusedConv") == 3);
  CHECK(steps_of(qdq, "Conv") == 0);
  check_engine(qdq, test::random_inputs(source));

  // The int8 file for any runtime keeps such convolutions in float; we run it as the other.
  const Graph file = lower_to_qoperator(qdq, {}, Runtime::kAny);
  CHECK(test::count_nodes(file, "Conv") == 3);
  const std::vector<Tensor> inputs = test::random_inputs(source);
  Engine of_qdq(qdq, {}), of_file(file, {});
  const std::vector<Tensor> expected = of_qdq.run(inputs), actual = of_file.run(inputs);
  for (size_t i = 0; i < expected.size(); ++i) CHECK(equal(actual[i], expected[i]));
}

TEST_CASE("Integer engine: transposed convolutions are convolutions of phases") {
  struct Case {
    int64_t kernel, stride, pad, output_padding, group = 1;
    std::vector<int64_t> output_shape = {};
  };
  for (const Case& c : {Case{2, 2, 0, 0}, Case{4, 2, 1, 0}, Case{3, 2, 1, 1}, Case{3, 3, 0, 0},
                        Case{3, 1, 1, 0}, Case{5, 3, 1, 0},
                        // More or less than stride times the input.
                        Case{3, 2, 0, 0}, Case{3, 2, 1, 0}, Case{4, 2, 0, 0}, Case{4, 2, 2, 0},
                        Case{3, 1, 0, 0}, Case{3, 2, 0, 0, 1, {12, 14}}, Case{4, 2, 0, 0, 1, {11, 15}},
                        // Groups, with one and with several channels.
                        Case{2, 2, 0, 0, 2}, Case{4, 2, 1, 0, 6}, Case{3, 2, 1, 0, 3}, Case{4, 2, 0, 0, 6}}) {
    INFO("kernel " << c.kernel << ", stride " << c.stride << ", pad " << c.pad << ", group " << c.group);
    GraphBuilder b;
    const ValueId x = b.input("x", {2, 6, 6, 7});
    std::map<std::string, Attribute> attributes{
        {"strides", std::vector<int64_t>{c.stride, c.stride}},
        {"group", c.group},
        {"output_padding", std::vector<int64_t>(2, c.output_padding)}};
    if (c.output_shape.empty())
      attributes["pads"] = std::vector<int64_t>(4, c.pad);
    else
      attributes["output_shape"] = c.output_shape;
    const ValueId y =
        b.node("ConvTranspose",
               {x, b.random("w", {6, 18 / c.group, c.kernel, c.kernel}), b.random("bias", {18})}, attributes);
    const Graph source = b.build({b.node("Relu", {y})});
    const std::vector<Tensor> inputs = test::random_inputs(source);
    const Graph qdq = test::quantized_graph(source);
    CHECK(steps_of(qdq, "ConvTranspose") == 0);
    check_engine(qdq, inputs);
    // The same numbers as the float operator between the same codes, but for ties.
    const Tensor real = test::reference_outputs(qdq, inputs)[0];
    const Tensor phases = test::reference_outputs(lower_to_qoperator(qdq), inputs)[0];
    const float* values = real.data<float>();
    const float step = *std::max_element(values, values + real.size()) / 255;
    int64_t differing = 0;
    for (int64_t i = 0; i < real.size(); ++i) {
      const float difference = std::abs(phases.data<float>()[i] - values[i]);
      CHECK(difference < 1.01f * step);
      differing += difference > 0.01f * step;
    }
    CHECK(differing <= real.size() / 1000 + 1);
  }
}

TEST_CASE("Integer engine: transposed convolutions of two strides, or with dilation, stay float") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 4, 6, 6});
  const ValueId uneven =
      b.node("ConvTranspose", {x, b.random("w", {4, 8, 3, 3})}, {{"strides", std::vector<int64_t>{2, 1}}});
  const ValueId dilated =
      b.node("ConvTranspose", {x, b.random("v", {4, 2, 2, 2})}, {{"dilations", std::vector<int64_t>{2, 2}}});
  CHECK(steps_of(test::quantized_graph(b.build({uneven, dilated})), "ConvTranspose") == 2);
}

TEST_CASE("Integer engine: products of matrices, in rows and in batches") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2, 7, 30});
  const ValueId y = b.node("MatMul", {x, b.random("w", {30, 70})});
  const ValueId z = b.node("MatMul", {y, b.random("v", {70, 5})});
  check_network(b, {b.node("Transpose", {z}, {{"perm", std::vector<int64_t>{1, 2, 0}}})});
}

TEST_CASE("Integer engine: s8 activations run as u8") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 9, 9});
  const ValueId first = conv(b, b.node("Relu", {conv(b, x, 3, 24, 3)}), 24, 16, 3);
  const ValueId pooled = b.node("MaxPool", {first}, {{"kernel_shape", std::vector<int64_t>{2, 2}}});
  const Graph source = b.build({conv(b, b.node("Add", {pooled, conv(b, pooled, 16, 16, 1)}), 16, 5, 1)});
  QuantizationScheme scheme;
  scheme.activations = {.dtype = DataType::kS8, .symmetric = true};
  const Graph qdq = test::quantized_graph(source, "native", scheme);
  CHECK(steps_of(qdq, "FusedConv") == 2);  // the Relu's table, the sum
  CHECK(steps_of(qdq, "ToPixels") == 0);
  check_engine(qdq, test::random_inputs(source));
}

TEST_CASE("Integer engine: values that an observer keeps are computed as they stand in the graph") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 8, 8});
  const ValueId y = b.node("Relu", {conv(b, x, 3, 16, 3)});
  const Graph source = b.build({conv(b, y, 16, 4, 1)});
  const Graph qdq = test::quantized_graph(source);
  CompileOptions options;
  options.keep.assign(qdq.values.size(), false);
  const ValueId kept = qdq.find_value("relu_1_out");
  REQUIRE(kept != kNoValue);
  options.keep[static_cast<size_t>(kept)] = true;
  struct Listener : ExecutionObserver {
    void on_value(ValueId id, const TensorView& value) override { seen.emplace_back(id, value.size()); }
    std::vector<std::pair<ValueId, int64_t>> seen;
  } listener;
  Engine engine(qdq, options);
  engine.run(test::random_inputs(source), &listener);
  REQUIRE(listener.seen.size() == 1);
  CHECK(listener.seen[0] == std::pair<ValueId, int64_t>(kept, 16 * 64));
}

}  // namespace quantize
