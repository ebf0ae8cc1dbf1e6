// Conv and ConvTranspose against sums over an explicitly padded or spread-out image.
#include <catch2/catch.hpp>

#include "core/error.h"
#include "tests/support/graph_builder.h"
#include "tests/support/reference.h"

using namespace quantize;
using namespace quantize::test;

namespace {

/// A Conv; the spatial lists have one to three elements, `pads` twice as many.
struct Case {
  int64_t n, channels, outputs, group;
  Shape image, kernel, strides, dilations, pads;
};

int64_t flat(const Shape& index, const Shape& extents) {
  int64_t result = 0;
  for (size_t i = 0; i < extents.size(); ++i) result = result * extents[i] + index[i];
  return result;
}

/// Calls body for every index below the extents.
template <typename Body>
void each_index(const Shape& extents, Body body) {
  Shape index(extents.size(), 0);
  for (int64_t i = 0; i < element_count(extents); ++i) {
    body(index);
    for (size_t axis = extents.size(); axis-- > 0;) {
      if (++index[axis] < extents[axis]) break;
      index[axis] = 0;
    }
  }
}

/// Reads every tap, and 0 outside the image; double sums.
Tensor brute_conv(const Case& c, const Tensor& x, const Tensor& w, const Tensor& bias) {
  const size_t rank = c.image.size();
  Shape out(rank);
  for (size_t i = 0; i < rank; ++i)
    out[i] =
        (c.image[i] + c.pads[i] + c.pads[rank + i] - (c.kernel[i] - 1) * c.dilations[i] - 1) / c.strides[i] +
        1;
  Shape shape{c.n, c.outputs};
  shape.insert(shape.end(), out.begin(), out.end());
  Tensor y(DataType::kF32, shape);
  const int64_t group_channels = c.channels / c.group, image = element_count(c.image),
                kernel = element_count(c.kernel);
  float* result = y.mutable_data<float>();
  for (int64_t n = 0; n < c.n; ++n)
    for (int64_t m = 0; m < c.outputs; ++m)
      each_index(out, [&](const Shape& o) {
        double sum = bias.data<float>()[m];
        for (int64_t g = 0; g < group_channels; ++g)
          each_index(c.kernel, [&](const Shape& k) {
            Shape at(rank);
            bool inside = true;
            for (size_t i = 0; i < rank; ++i) {
              at[i] = o[i] * c.strides[i] + k[i] * c.dilations[i] - c.pads[i];
              inside = inside && at[i] >= 0 && at[i] < c.image[i];
            }
            if (!inside) return;
            const int64_t channel = m / (c.outputs / c.group) * group_channels + g;
            sum +=
                static_cast<double>(x.data<float>()[(n * c.channels + channel) * image + flat(at, c.image)]) *
                static_cast<double>(w.data<float>()[(m * group_channels + g) * kernel + flat(k, c.kernel)]);
          });
        *result++ = static_cast<float>(sum);
      });
  return y;
}

Shape with_front(Shape front, const Shape& rest) {
  front.insert(front.end(), rest.begin(), rest.end());
  return front;
}

void check_conv(const Case& c, bool constant = true) {
  INFO("image " << to_string(c.image) << " kernel " << to_string(c.kernel) << " strides "
                << to_string(c.strides) << " dilations " << to_string(c.dilations) << " pads "
                << to_string(c.pads) << " channels " << c.channels << " outputs " << c.outputs << " group "
                << c.group << " constant weights " << constant);
  const Tensor image = random_tensor(with_front({c.n, c.channels}, c.image), 1);
  const Tensor weights = random_tensor(with_front({c.outputs, c.channels / c.group}, c.kernel), 2);
  const Tensor biases = random_tensor({c.outputs}, 3);
  GraphBuilder b;
  const ValueId x = b.input("x", image.shape());
  const ValueId w = constant ? b.constant("w", weights) : b.input("w", weights.shape());
  const ValueId bias = constant ? b.constant("bias", biases) : b.input("bias", biases.shape());
  const ValueId y =
      b.node("Conv", {x, w, bias},
             {{"group", c.group}, {"strides", c.strides}, {"dilations", c.dilations}, {"pads", c.pads}});
  const Graph graph = b.build({y});
  const std::vector<Tensor> inputs = constant ? std::vector{image} : std::vector{image, weights, biases};
  const Tensor expected = brute_conv(c, image, weights, biases);
  CHECK(relative_difference(evaluate_reference(graph, inputs), expected) < 1e-5);
  for (Isa isa : supported_isas()) {
    INFO("isa " << name_of(isa));
    CompileOptions options;
    options.kernels = &kernels_for(isa);
    Engine engine(graph, options);
    const Tensor actual = engine.run(inputs)[0];
    REQUIRE(actual.shape() == expected.shape());
    CHECK(relative_difference(actual, expected) < 1e-5);
  }
}

Error conv_error(std::map<std::string, Attribute> attributes, const Shape& x_shape = {1, 2, 5, 5},
                 const Shape& w_shape = {2, 2, 3, 3}) {
  try {
    GraphBuilder b;
    const ValueId x = b.input("x", x_shape);
    const ValueId y = b.node("Conv", {x, b.random("w", w_shape)}, std::move(attributes));
    const Graph graph = b.build({y});
    run_graph(graph, random_inputs(graph));
  } catch (const Error& error) {
    return error;
  }
  FAIL("no error");
  return Error(ErrorKind::kInternal, "");
}

using Ints = std::vector<int64_t>;

}  // namespace

