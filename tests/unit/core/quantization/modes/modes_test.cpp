// Nodes by mode: what is planned, and what the written graph computes.
#include "core/quantization/modes/mode.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/error.h"
#include "core/quantization/check_scheme.h"
#include "core/quantization/insert_qdq.h"
#include "core/quantization/modes/weight_grids.h"
#include "tests/support/planned_graph.h"

using namespace quantize;
using test::count_nodes;
using test::GraphBuilder;
using test::plan_of;
using test::Planned;

namespace {

QuantizationScheme scheme_of(const std::string& mode) {
  QuantizationScheme scheme;
  scheme.mode = mode;
  return scheme;
}

/// Signal over error of the written graph's first output, in dB, in our engine.
double sqnr(const Planned& planned, const Graph& written) {
  const auto inputs = test::random_inputs(planned.graph);
  const Tensor expected = test::run_graph(planned.graph, inputs)[0],
               actual = test::run_graph(written, inputs)[0];
  double signal = 0, noise = 1e-30;
  for (int64_t i = 0; i < expected.size(); ++i) {
    const double e = expected.data<float>()[i], a = actual.data<float>()[i];
    signal += e * e;
    noise += (e - a) * (e - a);
  }
  return 10 * std::log10(signal / noise);
}

Graph written(const Planned& planned) {
  Graph graph = insert_qdq(planned);
  validate(graph);
  infer_shapes(graph);
  return graph;
}

/// Layers of every kind, each behind the other.
struct Layers {
  GraphBuilder b;
  ValueId last;

  Layers() : b(21) {
    const ValueId x = b.input("x", {1, 4, 6, 8});
    const ValueId conv = b.node("Conv", {x, b.random("conv_w", {8, 4, 3, 3}), b.random("conv_b", {8})},
                                {{"pads", std::vector<int64_t>{1, 1, 1, 1}}});
    const ValueId depthwise = b.node("Conv", {conv, b.random("depthwise_w", {8, 1, 3, 3})},
                                     {{"pads", std::vector<int64_t>{1, 1, 1, 1}}, {"group", int64_t{8}}});
    const ValueId up = b.node("ConvTranspose", {depthwise, b.random("up_w", {8, 6, 1, 1})});
    const ValueId rows = b.node("Reshape", {up, b.constant("rows", Tensor::of<int64_t>({2}, {6, 48}))});
    const ValueId gemm = b.node("Gemm", {rows, b.random("gemm_w", {64, 48}), b.random("gemm_b", {64})},
                                {{"transB", int64_t{1}}});
    last = b.node("MatMul", {gemm, b.random("matmul_w", {64, 5})});
  }
};

ValueId recurrent(GraphBuilder& b, const std::string& op_type, int64_t gates) {
  const ValueId x = b.input("x", {5, 2, 6});
  return b.node(op_type,
                {x, b.random("w", {2, gates * 4, 6}), b.random("r", {2, gates * 4, 4}),
                 b.random("bias", {2, gates * 8})},
                {{"hidden_size", int64_t{4}}, {"direction", std::string("bidirectional")}});
}

}  // namespace

TEST_CASE("modes: weight-only stores the weights of every layer, without a range", "[modes]") {
  const auto [bits, block, least] = GENERATE(
      table<int, int64_t, double>({{8, 0, 35}, {8, 16, 35}, {4, 0, 10}, {4, 16, 10}, {2, 0, 0}, {2, 16, 0}}));
  CAPTURE(bits, block);
  Layers layers;
  QuantizationScheme scheme = scheme_of("weight-only");
  scheme.weights.num_bits = bits;
  scheme.weight_block = block;
  for (const char* target : {"native", "ort-x86"}) {
    const Planned planned = plan_of(
        layers.b, {layers.last}, scheme, [](RangeTable& ranges) { ranges.values.clear(); },
        find_target(target));
    for (const char* layer : {"Conv", "ConvTranspose", "Gemm", "MatMul"}) {
      const PlannedNode& node = planned.node(layer);
      CHECK(node.placement == Placement::kFloat);
      REQUIRE(node.stored.size() == 1);
      CHECK(node.stored[0].bits() == bits);
    }
    CHECK(planned.node("Gemm").stored[0].block == block);
    const Graph graph = written(planned);
    const bool products = block != 0 && find_target(target).multiplies_blocks;
    CHECK(count_nodes(graph, "MatMulNBits") == (products ? 2 : 0));
    CHECK(count_nodes(graph, "DequantizeLinear") == (products ? 3 : 5));
    CHECK(count_nodes(graph, "QuantizeLinear") == 0);
    CHECK(graph.opset() == (bits == 2 ? 25 : 21));
    CHECK(sqnr(planned, graph) > least);
    uint64_t bytes = 0;
    for (const PlannedNode& node : planned.plan.nodes)
      for (const StoredWeights& stored : node.stored) bytes += stored.bytes();
    CHECK(summarize(planned).by_mode.at("weight-only").bytes == bytes);
  }
}

