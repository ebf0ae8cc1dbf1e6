// MaxPool, AveragePool, GlobalAveragePool and GlobalMaxPool. Expected numbers were computed with ONNX
// Runtime 1.32.
#include <catch2/catch.hpp>

#include "core/error.h"
#include "tests/support/graph_builder.h"

using namespace quantize;
using namespace quantize::test;

namespace {

using Ints = std::vector<int64_t>;
using Floats = std::vector<float>;
using Attributes = std::map<std::string, Attribute>;

Tensor run_pool(const std::string& op_type, const Tensor& x, const Attributes& attributes,
                int64_t opset = 13) {
  GraphBuilder b(opset);
  const Graph graph = b.build({b.node(op_type, {b.input("x", x.shape(), x.dtype())}, attributes)});
  return run_graph(graph, {x})[0];
}

/// Pools the row 1, 2, ..., length.
Floats pool_row(const std::string& op_type, int64_t length, const Attributes& attributes,
                int64_t opset = 13) {
  Tensor x(DataType::kF32, {1, 1, length});
  for (int64_t i = 0; i < length; ++i) x.mutable_data<float>()[i] = static_cast<float>(i + 1);
  const Tensor y = run_pool(op_type, x, attributes, opset);
  return {y.data<float>(), y.data<float>() + y.size()};
}

Attributes window(int64_t kernel, int64_t stride, const Ints& pads, Attributes more = {}) {
  more["kernel_shape"] = Ints{kernel};
  more["strides"] = Ints{stride};
  more["pads"] = pads;
  return more;
}

Attributes with_ceil(Attributes attributes) {
  attributes["ceil_mode"] = int64_t{1};
  return attributes;
}

ErrorKind pool_error(const Attributes& attributes, const Shape& shape = {1, 1, 4, 4}) {
  try {
    run_pool("MaxPool", random_tensor(shape, 1), attributes);
  } catch (const Error& error) {
    return error.kind();
  }
  return ErrorKind::kInternal;
}

}  // namespace

TEST_CASE("ceil_mode rounds up, but no window starts behind the image") {
  for (int64_t opset : {10, 13, 19, 21}) {
    CHECK(pool_row("MaxPool", 7, with_ceil(window(2, 3, {1, 1})), opset) == Floats{1, 4, 7});
    CHECK(pool_row("MaxPool", 6, with_ceil(window(3, 2, {1, 1})), opset) == Floats{2, 4, 6, 6});
    CHECK(pool_row("MaxPool", 2, with_ceil(window(3, 2, {0, 0})), opset) == Floats{2});
    CHECK(pool_row("MaxPool", 4, with_ceil(window(2, 4, {0, 1})), opset) == Floats{2});
    CHECK(pool_row("MaxPool", 5, with_ceil(window(1, 3, {0, 0})), opset) == Floats{1, 4});
    CHECK(pool_row("AveragePool", 7, with_ceil(window(2, 3, {1, 1})), opset) == Floats{1, 3.5, 6.5});
    CHECK(pool_row("AveragePool", 6, with_ceil(window(3, 2, {1, 1})), opset) == Floats{1.5, 3, 5, 6});
  }
}

TEST_CASE("AveragePool counts padding if told to, but never what ceil_mode adds") {
  const Attributes include{{"count_include_pad", int64_t{1}}};
  CHECK(pool_row("AveragePool", 6, with_ceil(window(3, 2, {1, 1}, include))) == Floats{1, 3, 5, 3});
  Attributes dilated = with_ceil(window(3, 2, {2, 1}));
  dilated["dilations"] = Ints{2};
  CHECK(pool_row("AveragePool", 6, dilated, 19) == Floats{2, 3, 4});
  dilated["count_include_pad"] = int64_t{1};
  const Floats averages = pool_row("AveragePool", 6, dilated, 19);
  REQUIRE(averages.size() == 3);
  CHECK(averages[0] == Approx(4.0 / 3));
  CHECK(averages[1] == Approx(3));
  CHECK(averages[2] == Approx(8.0 / 3));
}