TEST_CASE("Conv equals the sum over all taps") {
  check_conv({1, 3, 8, 1, {9, 7}, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}});
  check_conv({2, 3, 5, 1, {8, 8}, {3, 3}, {2, 2}, {1, 1}, {0, 0, 1, 1}});
  check_conv({1, 16, 24, 1, {6, 11}, {1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}});
  check_conv({1, 6, 9, 1, {7, 7}, {1, 1}, {2, 2}, {1, 1}, {0, 0, 0, 0}});
  check_conv({1, 4, 3, 1, {7, 7}, {1, 1}, {1, 1}, {1, 1}, {1, 2, 3, 0}});
  check_conv({1, 2, 4, 1, {17, 19}, {3, 5}, {2, 1}, {2, 3}, {2, 1, 0, 4}});
  check_conv({1, 3, 17, 1, {40, 33}, {7, 7}, {2, 2}, {1, 1}, {3, 3, 3, 3}});
  check_conv({1, 1, 1, 1, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}});
  check_conv({1, 1, 2, 1, {2, 2}, {3, 3}, {1, 1}, {1, 1}, {2, 2, 2, 2}});
  check_conv({1, 12, 16, 1, {1, 30}, {1, 3}, {1, 1}, {1, 1}, {0, 1, 0, 1}});
  check_conv({1, 2, 3, 1, {9, 9}, {2, 2}, {3, 4}, {1, 1}, {0, 0, 0, 0}});
}

TEST_CASE("Conv with a kernel as large as the image") {
  check_conv({2, 30, 50, 1, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}});
  check_conv({2, 3, 7, 1, {4, 5}, {4, 5}, {1, 1}, {1, 1}, {0, 0, 0, 0}});
  check_conv({1, 3, 7, 1, {3, 3}, {2, 2}, {1, 1}, {2, 2}, {0, 0, 0, 0}});
  check_conv({1, 3, 7, 1, {3, 3}, {3, 3}, {2, 2}, {1, 1}, {0, 0, 0, 0}});
}

TEST_CASE("Conv in groups") {
  check_conv({1, 8, 12, 4, {7, 9}, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}});
  check_conv({2, 6, 6, 2, {5, 5}, {1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}});
  check_conv({1, 5, 5, 5, {14, 14}, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}});
  check_conv({2, 4, 4, 4, {13, 20}, {5, 5}, {2, 2}, {1, 1}, {2, 2, 2, 2}});
  check_conv({1, 4, 8, 4, {9, 9}, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}});
  check_conv({1, 3, 3, 3, {9, 40}, {3, 3}, {2, 1}, {2, 2}, {1, 0, 2, 3}});
  check_conv({1, 3, 3, 3, {1, 64}, {1, 5}, {1, 3}, {1, 2}, {0, 4, 0, 4}});
}

