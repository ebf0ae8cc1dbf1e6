// GridSample, RoiAlign, DeformConv and Attention, as the engine runs them, against their reference on drawn forms.
#include <catch2/catch.hpp>
#include <random>

#include "core/engine/engine.h"
#include "tests/support/graph_builder.h"
#include "tests/support/quantized_graph.h"

using namespace quantize;
using test::GraphBuilder;

namespace {

using Ints = std::vector<int64_t>;

struct Draw {
  explicit Draw(uint32_t seed) : generator(seed) {}
  int64_t among(const std::vector<int64_t>& choices) { return choices[generator() % choices.size()]; }
  bool coin() { return among({0, 1}) == 1; }
  std::string word(const std::vector<std::string>& words) { return words[generator() % words.size()]; }

  std::mt19937 generator;
};

/// The largest difference of any result at any level; NaN where a result is not a number. Several threads give the bytes
/// of one.
float worst_difference(const Graph& graph, const std::vector<Tensor>& inputs) {
  const std::vector<Tensor> expected = test::reference_outputs(graph, inputs);
  float worst = 0;
  for (const Isa isa : supported_isas()) {
    Engine one(graph, {.kernels = &kernels_for(isa)}),
        three(graph, {.kernels = &kernels_for(isa), .threads = 3});
    const std::vector<Tensor> actual = one.run(inputs), shared = three.run(inputs);
    for (size_t i = 0; i < expected.size(); ++i) {
      CHECK(equal(actual[i], shared[i]));
      REQUIRE(actual[i].shape() == expected[i].shape());
      for (int64_t k = 0; k < expected[i].size(); ++k) {
        const float difference = std::abs(actual[i].data<float>()[k] - expected[i].data<float>()[k]);
        worst = difference <= worst ? worst : difference;
      }
    }
  }
  return worst;
}

}  // namespace

TEST_CASE("GridSample in parts: the bytes of the reference", "[steps]") {
  for (uint32_t seed = 0; seed < 40; ++seed) {
    INFO("seed " << seed);
    Draw draw(seed);
    GraphBuilder b(20);
    const bool is_volume = draw.among({0, 0, 1}) == 1;
    const int64_t n = draw.among({1, 3}), rank = is_volume ? 3 : 2, out = draw.among({1, 9, 40});
    const Shape x = is_volume ? Shape{n, 5, 4, 6, 7} : Shape{n, draw.among({1, 33}), 12, 9};
    const Shape grid = is_volume ? Shape{n, 3, 4, out, rank} : Shape{n, 8, out, rank};
    const std::string mode =
        is_volume ? draw.word({"nearest", "linear"}) : draw.word({"nearest", "linear", "cubic"});
    const ValueId y = b.node("GridSample", {b.input("x", x), b.input("grid", grid)},
                             {{"mode", mode},
                              {"padding_mode", draw.word({"zeros", "border", "reflection"})},
                              {"align_corners", draw.among({0, 1})}});
    CHECK(worst_difference(b.build({y}), {test::random_tensor(x, seed),
                                          test::random_tensor(grid, seed + 1, -1.6f, 1.6f)}) == 0);
  }
}

TEST_CASE("RoiAlign in parts: the bytes of the reference", "[steps]") {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    INFO("seed " << seed);
    Draw draw(seed);
    GraphBuilder b(16);
    const int64_t regions = draw.among({1, 7, 60});
    std::vector<int64_t> samples;
    for (int64_t i = 0; i < regions; ++i) samples.push_back(draw.among({0, 1}));
    const ValueId y = b.node(
        "RoiAlign", {b.input("x", {2, 6, 20, 17}), b.input("rois", {regions, 4}), b.ints("samples", samples)},
        {{"mode", draw.word({"avg", "max"})},
         {"output_height", draw.among({1, 3, 7})},
         {"output_width", draw.among({1, 7})},
         {"sampling_ratio", draw.among({0, 1, 2})},
         {"spatial_scale", 0.5f}});
    CHECK(worst_difference(b.build({y}), {test::random_tensor({2, 6, 20, 17}, seed),
                                          test::random_tensor({regions, 4}, seed + 1, -5, 60)}) == 0);
  }
}

