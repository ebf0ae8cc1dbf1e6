// Read read_pixels() first.
#include "core/quantization/rewrites/read_pixels.h"

#include <algorithm>
#include <cmath>

#include "core/fusion/patterns.h"
#include "core/quantization/candidates.h"

namespace quantize {

namespace {

using Pads = std::vector<int64_t>;  // top, left, bottom, right

/// How far a zero may be from a whole number, so that rounding finds the byte whatever f32 did to it.
constexpr double kFarthest = 0.48;

bool fits(const PixelGrid& grid) {
  bool is_exact = true;  // with one scale and zero point
  for (size_t c = 0; c < grid.scale.size(); ++c) {
    const double fraction = grid.zero[c] - std::nearbyint(grid.zero[c]);
    if (std::abs(fraction) > kFarthest || grid.zero[c] < 0 || grid.zero[c] > 255 || !(grid.scale[c] > 0))
      return false;
    is_exact = is_exact && fraction == 0 && grid.scale[c] == grid.scale[0] && grid.zero[c] == grid.zero[0];
  }
  return !is_exact;
}

bool has_all_codes(const QuantType& type) {
  return size_of(type.dtype) == 1 && type.num_bits == 8 && !type.symmetric && !type.narrow_range;
}

Pads pads_of(const Node& conv) {
  return conv.ints_attribute("pads", {0, 0, 0, 0});
}
bool has_pads(const Node& conv) {
  const Pads pads = pads_of(conv);
  return std::any_of(pads.begin(), pads.end(), [](int64_t pad) { return pad != 0; });
}

/// The only reader of the only input, if it is a convolution as read_pixels wants it; else kNoNode.
NodeId first_conv(const Graph& graph, const PixelGrid& grid, const QuantizationScheme& scheme,
                  const TargetProfile& target) {
  if (graph.inputs.size() != 1) return kNoNode;
  const ValueId x = graph.inputs[0];
  const GraphIndex index(graph);
  const std::optional<Shape>& shape = graph.value(x).shape;
  if (!index.single_use(x) || graph.value(x).dtype != DataType::kF32 || !shape || shape->size() != 4 ||
      (*shape)[1] != static_cast<int64_t>(grid.scale.size()))
    return kNoNode;
  const NodeId n = index.uses(x)[0].node;
  const Node& conv = graph.nodes[static_cast<size_t>(n)];
  if (!is_image_conv(graph, conv) || index.uses(x)[0].input != 0) return kNoNode;
  const Tensor *w = graph.constant(conv.inputs[1]), *b = graph.constant(conv.input(2));
  const bool is_plain = w != nullptr && w->dtype() == DataType::kF32 &&
                        (b != nullptr || conv.input(2) == kNoValue) && conv.int_attribute("group", 1) == 1 &&
                        pads_of(conv).size() == 4 && conv.string_attribute("auto_pad", "NOTSET") == "NOTSET";
  const bool is_free = find_override(scheme, graph.value(x).name) == nullptr &&
                       find_override(scheme, graph.value(conv.inputs[1]).name) == nullptr;
  const bool can_pad = !scheme.integer_input || !has_pads(conv);
  return is_plain && is_free && can_pad &&
                 find_candidates(graph, index, scheme, target)[static_cast<size_t>(n)]
             ? n
             : kNoNode;
}

/// The convolution's weights and bias for bytes.
void scale_operands(Graph& graph, Node& conv, const PixelGrid& grid) {
  const Tensor& given_w = *graph.constant(conv.inputs[1]);
  Tensor w(DataType::kF32, given_w.shape());  // copies share their elements
  const int64_t outputs = w.shape()[0], channels = w.shape()[1], taps = w.shape()[2] * w.shape()[3];
  const Tensor* given_bias = graph.constant(conv.input(2));
  Tensor bias(DataType::kF32, {outputs});
  const float* from = given_w.data<float>();
  float* to = w.mutable_data<float>();
  for (int64_t o = 0; o < outputs; ++o) {
    double sum = given_bias == nullptr ? 0 : given_bias->data<float>()[o];
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t t = 0; t < taps; ++t) {
        const double scaled = double{*from++} * grid.scale[static_cast<size_t>(c)];
        sum -= scaled * grid.zero[static_cast<size_t>(c)];
        *to++ = static_cast<float>(scaled);
      }
    bias.mutable_data<float>()[o] = static_cast<float>(sum);
  }
  const std::string name = graph.value(conv.inputs[1]).name;
  conv.inputs.resize(3, kNoValue);
  conv.inputs[2] = graph.add_constant(name + "_pixels_bias", std::move(bias));
  conv.inputs[1] = graph.add_constant(name + "_pixels", std::move(w));
}

Node make_pad(Graph& graph, const Node& conv, const Pads& pads) {
  const ValueId x = conv.inputs[0];
  Shape shape = *graph.value(x).shape;
  for (size_t i = 0; i < 2; ++i)
    if (shape[2 + i] != kUnknownDim) shape[2 + i] += pads[i] + pads[2 + i];
  Node pad;
  pad.op_type = "Pad";
  pad.name = conv.name + "_pad";
  pad.inputs = {x, graph.add_constant(pad.name + "s", Tensor::of<int64_t>({8}, {0, 0, pads[0], pads[1], 0, 0,
                                                                                pads[2], pads[3]}))};
  pad.outputs = {graph.add_value(graph.value(x).name + "_padded", DataType::kF32, shape)};
  return pad;
}

Node make_affine(Graph& graph, ValueId x, const std::string& name, const PixelGrid& grid) {
  const auto channels = static_cast<int64_t>(grid.scale.size());
  const auto add = [&](const char* suffix, auto number) {
    std::vector<float> numbers;
    for (size_t c = 0; c < grid.scale.size(); ++c) numbers.push_back(static_cast<float>(number(c)));
    return graph.add_constant(name + suffix, Tensor::of<float>({channels}, numbers));
  };
  Node node;
  node.op_type = "BatchNormalization";
  node.inputs = {x, add("_scale", [&](size_t c) { return 1 / grid.scale[c]; }),
                 add("_bias", [&](size_t c) { return grid.zero[c]; }), add("_mean", [](size_t) { return 0; }),
                 add("_var", [](size_t) { return 1; })};
  node.outputs = {graph.add_value(name, DataType::kF32, graph.value(x).shape)};
  node.name = graph.value(node.outputs[0]).name;
  node.attributes["epsilon"] = 0.0f;
  return node;
}

}  // namespace