TEST_CASE("Conv with weights that are computed") {
  check_conv({2, 6, 9, 1, {9, 7}, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}}, false);
  check_conv({2, 6, 10, 2, {9, 7}, {1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}}, false);
  check_conv({1, 6, 6, 6, {9, 7}, {3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}}, false);
}

TEST_CASE("Conv in one and three axes") {
  check_conv({1, 3, 4, 1, {20}, {5}, {2}, {1}, {2, 1}});
  check_conv({2, 4, 4, 4, {11}, {3}, {1}, {2}, {2, 2}});
  check_conv({1, 2, 3, 1, {4, 5, 6}, {2, 3, 3}, {1, 2, 1}, {2, 1, 1}, {1, 0, 1, 0, 1, 1}});
  check_conv({1, 4, 4, 2, {3, 4, 5}, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1, 1, 1, 1}});
}

TEST_CASE("Conv auto_pad chooses the pads") {
  struct {
    const char* mode;
    int64_t stride;
    Ints pads;
  } const cases[] = {{"SAME_UPPER", 2, {0, 0, 1, 1}},
                     {"SAME_LOWER", 2, {1, 1, 0, 0}},
                     {"SAME_UPPER", 1, {1, 1, 1, 1}},
                     {"VALID", 1, {0, 0, 0, 0}}};
  for (const auto& c : cases) {
    INFO(c.mode << " stride " << c.stride);
    GraphBuilder b;
    const ValueId x = b.input("x", {1, 2, 6, 6}), w = b.random("w", {3, 2, 3, 3});
    const Ints strides{c.stride, c.stride};
    const ValueId automatic =
        b.node("Conv", {x, w}, {{"auto_pad", std::string(c.mode)}, {"strides", strides}});
    const ValueId given = b.node("Conv", {x, w}, {{"pads", c.pads}, {"strides", strides}});
    const Graph graph = b.build({automatic, given});
    const auto outputs = run_graph(graph, random_inputs(graph));
    CHECK(equal(outputs[0], outputs[1]));
  }
}

TEST_CASE("Conv applies the clamp behind it") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 8, 8});
  const ValueId dense = b.node("Conv", {x, b.random("w", {4, 3, 3, 3})});
  const ValueId depthwise = b.node("Conv", {x, b.random("v", {3, 1, 3, 3})}, {{"group", int64_t{3}}});
  const Graph graph = b.build({dense, b.node("Relu", {dense}), depthwise, b.node("Relu", {depthwise})});
  GraphBuilder fused;
  const ValueId fused_x = fused.input("x", {1, 3, 8, 8});
  const ValueId fused_dense =
      fused.node("Conv", {fused_x, fused.constant("w", graph.value(graph.find_value("w")).initializer)});
  const ValueId fused_depthwise =
      fused.node("Conv", {fused_x, fused.constant("v", graph.value(graph.find_value("v")).initializer)},
                 {{"group", int64_t{3}}});
  const Graph fused_graph =
      fused.build({fused.node("Relu", {fused_dense}), fused.node("Relu", {fused_depthwise})});
  const auto inputs = random_inputs(graph);
  const auto expected = run_graph(graph, inputs), actual = run_graph(fused_graph, inputs);
  CHECK(equal(actual[0], expected[1]));
  CHECK(equal(actual[1], expected[3]));
}