TEST_CASE("DeformConv: drawn forms, at every level, on several threads", "[steps]") {
  for (uint32_t seed = 0; seed < 30; ++seed) {
    INFO("seed " << seed);
    Draw draw(seed);
    GraphBuilder b(19);
    const int64_t group = draw.among({1, 2}), offset_group = draw.among({1, 2, 4}), n = draw.among({1, 2});
    const int64_t kernel = draw.among({1, 3}), stride = draw.among({1, 2}), pad = draw.among({0, 1});
    const int64_t height = 17, width = draw.among({11, 24}), taps = kernel * kernel * offset_group;
    const auto out = [&](int64_t in) { return (in + 2 * pad - kernel) / stride + 1; };
    const Shape x{n, 8, height, width}, offset{n, 2 * taps, out(height), out(width)},
        mask{n, taps, out(height), out(width)};
    std::vector<ValueId> operands{b.input("x", x), b.random("w", {6, 8 / group, kernel, kernel}),
                                  b.input("offset", offset)};
    std::vector<Tensor> inputs{test::random_tensor(x, seed), test::random_tensor(offset, seed + 1, -3, 3)};
    operands.push_back(draw.coin() ? b.random("b", {6}) : kNoValue);
    if (draw.coin()) {
      operands.push_back(b.input("mask", mask));
      inputs.push_back(test::random_tensor(mask, seed + 2));
    }
    const ValueId y = b.node("DeformConv", operands,
                             {{"group", group},
                              {"offset_group", offset_group},
                              {"kernel_shape", Ints{kernel, kernel}},
                              {"strides", Ints{stride, stride}},
                              {"pads", Ints{pad, pad, pad, pad}}});
    const ValueId clamped = draw.coin() ? b.node("Relu", {y}) : y;
    CHECK(worst_difference(b.build({clamped}), inputs) <= 2e-5f);
  }
}

TEST_CASE("Attention: drawn forms, at every level, on several threads", "[steps]") {
  for (uint32_t seed = 0; seed < 40; ++seed) {
    INFO("seed " << seed);
    Draw draw(seed);
    GraphBuilder b(23);
    const int64_t n = draw.among({1, 2}), kv_heads = draw.among({1, 2}),
                  heads = kv_heads * draw.among({1, 3});
    const int64_t queries = draw.among({1, 7, 40}), keys = draw.among({1, 9, 50}),
                  size = draw.among({1, 8, 20}), out = draw.among({3, 16});
    const bool flat = draw.coin(), has_past = draw.coin();
    const auto tensor = [&](int64_t h, int64_t length, int64_t width) {
      return flat ? Shape{n, length, h * width} : Shape{n, h, length, width};
    };
    std::vector<ValueId> operands;
    std::vector<Tensor> inputs;
    const auto add = [&](const char* name, const Shape& shape) {
      operands.push_back(b.input(name, shape));
      inputs.push_back(test::random_tensor(shape, seed + static_cast<uint32_t>(inputs.size()), -2, 2));
    };
    const int64_t past = has_past ? 4 : 0;
    add("q", tensor(heads, queries, size));
    add("k", tensor(kv_heads, keys, size));
    add("v", tensor(kv_heads, keys, out));
    operands.push_back(draw.coin() ? b.random("mask", {queries, past + keys}) : kNoValue);
    if (has_past) {
      add("past_key", {n, kv_heads, past, size});
      add("past_value", {n, kv_heads, past, out});
    }
    std::map<std::string, Attribute> attributes{{"is_causal", draw.among({0, 1})},
                                                {"qk_matmul_output_mode", draw.among({0, 1, 2, 3})}};
    if (flat) attributes.insert({{"q_num_heads", heads}, {"kv_num_heads", kv_heads}});
    if (draw.coin()) attributes["softcap"] = 1.5f;
    const std::vector<ValueId> outputs = b.nodes("Attention", operands, has_past ? 4 : 1, attributes);
    const Graph graph = b.build(outputs);
    // Scores of keys that are not to be seen are infinite.
    if (has_past && std::get<int64_t>(attributes["qk_matmul_output_mode"]) == 2) continue;
    CHECK(worst_difference(graph, inputs) <= 2e-5f);
  }
}
