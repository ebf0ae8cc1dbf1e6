// The graphs of the suite. Read the list at the end first.
#include "tests/suites/graphs.h"

#include "tests/support/graph_builder.h"

namespace quantize::test {

namespace {

using Attributes = std::map<std::string, Attribute>;
using Ints = std::vector<int64_t>;

/// An image that a convolution makes of the input, and the layer behind what a graph is about.
struct Net : GraphBuilder {
  Net() : GraphBuilder(21) {}

  ValueId conv(ValueId image, int64_t inputs, int64_t outputs, Attributes more = {}, int64_t kernel = 3) {
    const int64_t groups = more.count("group") == 0 ? 1 : std::get<int64_t>(more["group"]), pad = kernel / 2;
    more.emplace("pads", Ints{pad, pad, pad, pad});
    return node(
        "Conv",
        {image, random("w", {outputs, inputs / groups, kernel, kernel}, -0.5f, 0.5f), random("b", {outputs})},
        more);
  }
  ValueId image() { return conv(x, 3, 8); }
  ValueId scalar(float number) { return constant("c", Tensor::scalar(number)); }
  ValueId silu(ValueId id) { return node("Mul", {id, node("Sigmoid", {id})}); }
  /// The graph that ends with a layer on this image of so many channels.
  Graph end(ValueId id, int64_t channels = 8) { return build({conv(id, channels, 4, {}, 1)}); }