TEST_CASE("Conv refuses attributes that ONNX forbids") {
  CHECK(conv_error({{"strides", Ints{0, 1}}}).kind() == ErrorKind::kInvalidModel);
  CHECK(conv_error({{"strides", Ints{1}}}).kind() == ErrorKind::kInvalidModel);
  CHECK(conv_error({{"pads", Ints{-1, 0, 0, 0}}}).kind() == ErrorKind::kInvalidModel);
  CHECK(conv_error({{"dilations", Ints{1, int64_t{1} << 62}}}).kind() == ErrorKind::kInvalidModel);
  CHECK(conv_error({{"dilations", Ints{1, 100}}}).kind() == ErrorKind::kInvalidModel);
  CHECK(conv_error({{"kernel_shape", Ints{5, 5}}}).kind() == ErrorKind::kInvalidModel);
  CHECK(conv_error({{"group", int64_t{0}}}).kind() == ErrorKind::kInvalidModel);
  CHECK(conv_error({{"group", int64_t{3}}}).kind() == ErrorKind::kInvalidModel);
  CHECK(conv_error({{"group", int64_t{1} << 62}}).kind() == ErrorKind::kInvalidModel);
  CHECK(conv_error({{"auto_pad", std::string("SOME")}}).kind() == ErrorKind::kInvalidModel);
  CHECK(conv_error({}, {1, 2, 5, 5}, {2, 2, 6, 6}).kind() == ErrorKind::kInvalidModel);
  CHECK(conv_error({}, {1, 2, 5}, {2, 2, 3, 3}).kind() == ErrorKind::kInvalidModel);
  CHECK(conv_error({}, {1, 2, 1, 1, 1, 1}, {2, 2, 1, 1, 1, 1}).kind() == ErrorKind::kUnsupported);
}

namespace {

struct Transpose {
  int64_t group;
  Ints strides, dilations;
  std::map<std::string, Attribute> attributes;  // beside group and strides
  Ints crop, extents;                           // of the result: rows and columns cut off in front, and left
  Shape image = {2, 4, 5, 6};
  bool constant = true;  // the weights
};

/// Spreads every input element over the uncropped output, then crops it.
Tensor brute_transpose(const Tensor& x, const Tensor& w, const Transpose& t) {
  const int64_t channels = x.shape()[1] / t.group, outputs = w.shape()[1];
  Tensor y(DataType::kF32, {x.shape()[0], outputs * t.group, t.extents[0], t.extents[1]});
  for (int64_t n = 0; n < x.shape()[0]; ++n)
    each_index({t.group, channels, outputs, x.shape()[2], x.shape()[3], w.shape()[2], w.shape()[3]},
               [&](const Shape& i) {
                 const int64_t row = i[3] * t.strides[0] + i[5] * t.dilations[0] - t.crop[0];
                 const int64_t column = i[4] * t.strides[1] + i[6] * t.dilations[1] - t.crop[1];
                 if (row < 0 || row >= t.extents[0] || column < 0 || column >= t.extents[1]) return;
                 const int64_t c = i[0] * channels + i[1], m = i[0] * outputs + i[2];
                 y.mutable_data<float>()[flat({n, m, row, column}, y.shape())] +=
                     x.data<float>()[flat({n, c, i[3], i[4]}, x.shape())] *
                     w.data<float>()[flat({c, i[2], i[5], i[6]}, w.shape())];
               });
  return y;
}

void check_transpose(const Transpose& t) {
  INFO("group " << t.group << " strides " << to_string(t.strides) << " extents " << to_string(t.extents));
  const Tensor x = random_tensor(t.image, 1), w = random_tensor({t.image[1], 3, 3, 2}, 2);
  std::map<std::string, Attribute> attributes = t.attributes;
  attributes["group"] = t.group;
  attributes["strides"] = t.strides;
  attributes["dilations"] = t.dilations;
  GraphBuilder b;
  const ValueId input = b.input("x", t.image);
  const ValueId weights = t.constant ? b.constant("w", w) : b.input("w", w.shape());
  const Graph graph = b.build({b.node("ConvTranspose", {input, weights}, attributes)});
  const std::vector<Tensor> inputs = t.constant ? std::vector{x} : std::vector{x, w};
  const Tensor expected = brute_transpose(x, w, t);
  CHECK(relative_difference(evaluate_reference(graph, inputs), expected) < 1e-5);
  for (Isa isa : supported_isas()) {
    INFO("isa " << name_of(isa));
    CompileOptions options;
    options.kernels = &kernels_for(isa);
    Engine engine(graph, options);
    const Tensor actual = engine.run(inputs)[0];
    REQUIRE(actual.shape() == expected.shape());
    CHECK(relative_difference(actual, expected) < 1e-5);
  }
}

}  // namespace