TEST_CASE("modes: a codebook is looked up, for all channels, groups of them, or with a scale each",
          "[modes]") {
  const int64_t bits = GENERATE(1, 2, 3, 4), group = GENERATE(0, 3), scaled = GENERATE(0, 1);
  CAPTURE(bits, group, scaled);
  Layers layers;
  QuantizationScheme scheme = scheme_of("weight-only");
  scheme.storage = {
      .grid = WeightGrid::kCodebook, .bits = bits, .group = group, .channel_scales = scaled != 0};
  TargetProfile native = find_target("native");
  native.stored_codes = {};  // so that small layers have no bytes of their own
  const Planned planned = plan_of(layers.b, {layers.last}, scheme, {}, native);
  const StoredWeights& gemm = planned.node("Gemm").stored.at(0);
  CHECK(gemm.bits() == bits);
  CHECK(gemm.levels.shape() == Shape{group == 0 ? 1 : 22, int64_t{1} << bits});
  CHECK(gemm.scales.size() == (scaled != 0 ? 64 : 0));
  const Graph graph = written(planned);
  CHECK(count_nodes(graph, "Gather") == 5);
  CHECK(count_nodes(graph, "Mul") == (scaled != 0 ? 5 : 0));
  CHECK(count_nodes(graph, "DequantizeLinear") == 0);
  CHECK(sqnr(planned, graph) > 6 * static_cast<double>(bits) - 9);
}

TEST_CASE("modes: a codebook that takes more than plain bytes is not written", "[modes]") {
  GraphBuilder b;
  const ValueId x = b.input("x", {4, 300});
  const ValueId large = b.node("MatMul", {x, b.random("w", {300, 64})}),
                small = b.node("MatMul", {large, b.random("v", {64, 4})});
  QuantizationScheme scheme = scheme_of("weight-only");
  scheme.storage = {.grid = WeightGrid::kCodebook, .bits = 4};
  const Planned planned = plan_of(b, {small}, scheme);
  CHECK(planned.node("MatMul", 0).reason ==
        "computes on reals; its weights are stored in 4 bits of one codebook");
  CHECK(planned.node("MatMul", 1).reason == "computes on reals; its weights are stored in 8 bits by channel");
}

TEST_CASE("modes: grids have the reals of their formula in the written graph", "[modes]") {
  const auto [grid, bits, least] =
      GENERATE(table<WeightGrid, int64_t, double>({{WeightGrid::kLinear, 7, 30},
                                                   {WeightGrid::kLinear, 5, 20},
                                                   {WeightGrid::kLinear, 3, 7},
                                                   {WeightGrid::kLinear, 1, -1},
                                                   {WeightGrid::kPowersOfTwo, 8, 7},
                                                   {WeightGrid::kTernary, 8, 1},
                                                   {WeightGrid::kBinary, 8, -1},
                                                   {WeightGrid::kFixed, 6, 15}}));
  CAPTURE(bits, name_of(grid));
  Layers layers;
  QuantizationScheme scheme = scheme_of("weight-only");
  scheme.storage = {.grid = grid, .bits = bits};
  const Planned planned = plan_of(layers.b, {layers.last}, scheme);
  const Graph graph = written(planned);
  CHECK(sqnr(planned, graph) > least);
  const int64_t in_use = grid == WeightGrid::kPowersOfTwo ? 5
                         : grid == WeightGrid::kTernary   ? 2
                         : grid == WeightGrid::kBinary    ? 1
                                                          : bits;
  CHECK(planned.node("Gemm").stored.at(0).bits() == in_use);
  const bool warned = !planned.plan.warnings.empty();
  CHECK(warned == (in_use <= 2));
}