TEST_CASE("QLinearAveragePool divides by the whole kernel where padding counts") {
  // Along the last axis: 6, 6, 6, 6 in windows of 3 with stride 2, the second of which ends behind the image.
  const auto pool = [](Shape shape, bool with_padding) {
    const auto rank = shape.size() - 2;
    Ints kernel(rank, 1), strides(rank, 1);
    kernel.back() = 3;
    strides.back() = 2;
    GraphBuilder b;
    b.graph().info.opsets["com.microsoft"] = 1;
    const auto scalar = [&](const char* name, Tensor tensor) { return b.constant(name, std::move(tensor)); };
    const ValueId scale = scalar("scale", Tensor::scalar(1.0f)),
                  zero = scalar("zero", Tensor(DataType::kU8, {}));
    const ValueId codes = b.node("QuantizeLinear", {b.input("x", shape), scale, zero});
    b.node("QLinearAveragePool", {codes, scale, zero, scale, zero},
           {{"kernel_shape", kernel},
            {"strides", strides},
            {"ceil_mode", int64_t{1}},
            {"count_include_pad", int64_t{with_padding}}});
    b.graph().nodes.back().domain = "com.microsoft";
    const ValueId y = b.node("DequantizeLinear", {b.graph().nodes.back().outputs[0], scale, zero});
    Tensor x(DataType::kF32, shape);
    std::fill_n(x.mutable_data<float>(), x.size(), 6.0f);
    return run_graph(b.build({y}), {x})[0].to_vector<float>();
  };
  for (const Shape& shape : {Shape{1, 1, 4}, Shape{1, 1, 1, 4}, Shape{1, 1, 1, 1, 4}}) {
    CHECK(pool(shape, true) == Floats{6, 4});
    CHECK(pool(shape, false) == Floats{6, 6});
  }
}

TEST_CASE("Pools choose their pads under auto_pad") {
  const auto automatic = [](const char* mode, int64_t kernel, int64_t stride) {
    return Attributes{
        {"kernel_shape", Ints{kernel}}, {"strides", Ints{stride}}, {"auto_pad", std::string(mode)}};
  };
  CHECK(pool_row("MaxPool", 7, automatic("SAME_UPPER", 4, 2)) == Floats{3, 5, 7, 7});
  CHECK(pool_row("MaxPool", 7, automatic("SAME_LOWER", 4, 2)) == Floats{2, 4, 6, 7});
  CHECK(pool_row("MaxPool", 7, with_ceil(automatic("VALID", 4, 2))) == Floats{4, 6, 7});
  Attributes include = automatic("SAME_UPPER", 4, 3);
  include["count_include_pad"] = int64_t{1};
  CHECK(pool_row("AveragePool", 7, include) == Floats{1.5, 4.5, 3.25});
  include["auto_pad"] = std::string("SAME_LOWER");
  CHECK(pool_row("AveragePool", 7, include) == Floats{0.75, 3.5, 4.5});
}

TEST_CASE("MaxPool of every size equals the largest element under the window") {
  const Tensor x = random_tensor({2, 3, 11, 14}, 7);
  for (int64_t kernel : {1, 2, 3, 5, 9, 13})
    for (int64_t stride : {1, 2, 3})
      for (int64_t dilation : {1, 2}) {
        const int64_t span = (kernel - 1) * dilation + 1, pad = span / 2;
        INFO("kernel " << kernel << " stride " << stride << " dilation " << dilation);
        const Tensor y = run_pool("MaxPool", x,
                                  {{"kernel_shape", Ints{kernel, kernel}},
                                   {"strides", Ints{stride, stride}},
                                   {"dilations", Ints{dilation, dilation}},
                                   {"pads", Ints{pad, pad, pad, pad}}});
        const int64_t rows = (11 + 2 * pad - span) / stride + 1, columns = (14 + 2 * pad - span) / stride + 1;
        REQUIRE(y.shape() == Shape{2, 3, rows, columns});
        const float* actual = y.data<float>();
        int64_t different = 0;
        for (int64_t c = 0; c < 6; ++c)
          for (int64_t i = 0; i < rows; ++i)
            for (int64_t j = 0; j < columns; ++j) {
              float largest = -INFINITY;
              for (int64_t row = 0; row < 11; ++row)
                for (int64_t column = 0; column < 14; ++column) {
                  const int64_t dy = row + pad - i * stride, dx = column + pad - j * stride;
                  if (dy < 0 || dx < 0 || dy >= span || dx >= span || dy % dilation != 0 ||
                      dx % dilation != 0)
                    continue;
                  largest = std::max(largest, x.data<float>()[(c * 11 + row) * 14 + column]);
                }
              different += *actual++ != largest;
            }
        CHECK(different == 0);
      }
}