TEST_CASE("ConvTranspose spreads every element over its window") {
  check_transpose({1, {1, 1}, {1, 1}, {}, {0, 0}, {7, 7}});
  check_transpose({2, {2, 3}, {1, 1}, {}, {0, 0}, {11, 17}});
  check_transpose({4, {2, 2}, {2, 1}, {{"pads", Ints{1, 0, 2, 1}}}, {1, 0}, {10, 11}});
  check_transpose(
      {1, {2, 2}, {1, 1}, {{"output_padding", Ints{1, 0}}, {"pads", Ints{1, 1, 1, 1}}}, {1, 1}, {10, 10}});
  // The rest as ONNX Runtime does it: an odd pixel of padding goes to the end for SAME_UPPER, else to the
  // front.
  check_transpose({1, {2, 2}, {1, 1}, {{"output_shape", Ints{10, 11}}}, {1, 1}, {10, 11}});
  check_transpose({1, {2, 2}, {1, 1}, {{"auto_pad", std::string("SAME_UPPER")}}, {0, 0}, {10, 12}});
  check_transpose({1, {2, 2}, {1, 1}, {{"auto_pad", std::string("SAME_LOWER")}}, {1, 0}, {10, 12}});
  check_transpose({1, {2, 3}, {1, 1}, {{"auto_pad", std::string("SAME_UPPER")}}, {0, 0}, {10, 17}});
}

TEST_CASE("ConvTranspose with computed weights, and with more products than fit one block") {
  check_transpose({2, {2, 2}, {1, 1}, {}, {0, 0}, {11, 12}, {2, 4, 5, 6}, false});
  check_transpose({1, {1, 1}, {1, 1}, {}, {0, 0}, {152, 151}, {1, 2, 150, 150}});
}

TEST_CASE("ConvTranspose applies bias and clamp") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 2, 4, 4}), w = b.random("w", {2, 3, 3, 3});
  const ValueId bias = b.random("bias", {3});
  const Graph graph = b.build({b.node("Relu", {b.node("ConvTranspose", {x, w, bias})}),
                               b.node("ConvTranspose", {x, w, bias}), b.node("ConvTranspose", {x, w})});
  const auto outputs = run_graph(graph, random_inputs(graph));
  const float* biases = graph.value(bias).initializer.data<float>();
  for (int64_t i = 0; i < outputs[0].size(); ++i) {
    CHECK(outputs[0].data<float>()[i] == std::max(outputs[1].data<float>()[i], 0.0f));
    CHECK(outputs[1].data<float>()[i] == Approx(outputs[2].data<float>()[i] + biases[i / 36]).margin(1e-5));
  }
}

TEST_CASE("ConvTranspose refuses attributes that ONNX forbids") {
  const auto error = [](std::map<std::string, Attribute> attributes) {
    try {
      GraphBuilder b;
      const Graph graph = b.build(
          {b.node("ConvTranspose", {b.input("x", {1, 2, 3, 3}), b.random("w", {2, 2, 3, 3})}, attributes)});
      run_graph(graph, random_inputs(graph));
    } catch (const Error& thrown) {
      return thrown.kind();
    }
    return ErrorKind::kInternal;
  };
  CHECK(error({{"output_padding", Ints{1, 0}}}) == ErrorKind::kInvalidModel);
  CHECK(error({{"output_shape", Ints{0, 4}}}) == ErrorKind::kInvalidModel);
  CHECK(error({{"pads", Ints{9, 0, 0, 0}}}) == ErrorKind::kInvalidModel);
  CHECK(error({{"group", int64_t{4}}}) == ErrorKind::kInvalidModel);
  CHECK(error({{"strides", Ints{int64_t{1} << 40, 1}}}) == ErrorKind::kInvalidModel);
}