TEST_CASE("modes: packed codes have blocks, too", "[modes]") {
  const int64_t bits = GENERATE(3, 6);
  Layers layers;
  QuantizationScheme scheme = scheme_of("weight-only");
  scheme.weights.num_bits = static_cast<int>(bits);
  scheme.weight_block = 16;
  const Planned planned = plan_of(layers.b, {layers.last}, scheme);
  CHECK(planned.node("Gemm").stored.at(0).block == 16);
  CHECK(sqnr(planned, written(planned)) > 6 * static_cast<double>(bits) - 9);
}

TEST_CASE("modes: dynamic computes layers on codes, and leaves depthwise ones in float", "[modes]") {
  Layers layers;
  const Planned planned = plan_of(layers.b, {layers.last}, scheme_of("dynamic"),
                                  [](RangeTable& ranges) { ranges.values.clear(); });
  CHECK(planned.placement("Conv", 0) == Placement::kDynamic);
  CHECK(planned.placement("Conv", 1) == Placement::kFloat);
  CHECK(planned.node("Conv", 1).reason.find("depthwise") != std::string::npos);
  CHECK(planned.placement("ConvTranspose") == Placement::kFloat);
  CHECK(planned.placement("Gemm") == Placement::kDynamic);
  CHECK(planned.placement("MatMul") == Placement::kDynamic);
  CHECK(summarize(planned).integer_macs > 0);
  const Graph graph = written(planned);
  CHECK(count_nodes(graph, "ConvInteger") == 1);
  CHECK(count_nodes(graph, "MatMulInteger") == 2);
  CHECK(count_nodes(graph, "DynamicQuantizeLinear") == 3);
  CHECK(sqnr(planned, graph) > 30);
}

TEST_CASE("modes: layers that read one value share its dynamic codes", "[modes]") {
  GraphBuilder b;
  const ValueId x = b.input("x", {4, 8});
  const ValueId y = b.node("MatMul", {x, b.random("w", {8, 8})}),
                z = b.node("MatMul", {x, b.random("v", {8, 8})});
  const Planned planned = plan_of(b, {b.node("Add", {y, z})}, scheme_of("dynamic"));
  CHECK(count_nodes(written(planned), "DynamicQuantizeLinear") == 1);
}

TEST_CASE("modes: an LSTM has dynamic codes, a GRU and an RNN have not", "[modes]") {
  GraphBuilder lstm, gru, rnn;
  const Planned of_lstm = plan_of(lstm, {recurrent(lstm, "LSTM", 4)}, scheme_of("dynamic"));
  CHECK(of_lstm.placement("LSTM") == Placement::kDynamic);
  const Graph graph = written(of_lstm);
  CHECK(count_nodes(graph, "DynamicQuantizeLSTM") == 1);
  CHECK(graph.info.opsets.at("com.microsoft") == 1);
  CHECK(sqnr(of_lstm, graph) > 30);
  CHECK(plan_of(gru, {recurrent(gru, "GRU", 3)}, scheme_of("dynamic")).placement("GRU") == Placement::kFloat);
  CHECK(plan_of(rnn, {recurrent(rnn, "RNN", 1)}, scheme_of("dynamic")).placement("RNN") == Placement::kFloat);
}

TEST_CASE("modes: a static plan says which mode takes a recurrent layer", "[modes]") {
  GraphBuilder lstm, gru;
  CHECK(plan_of(lstm, {recurrent(lstm, "LSTM", 4)}).node("LSTM").reason ==
        "ort-x86 has no integer kernel for it; --mode dynamic or weight-only makes its weights smaller");
  CHECK(plan_of(gru, {recurrent(gru, "GRU", 3)}).node("GRU").reason ==
        "ort-x86 has no integer kernel for it; --mode weight-only makes its weights smaller");
}

TEST_CASE("modes: both operands of a recurrent layer are stored", "[modes]") {
  const auto [op_type, gates] = GENERATE(table<std::string, int64_t>({{"LSTM", 4}, {"GRU", 3}, {"RNN", 1}}));
  GraphBuilder b;
  const Planned planned = plan_of(b, {recurrent(b, op_type, gates)}, scheme_of("weight-only"));
  REQUIRE(planned.node(op_type).stored.size() == 2);
  CHECK(sqnr(planned, written(planned)) > 35);
}