TEST_CASE("MaxPool runs on integers and in three axes") {
  const Attributes attributes{{"kernel_shape", Ints{2, 2, 2}}, {"pads", Ints{0, 0, 1, 0, 0, 1}}};
  const Tensor bytes = Tensor::of<uint8_t>({1, 1, 2, 2, 2}, {1, 200, 3, 4, 5, 6, 7, 8});
  const Tensor signs = Tensor::of<int8_t>({1, 1, 2, 2, 2}, {-1, -100, -3, -4, -5, -6, -7, -8});
  CHECK(equal(run_pool("MaxPool", bytes, attributes), Tensor::of<uint8_t>({1, 1, 1, 1, 3}, {7, 200, 200})));
  CHECK(equal(run_pool("MaxPool", signs, attributes), Tensor::of<int8_t>({1, 1, 1, 1, 3}, {-1, -1, -4})));
}

TEST_CASE("Global pools") {
  const Tensor x = random_tensor({2, 3, 5, 7}, 3);
  const Tensor average = run_pool("GlobalAveragePool", x, {}), largest = run_pool("GlobalMaxPool", x, {});
  REQUIRE(average.shape() == Shape{2, 3, 1, 1});
  REQUIRE(largest.shape() == Shape{2, 3, 1, 1});
  for (int64_t c = 0; c < 6; ++c) {
    const float* channel = x.data<float>() + c * 35;
    double sum = 0;
    for (int64_t i = 0; i < 35; ++i) sum += channel[i];
    CHECK(average.data<float>()[c] == Approx(sum / 35).margin(1e-6));
    CHECK(largest.data<float>()[c] == *std::max_element(channel, channel + 35));
  }
}

TEST_CASE("Pools refuse what ONNX forbids") {
  CHECK(pool_error({}) == ErrorKind::kInvalidModel);
  CHECK(pool_error({{"kernel_shape", Ints{2, 2}}, {"pads", Ints{2, 0, 0, 0}}}) == ErrorKind::kInvalidModel);
  CHECK(pool_error({{"kernel_shape", Ints{0, 2}}}) == ErrorKind::kInvalidModel);
  CHECK(pool_error({{"kernel_shape", Ints{5, 5}}}) == ErrorKind::kInvalidModel);
  CHECK(pool_error({{"kernel_shape", Ints{int64_t{1} << 40, 5}}}) == ErrorKind::kInvalidModel);
  CHECK(pool_error({{"kernel_shape", Ints{2, 2}}, {"strides", Ints{-1, 1}}}) == ErrorKind::kInvalidModel);
  CHECK(pool_error({{"kernel_shape", Ints{2}}}, {1, 4}) == ErrorKind::kInvalidModel);
}

TEST_CASE("MaxPool says where each maximum stands, in rows or in columns") {
  const Tensor x = Tensor::of<float>({1, 1, 2, 3}, {1, 5, 2, 7, 3, 7});
  for (const int64_t order : {int64_t{0}, int64_t{1}}) {
    GraphBuilder b;
    const auto outputs = b.nodes("MaxPool", {b.input("x", {1, 1, 2, 3})}, 2,
                                 {{"kernel_shape", Ints{2, 2}}, {"storage_order", order}});
    const auto results = run_graph(b.build(outputs), {x});
    CHECK(equal(results[0], Tensor::of<float>({1, 1, 1, 2}, {7, 7})));
    CHECK(equal(results[1], Tensor::of<int64_t>({1, 1, 1, 2}, order == 0 ? Ints{3, 5} : Ints{1, 5})));
  }
}

TEST_CASE("MaxPool of an image without elements has no place of its maxima") {
  GraphBuilder b(13);
  const ValueId y = b.node("MaxPool", {b.input("x", {1, 1, 0, 4})},
                           {{"kernel_shape", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}});
  const ValueId places = b.graph().nodes.back().outputs.emplace_back(b.graph().add_value("places"));
  const Graph graph = b.build({y, places});
  const Tensor found = run_graph(graph, {Tensor(DataType::kF32, {1, 1, 0, 4})})[1];
  CHECK(found.to_vector<int64_t>() == Ints(static_cast<size_t>(found.size()), -1));
  CHECK(found.size() == 5);
}