std::string read_pixels(Graph& graph, const PixelGrid& grid, const QuantizationScheme& scheme,
                        const TargetProfile& target) {
  if (!fits(grid) || !has_all_codes(scheme.activations)) return "";
  const NodeId n = first_conv(graph, grid, scheme, target);
  if (n == kNoNode) return "";
  Node conv = graph.nodes[static_cast<size_t>(n)];
  const std::string name = graph.value(conv.inputs[0]).name + "_pixels";
  std::vector<Node> nodes;
  if (has_pads(conv)) {
    nodes.push_back(make_pad(graph, conv, pads_of(conv)));
    conv.inputs[0] = nodes.back().outputs[0];
    conv.attributes.erase("pads");
  }
  nodes.push_back(make_affine(graph, conv.inputs[0], name, grid));
  conv.inputs[0] = nodes.back().outputs[0];
  scale_operands(graph, conv, grid);
  graph.nodes[static_cast<size_t>(n)] = conv;
  graph.nodes.insert(graph.nodes.begin() + n, nodes.begin(), nodes.end());
  return graph.value(conv.inputs[0]).name;
}

void add_pixel_range(const Graph& graph, const std::string& pixels, const PixelGrid& grid,
                     RangeTable& ranges) {
  const ValueRange* reals = ranges.find(graph.value(graph.inputs[0]).name);
  ValueRange range;
  range.method = "the bytes of the image";
  range.ranges = {{0, 255}};
  const ValueId bytes = graph.find_value(pixels);
  const NodeId affine = GraphIndex(graph).producer(bytes);
  range.bytes = {graph.value(graph.nodes[static_cast<size_t>(affine)].inputs[0]).name, grid.scale, grid.zero};
  range.non_finite = reals == nullptr ? 0 : reals->non_finite;
  range.channel_ranges.assign(grid.scale.size(), {0, 255});
  for (size_t c = 0; c < grid.scale.size(); ++c) {
    const bool known = reals != nullptr && reals->channel_axis == 1 && c < reals->channel_mean.size();
    range.channel_mean.push_back(grid.zero[c] + (known ? reals->channel_mean[c] / grid.scale[c] : 0));
  }
  ranges.values[pixels] = std::move(range);
  for (const Node& node : graph.nodes)  // its means are those of the reals
    if (node.input(0) == bytes) ranges.tap_means.erase(graph.value(node.outputs[0]).name);
}

}  // namespace quantize