TEST_CASE("modes: the table of a Gather is stored by its rows", "[modes]") {
  const int64_t axis = GENERATE(0, 1, -1);
  GraphBuilder b;
  const ValueId indices = b.constant("indices", Tensor::of<int64_t>({3}, {4, 0, 2}));
  const ValueId table = b.random("table", {12, 16});
  const ValueId row = b.node("Gather", {table, indices}, {{"axis", axis}});
  // The indices are computed, so that nothing is folded.
  const ValueId x = b.input("x", axis == 0 ? Shape{3, 16} : Shape{12, 3});
  const Planned planned = plan_of(b, {b.node("Add", {row, x})}, scheme_of("weight-only"));
  REQUIRE(planned.node("Gather").stored.size() == 1);
  CHECK(planned.node("Gather").stored[0].axis == (axis == 0 ? 0 : 1));
  CHECK(sqnr(planned, written(planned)) > 35);
}

TEST_CASE("modes: a table of 4 bits in blocks is read by one operator of ONNX Runtime", "[modes]") {
  const int64_t axis = GENERATE(0, 1, -1), bits = GENERATE(4, 8);
  GraphBuilder b(21);
  const ValueId indices = b.constant("indices", Tensor::of<int64_t>({3}, {4, -1, 2}));
  const ValueId row = b.node("Gather", {b.random("table", {40, 36}), indices}, {{"axis", axis}});
  const ValueId sum = b.node("Add", {row, b.input("x", axis == 0 ? Shape{3, 36} : Shape{40, 3})});
  QuantizationScheme scheme = scheme_of("weight-only");
  scheme.weights.num_bits = static_cast<int>(bits);
  scheme.weight_block = 16;
  for (const char* target : {"ort-x86", "native"}) {
    const Planned planned = plan_of(b, {sum}, scheme, {}, find_target(target));
    const Graph graph = written(planned);
    const bool is_one = bits == 4 && target == std::string("ort-x86");
    CHECK(count_nodes(graph, "GatherBlockQuantized") == is_one);
    CHECK(count_nodes(graph, "DequantizeLinear") == !is_one);
    CHECK(sqnr(planned, graph) > 4 * static_cast<double>(bits));
  }
}

TEST_CASE("modes: weights that several nodes read are stored once", "[modes]") {
  GraphBuilder b;
  const ValueId x = b.input("x", {4, 8}), w = b.random("w", {8, 8});
  const ValueId y = b.node("MatMul", {b.node("Relu", {b.node("MatMul", {x, w})}), w});
  CHECK(count_nodes(written(plan_of(b, {y}, scheme_of("weight-only"))), "DequantizeLinear") == 1);
}

TEST_CASE("modes: what would not become smaller stays as it is", "[modes]") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 8, 4, 4});
  const ValueId y = b.node("Conv", {x, b.random("w", {8, 1, 1, 1})}, {{"group", int64_t{8}}});
  const Planned planned = plan_of(b, {y}, scheme_of("weight-only"));
  CHECK(planned.node("Conv").stored.empty());
  CHECK(planned.node("Conv").reason == "its codes and scales would take no less than its weights");
}

TEST_CASE("modes: rules give single nodes theirs, later ones win, and all stand in one graph", "[modes]") {
  GraphBuilder b;
  ValueId x = b.input("x", {1, 8, 4, 4});
  for (int i = 0; i < 4; ++i)
    x = b.node("Relu", {b.node("Conv", {x, b.random("w" + std::to_string(i), {8, 8, 1, 1})})});
  QuantizationScheme scheme = scheme_of("float");
  scheme.mode_rules = {
      {"static", "conv"}, {"dynamic", "conv_4"}, {"weight-only", "conv_2|conv_4"}, {"dynamic", "conv_4"}};
  const Planned planned = plan_of(b, {x}, scheme);
  CHECK(planned.placement("Conv", 0) == Placement::kInteger);
  CHECK(planned.node("Conv", 1).stored.size() == 1);
  CHECK(planned.placement("Conv", 1) == Placement::kFloat);
  CHECK(planned.placement("Conv", 2) == Placement::kDynamic);
  CHECK(planned.placement("Conv", 3) == Placement::kInteger);
  CHECK(planned.node("Relu", 1).mode->name == std::string("float"));
  const Graph graph = written(planned);
  CHECK(count_nodes(graph, "ConvInteger") == 1);
  CHECK(sqnr(planned, graph) > 25);
  CHECK(takes_ranges(scheme));
  CHECK_FALSE(takes_ranges(scheme_of("dynamic")));
}

