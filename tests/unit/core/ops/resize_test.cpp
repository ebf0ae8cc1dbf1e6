// Resize. Expected numbers were computed with ONNX Runtime 1.32.
#include <catch2/catch.hpp>

#include "core/passes/passes.h"
#include "tests/support/graph_builder.h"

using namespace quantize;
using namespace quantize::test;

namespace {

using Floats = std::vector<float>;

/// Resizes the columns and rows of an image of 2 rows and 3 columns, 1 to 6.
Floats resize_image(const std::map<std::string, Attribute>& attributes, const Floats& roi,
                    const Floats& scales, int64_t opset) {
  GraphBuilder b(opset);
  const Tensor x = Tensor::of<float>({1, 1, 2, 3}, {1, 2, 3, 4, 5, 6});
  const ValueId region = b.constant("roi", Tensor::of<float>({static_cast<int64_t>(roi.size())}, roi));
  const ValueId factors = b.constant("scales", Tensor::of<float>({4}, scales));
  const Graph graph = b.build({b.node("Resize", {b.input("x", x.shape()), region, factors}, attributes)});
  const Tensor y = run_graph(graph, {x})[0];
  return {y.data<float>(), y.data<float>() + y.size()};
}

}  // namespace

TEST_CASE("Resize copies an axis of scale 1, whatever the region and the coordinates", "[resize]") {
  const Floats roi{0, 0, 0.5f, 0, 1, 1, 1.5f, 1};  // rows beyond the image
  for (const char* mode : {"nearest", "linear", "cubic"})
    CHECK(resize_image({{"mode", std::string(mode)},
                        {"coordinate_transformation_mode", std::string("tf_crop_and_resize")},
                        {"extrapolation_value", -7.0f}},
                       roi, {1, 1, 1, 1}, 13) == Floats{1, 2, 3, 4, 5, 6});
  // The other axis is cropped all the same: its last columns lie outside.
  CHECK(resize_image({{"mode", std::string("nearest")},
                      {"coordinate_transformation_mode", std::string("tf_crop_and_resize")},
                      {"extrapolation_value", -7.0f}},
                     {0, 0, 0.5f, 0, 1, 1, 1.5f, 2.5f}, {1, 1, 1, 2},
                     13) == Floats{1, 2, 3, -7, -7, -7, 4, 5, 6, -7, -7, -7});
  CHECK(resize_image({{"mode", std::string("nearest")},
                      {"nearest_mode", std::string("ceil")},
                      {"coordinate_transformation_mode", std::string("tf_half_pixel_for_nn")}},
                     {}, {1, 1, 1, 1}, 11) == Floats{1, 2, 3, 4, 5, 6});
}

TEST_CASE("Resize to constant sizes makes them of extents that are not known", "[resize]") {
  GraphBuilder b(18);
  const ValueId x = b.input("x", {kUnknownDim, 3, kUnknownDim, 5});
  const ValueId sizes = b.ints("sizes", {7, 9}), none = kNoValue;
  const std::string policy = GENERATE("stretch", "not_larger");
  const ValueId y = b.node("Resize", {x, none, none, sizes},
                           {{"axes", std::vector<int64_t>{2, 3}}, {"keep_aspect_ratio_policy", policy}});
  Graph graph = b.build({y});
  infer_shapes(graph);
  const bool is_stretched = policy == "stretch";
  CHECK(*graph.value(y).shape ==
        Shape{kUnknownDim, 3, is_stretched ? 7 : kUnknownDim, is_stretched ? 9 : kUnknownDim});
}

TEST_CASE("Resize takes a position within 1e-6 of the middle for the middle", "[resize]") {
  // The only column lies at 2 * start = 0.5 + 2^-20 (above 9.5e-7) and at 0.5 - 2^-20; 2^-19 is no middle.
  const auto column = [](float start, const char* nearest) {
    return resize_image({{"mode", std::string("nearest")},
                         {"nearest_mode", std::string(nearest)},
                         {"coordinate_transformation_mode", std::string("tf_crop_and_resize")}},
                        {0, 0, 0, start, 1, 1, 1, start}, {1, 1, 1, 0.4f}, 13)[0];
  };
  for (const float near : {0.25f, 0.25f + 0x1p-21f, 0.25f - 0x1p-21f}) {
    CHECK(column(near, "round_prefer_floor") == 1);
    CHECK(column(near, "round_prefer_ceil") == 2);
  }
  for (const char* nearest : {"round_prefer_floor", "round_prefer_ceil"}) {
    CHECK(column(0.25f + 0x1p-20f, nearest) == 2);
    CHECK(column(0.25f - 0x1p-20f, nearest) == 1);
  }
}

TEST_CASE("Resize of codes crops, and fills with the extrapolation value as a code", "[resize]") {
  const auto crop = [](auto zero, DataType type, const char* mode) {
    using T = decltype(zero);
    GraphBuilder b(13);
    const Tensor x = Tensor::of<T>({1, 1, 1, 3}, {10, 20, 30});
    const ValueId roi = b.constant("roi", Tensor::of<float>({8}, {0, 0, 0, 0, 1, 1, 1, 2}));
    const ValueId scales = b.constant("scales", Tensor::of<float>({4}, {1, 1, 1, 2}));
    const ValueId y = b.node("Resize", {b.input("x", x.shape(), type), roi, scales},
                             {{"mode", std::string(mode)},
                              {"coordinate_transformation_mode", std::string("tf_crop_and_resize")},
                              {"extrapolation_value", -7.0f}});
    const Tensor result = run_graph(b.build({y}), {x})[0];
    return std::vector<int>(result.data<T>(), result.data<T>() + result.size());
  };
  // Columns at 0, 0.8, 1.6, 2.4, 3.2 and 4: the last three lie outside.
  CHECK(crop(int8_t{}, DataType::kS8, "nearest") == std::vector<int>{10, 20, 30, -7, -7, -7});
  CHECK(crop(uint8_t{}, DataType::kU8, "nearest") == std::vector<int>{10, 20, 30, 0, 0, 0});
  CHECK(crop(int8_t{}, DataType::kS8, "linear") == std::vector<int>{10, 18, 26, -7, -7, -7});
}
