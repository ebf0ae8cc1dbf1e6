// The bytes of an image as codes: what read_pixels changes, that nothing is lost, and when it leaves a graph
// alone.
#include "core/quantization/rewrites/read_pixels.h"

#include "tests/support/check_engine.h"
#include "tests/support/check_same.h"

using namespace quantize;

namespace {

const PixelGrid kImagenet = {{1 / (255 * 0.229), 1 / (255 * 0.224), 1 / (255 * 0.225)},
                             {255 * 0.485, 255 * 0.456, 255 * 0.406}};

/// Conv -> Relu -> Conv with that many pads, or none, at the first convolution.
Graph network(std::vector<int64_t> pads, bool biased = true, int64_t stride = 1) {
  test::GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 11, 9});
  std::vector<ValueId> operands{x, b.random("w1", {5, 3, 3, 3})};
  if (biased) operands.push_back(b.random("b1", {5}));
  std::map<std::string, Attribute> attributes{{"strides", std::vector<int64_t>{stride, stride}}};
  if (!pads.empty()) attributes["pads"] = pads;
  const ValueId a = b.node("Relu", {b.node("Conv", operands, attributes)});
  return b.build({b.node("Conv", {a, b.random("w2", {4, 5, 1, 1})})});
}

/// Every byte there is, and what preprocessing makes of it.
Tensor image(const PixelGrid& grid, std::vector<int32_t>* bytes = nullptr) {
  Tensor x(DataType::kF32, {1, 3, 11, 9});
  for (int64_t i = 0; i < x.size(); ++i) {
    const auto c = static_cast<size_t>(i / 99);
    const auto byte = static_cast<int32_t>(i * 7 % 256);
    if (bytes != nullptr) bytes->push_back(byte);
    x.mutable_data<float>()[i] = static_cast<float>((byte - grid.zero[c]) * grid.scale[c]);
  }
  return x;
}

/// The QDQ graph.
Graph quantized(Graph graph, const PixelGrid& grid, const QuantizationScheme& scheme, const char* target) {
  infer_shapes(graph);
  RangeTable ranges = test::measured_ranges(graph);
  for (auto& [name, value] : ranges.values)  // images reach further than the numbers it was measured with
    for (std::vector<Range>* seen : {&value.ranges, &value.channel_ranges})
      for (Range& range : *seen) range = {3 * range.min, 3 * range.max};
  const std::string bytes = read_pixels(graph, grid, scheme, find_target("native"));
  if (!bytes.empty()) add_pixel_range(graph, bytes, grid, ranges);
  Graph qdq = insert_qdq(plan_quantization(graph, ranges, scheme, find_target(target)));
  infer_shapes(qdq);
  return qdq;
}

QuantizationScheme scheme_with(BiasCorrection correction) {
  QuantizationScheme scheme;
  scheme.max_noise = 1;
  scheme.bias_correction = correction;
  return scheme;
}

}  // namespace

TEST_CASE("read_pixels: the network computes the same") {
  for (const bool biased : {false, true})
    for (const std::vector<int64_t>& pads : {std::vector<int64_t>{}, {1, 1, 1, 1}, {0, 2, 1, 0}}) {
      const Graph before = network(pads, biased);
      Graph after = before;
      infer_shapes(after);
      CHECK(read_pixels(after, kImagenet, {}, find_target("native")) == "x_pixels");
      CHECK(test::count_nodes(after, "Pad") == (pads.empty() ? 0 : 1));
      test::check_same(before, after);
    }
}

TEST_CASE("read_pixels: codes are the bytes of the image, on every target") {
  for (const char* target : {"ort-x86", "native"}) {
    Graph qdq = quantized(network({}), kImagenet, scheme_with(BiasCorrection::kOff), target);
    validate(qdq);
    CHECK(test::count_nodes(qdq, "BatchNormalization") == 0);
    const ValueId codes = qdq.find_value("x_pixels_quantized");
    REQUIRE(codes != kNoValue);
    qdq.outputs = {codes};
    std::vector<int32_t> bytes;
    const Tensor x = image(kImagenet, &bytes);
    CHECK(test::run_graph(qdq, {x})[0].to_vector<int32_t>() == bytes);
  }
}

TEST_CASE("read_pixels: with bytes the first layer is off by its weights' rounding alone") {
  // Its bias takes the zeros back, with or without bias correction: else all results were shifted.
  const Graph graph = network({1, 1, 1, 1});
  const Tensor x = image(kImagenet);
  const Tensor expected = test::run_graph(graph, {x})[0];
  for (const BiasCorrection correction : {BiasCorrection::kOff, BiasCorrection::kClosedForm}) {
    const QuantizationScheme scheme = scheme_with(correction);
    const Graph plain = quantized(graph, {{1, 1, 1}, {0, 0, 0}}, scheme, "native"),
                bytes = quantized(graph, kImagenet, scheme, "native");
    CHECK(plain.find_value("x_pixels") == kNoValue);
    const auto error = [&](const Graph& qdq) {
      return test::relative_difference(test::run_graph(qdq, {x})[0], expected);
    };
    CHECK(error(bytes) < 0.02);
    CHECK(error(bytes) < error(plain));
  }
}

TEST_CASE("read_pixels: every level of the engine computes the reference's bytes") {
  for (const int64_t stride : {1, 2})
    for (const char* target : {"ort-x86", "native"}) {
      const Graph qdq = quantized(network({1, 1, 1, 1}, true, stride), kImagenet,
                                  scheme_with(BiasCorrection::kOff), target);
      test::check_engine(qdq, {image(kImagenet)});
      Tensor broken = image(kImagenet);
      broken.mutable_data<float>()[5] = std::numeric_limits<float>::quiet_NaN();
      test::check_engine(qdq, {broken});
    }
}

TEST_CASE("read_pixels: leaves alone what it cannot help or must not touch") {
  const auto changes = [](Graph graph, const PixelGrid& grid, const QuantizationScheme& scheme = {}) {
    infer_shapes(graph);
    return !read_pixels(graph, grid, scheme, find_target("native")).empty();
  };
  const Graph padded = network({1, 1, 1, 1});
  CHECK(changes(padded, kImagenet));
  CHECK(!changes(padded, {{1, 1, 1}, {0, 0, 0}}));              // one scale loses nothing
  CHECK(changes(padded, {{1, 1, 1}, {104, 117, 123}}));         // but several zeros would
  CHECK(!changes(padded, {{1, 1, 1}, {127.5, 127.5, 127.5}}));  // which byte is that?
  CHECK(!changes(padded, {{1, 1, 1}, {104, 117, 300}}));
  CHECK(!changes(padded, {{1, 1}, {104, 117}}));
  QuantizationScheme scheme;
  scheme.integer_input = true;
  CHECK(!changes(padded, kImagenet, scheme));
  CHECK(changes(network({}), kImagenet, scheme));
  scheme = {};
  scheme.activations.num_bits = 7;
  CHECK(!changes(padded, kImagenet, scheme));
  scheme = {};
  scheme.exclude = {"conv_0"};
  CHECK(!changes(padded, kImagenet, scheme));
  for (const char* name : {"x", "w1"}) {
    scheme = {};
    scheme.overrides[name].enabled = true;
    CHECK(!changes(padded, kImagenet, scheme));
  }
  test::GraphBuilder b;  // two readers
  const ValueId x = b.input("x", {1, 3, 8, 8});
  const ValueId y = b.node("Conv", {x, b.random("w", {3, 3, 1, 1})});
  CHECK(!changes(b.build({b.node("Add", {x, y})}), kImagenet));
}