TEST_CASE("modes: excluded nodes and disabled weights stay float in each", "[modes]") {
  const std::string mode = GENERATE("dynamic", "weight-only");
  GraphBuilder b;
  const ValueId x = b.input("x", {4, 8});
  const ValueId y = b.node("MatMul", {b.node("MatMul", {x, b.random("w", {8, 8})}), b.random("v", {8, 8})});
  QuantizationScheme scheme = scheme_of(mode);
  scheme.exclude = {"matmul_0"};
  scheme.overrides["v"].enabled = false;
  const Planned planned = plan_of(b, {y}, scheme);
  CHECK(planned.node("MatMul", 0).reason == "excluded by its name");
  CHECK(planned.node("MatMul", 1).reason == "its weights are left in float by their override");
  CHECK(summarize(planned).by_mode.empty());
}

TEST_CASE("modes: a target and a mode that do not fit are refused", "[modes]") {
  GraphBuilder b(21);
  const ValueId x = b.input("x", {4, 8});
  Graph graph = b.build({b.node("MatMul", {x, b.random("w", {8, 8})})});
  infer_shapes(graph);
  TargetProfile bare = find_target("ort-x86");
  bare.dynamic_operators = {};
  bare.stored_codes = kBytes;
  bare.block_opset = 0;
  bare.unpacks_codes = false;
  const auto refuses = [&](const QuantizationScheme& scheme, const std::string& says) {
    CHECK_THROWS_WITH(check_scheme(graph, scheme, bare), Catch::Contains(says));
  };
  refuses(scheme_of("dynamic"), "computes no layer on codes of dynamic ranges");
  refuses(scheme_of("no-such-mode"), "the modes are static, dynamic, weight-only and float");
  QuantizationScheme scheme = scheme_of("weight-only");
  scheme.weights.num_bits = 4;
  refuses(scheme, "stores weights in 8 bits, not in 4");
  scheme = scheme_of("weight-only");
  scheme.weight_block = 16;
  refuses(scheme, "reads no blocks of weights");
  scheme = scheme_of("weight-only");
  scheme.storage.grid = WeightGrid::kCodebook;
  refuses(scheme, "reads no codes of a codebook");
  scheme.storage.grid = WeightGrid::kBinary;
  refuses(scheme, "reads no codes of a binary");
  scheme.storage.grid = WeightGrid::kTernary;
  refuses(scheme, "stores weights in 8 bits, not in 2");
  scheme = scheme_of("dynamic");
  scheme.storage.grid = WeightGrid::kCodebook;
  bare.dynamic_operators = find_target("ort-x86").dynamic_operators;
  refuses(scheme, "--mode dynamic has no codebooks");
  scheme = scheme_of("dynamic");
  scheme.weights.num_bits = 1;
  refuses(scheme, "have 2 bits or more");
  scheme = scheme_of("float");
  scheme.weights.num_bits = 4;
  refuses(scheme, "--mode float rounds no weights");
}

TEST_CASE("modes: where means were seen, the bias takes back what rounding the weights does to them",
          "[modes]") {
  const std::string mode = GENERATE("dynamic", "weight-only");
  const bool has_bias = GENERATE(true, false);
  GraphBuilder b;
  const ValueId x = b.node("Relu", {b.input("x", {1, 16, 6, 6})});
  std::vector<ValueId> inputs = {x, b.random("w", {8, 16, 1, 1})};
  if (has_bias) inputs.push_back(b.random("bias", {8}));
  QuantizationScheme scheme = scheme_of(mode);
  scheme.weights.num_bits = 4;
  const ValueId y = b.node("Conv", inputs);
  const Planned planned = plan_of(b, {y}, scheme);
  REQUIRE(planned.node("Conv").stored[0].shift.size() == 8);
  scheme.bias_correction = BiasCorrection::kOff;
  const Planned plain = plan_of(b, {y}, scheme);
  CHECK(plain.node("Conv").stored[0].shift.empty());
  CHECK(sqnr(planned, written(planned)) > sqnr(plain, written(plain)) + 1);
}