  ValueId x = input("x", {2, 3, 12, 10});
};

Graph convolution() {
  Net n;
  return n.end(n.image());
}

Graph clamps() {
  Net n;
  return n.end(n.node("Clip", {n.node("Relu", {n.image()}), n.scalar(0.0f), n.scalar(1.5f)}));
}

Graph strides_and_groups() {
  Net n;
  const ValueId wide = n.conv(n.image(), 8, 8, {{"strides", Ints{2, 2}}, {"group", int64_t{2}}});
  return n.end(n.conv(wide, 8, 8, {{"group", int64_t{8}}}));
}

Graph dilated() {
  Net n;
  return n.end(n.conv(n.image(), 8, 8, {{"dilations", Ints{2, 2}}, {"pads", Ints{2, 2, 2, 2}}}));
}

Graph transposed() {
  Net n;
  const ValueId up = n.node("ConvTranspose", {n.image(), n.random("w", {8, 8, 2, 2}), n.random("b", {8})},
                            {{"strides", Ints{2, 2}}});
  return n.end(up);
}

Graph transposed_in_groups() {
  Net n;
  const ValueId up = n.node("ConvTranspose", {n.image(), n.random("w", {8, 4, 4, 4}), n.random("b", {8})},
                            {{"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}, {"group", int64_t{2}}});
  return n.end(up);
}

Graph transposed_and_cropped() {
  Net n;
  const ValueId up = n.node("ConvTranspose", {n.image(), n.random("w", {8, 8, 3, 3}), n.random("b", {8})},
                            {{"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}});
  return n.end(up);
}

Graph function_of_a_convolution() {
  Net n;
  return n.end(n.silu(n.image()));
}

Graph functions() {
  Net n;
  const ValueId tanh = n.node("Tanh", {n.image()});
  const ValueId leaky = n.node("LeakyRelu", {n.conv(tanh, 8, 8)}, {{"alpha", 0.1f}});
  return n.end(n.node("HardSwish", {n.conv(leaky, 8, 8)}));
}

Graph gelu_in_parts() {
  Net n;
  const ValueId y = n.image();
  const ValueId erf = n.node("Erf", {n.node("Div", {y, n.scalar(1.41421356f)})});
  const ValueId half = n.node("Mul", {y, n.node("Add", {erf, n.scalar(1.0f)})});
  return n.end(n.node("Mul", {half, n.scalar(0.5f)}));
}

Graph residual() {
  Net n;
  const ValueId first = n.node("Relu", {n.image()});
  return n.end(n.node("Relu", {n.node("Add", {first, n.conv(first, 8, 8)})}));
}

Graph residual_behind_a_function() {
  Net n;
  const ValueId first = n.image();
  return n.end(n.node("Add", {first, n.silu(n.conv(first, 8, 8))}));
}

Graph channels_weighed() {
  Net n;
  const ValueId y = n.image();
  const ValueId mean = n.node("GlobalAveragePool", {y});
  return n.end(n.node("Mul", {y, n.node("Sigmoid", {n.conv(mean, 8, 8, {}, 1)})}));
}

Graph joined() {
  Net n;
  return n.end(n.node("Concat", {n.image(), n.image()}, {{"axis", int64_t{1}}}), 16);
}

Graph split_and_joined() {
  Net n;
  const auto parts = n.nodes("Split", {n.image()}, 2, {{"axis", int64_t{1}}, {"num_outputs", int64_t{2}}});
  return n.end(n.node("Concat", {parts[1], parts[0]}, {{"axis", int64_t{1}}}));
}

Graph pools() {
  Net n;
  const Attributes window{{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}};
  const ValueId largest = n.node("MaxPool", {n.image()}, window);
  return n.end(n.node("AveragePool", {n.conv(largest, 8, 8)}, window));
}

Graph depth_to_space() {
  Net n;
  const ValueId spread = n.node("DepthToSpace", {n.image()}, {{"blocksize", int64_t{2}}});
  return n.end(spread, 2);
}

Graph resized() {
  Net n;
  const ValueId scales = n.constant("scales", Tensor::of<float>({4}, {1, 1, 2, 2}));
  const ValueId up = n.node("Resize", {n.image(), kNoValue, scales},
                            {{"mode", std::string("nearest")},
                             {"coordinate_transformation_mode", std::string("asymmetric")},
                             {"nearest_mode", std::string("floor")}});
  return n.end(up);
}

Graph blended() {
  Net n;
  const ValueId scales = n.constant("scales", Tensor::of<float>({4}, {1, 1, 2, 1.5f}));
  return n.end(n.node("Resize", {n.image(), kNoValue, scales}, {{"mode", std::string("linear")}}));
}

Graph moved() {
  Net n;
  const ValueId turned = n.node("Transpose", {n.image()}, {{"perm", Ints{0, 1, 3, 2}}});
  const ValueId cut = n.node("Slice", {turned, n.ints("from", {1, 9}), n.ints("to", {9, -20}),
                                       n.ints("axes", {2, 3}), n.ints("steps", {1, -2})});
  return n.end(n.node("Gather", {cut, n.ints("order", {7, 6, 5, 4, 3, 2, 1, 0})}, {{"axis", int64_t{1}}}));
}

Graph padded() {
  Net n;
  const ValueId border = n.node("Pad", {n.image(), n.ints("pads", {0, 0, 1, 2, 0, 0, 2, 1}), n.scalar(0.5f)});
  return n.end(border);
}

Graph chosen() {
  Net n;
  const ValueId condition = n.node("Greater", {n.x, n.scalar(0.0f)});
  const ValueId one =
      n.node("Slice", {condition, n.ints("from", {0}), n.ints("to", {1}), n.ints("axes", {1})});
  const ValueId first = n.image(), second = n.image();
  return n.end(n.node("Where", {one, first, second}));
}

Graph normalized() {
  Net n;
  const ValueId scaled =
      n.node("BatchNormalization", {n.image(), n.random("s", {8}, 0.5f, 1.5f), n.random("o", {8}),
                                    n.random("m", {8}), n.random("v", {8}, 0.5f, 1.5f)});
  return n.end(scaled);
}

Graph classifier() {
  Net n;
  const ValueId flat = n.node("Flatten", {n.node("GlobalAveragePool", {n.node("Relu", {n.image()})})});
  const ValueId scores =
      n.node("Gemm", {flat, n.random("w", {10, 8}), n.random("b", {10})}, {{"transB", int64_t{1}}});
  return n.build({n.node("Softmax", {scores})});
}

Graph products() {
  Net n;
  const ValueId rows = n.node("Reshape", {n.image(), n.ints("shape", {2, 8, 120})});
  const ValueId hidden =
      n.node("Add", {n.node("MatMul", {rows, n.random("w", {120, 16})}), n.random("b", {16})});
  return n.build({n.node("MatMul", {n.node("Relu", {hidden}), n.random("v", {16, 5})})});
}

Graph attention() {
  Net n;
  const ValueId rows = n.node("Reshape", {n.image(), n.ints("shape", {2, 8, 120})});
  const auto project = [&] { return n.node("MatMul", {rows, n.random("w", {120, 16}, -0.2f, 0.2f)}); };
  const ValueId keys = n.node("Transpose", {project()}, {{"perm", Ints{0, 2, 1}}});
  const ValueId weights = n.node("Softmax", {n.node("MatMul", {project(), keys})}, {{"axis", int64_t{-1}}});
  return n.build({n.node("MatMul", {weights, project()})});
}

Graph two_outputs() {
  Net n;
  const ValueId first = n.node("Relu", {n.image()});
  return n.build({n.conv(first, 8, 2, {}, 1), n.node("Sigmoid", {n.conv(first, 8, 1, {}, 1)})});
}

constexpr SuiteGraph kGraphs[] = {
    {"attention", attention},
    {"blended", blended},
    {"channels_weighed", channels_weighed},
    {"chosen", chosen},
    {"clamps", clamps},
    {"classifier", classifier},
    {"convolution", convolution},
    {"depth_to_space", depth_to_space},
    {"dilated", dilated},
    {"function_of_a_convolution", function_of_a_convolution},
    {"functions", functions},
    {"gelu_in_parts", gelu_in_parts},
    {"joined", joined},
    {"moved", moved},
    {"normalized", normalized},
    {"padded", padded},
    {"pools", pools},
    {"products", products},
    {"residual", residual},
    {"residual_behind_a_function", residual_behind_a_function},
    {"resized", resized},
    {"split_and_joined", split_and_joined},
    {"strides_and_groups", strides_and_groups},
    {"transposed", transposed},
    {"transposed_and_cropped", transposed_and_cropped},
    {"transposed_in_groups", transposed_in_groups},
    {"two_outputs", two_outputs},
};

}  // namespace

std::span<const SuiteGraph> suite_graphs() {
  return kGraphs;
}

}  // namespace quantize::test
