// Tap means against the definition, one loop per index.
#include <catch2/catch.hpp>

#include "calibration/statistics/tap_statistics.h"
#include "core/ops/support/window.h"
#include "tests/support/graph_builder.h"

using namespace quantize;

namespace {

std::vector<double> reference(const Tensor& x, const Window& window) {
  const WindowAxis &h = window.height(), &w = window.width();
  const int64_t batch = x.shape()[0], channels = x.shape()[1];
  std::vector<double> means;
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t ky = 0; ky < h.kernel; ++ky)
      for (int64_t kx = 0; kx < w.kernel; ++kx) {
        double sum = 0;
        for (int64_t n = 0; n < batch; ++n)
          for (int64_t oy = 0; oy < h.out; ++oy)
            for (int64_t ox = 0; ox < w.out; ++ox) {
              const int64_t y = oy * h.stride + ky * h.dilation - h.pad_begin;
              const int64_t i = ox * w.stride + kx * w.dilation - w.pad_begin;
              if (y < 0 || y >= h.in || i < 0 || i >= w.in) continue;
              sum += double{x.data<float>()[((n * channels + c) * h.in + y) * w.in + i]};
            }
        means.push_back(sum / static_cast<double>(batch * h.out * w.out));
      }
  return means;
}

struct Case {
  std::string name;
  Shape x, kernel;
  std::map<std::string, Attribute> attributes;
};

using List = std::vector<int64_t>;

const std::vector<Case> kCases = {
    {"3x3 same", {1, 3, 7, 9}, {3, 3}, {{"pads", List{1, 1, 1, 1}}}},
    {"3x3 valid", {2, 2, 6, 5}, {3, 3}, {}},
    {"3x3 stride 2", {1, 2, 8, 9}, {3, 3}, {{"strides", List{2, 2}}, {"pads", List{1, 1, 1, 1}}}},
    {"stride 2, one-sided pads", {1, 2, 8, 8}, {3, 3}, {{"strides", List{2, 2}}, {"pads", List{0, 0, 1, 1}}}},
    {"auto_pad", {1, 2, 7, 8}, {3, 3}, {{"strides", List{2, 2}}, {"auto_pad", std::string("SAME_UPPER")}}},
    {"1x1 stride 2", {1, 2, 7, 6}, {1, 1}, {{"strides", List{2, 2}}}},
    {"1x1 stride 3 on 2 rows", {1, 2, 2, 6}, {1, 1}, {{"strides", List{3, 3}}}},
    {"7x7 on a small image", {1, 1, 4, 4}, {7, 7}, {{"pads", List{3, 3, 3, 3}}}},
    {"dilated", {1, 2, 9, 9}, {3, 3}, {{"dilations", List{4, 3}}, {"pads", List{4, 3, 4, 3}}}},
    {"dilated and strided", {1, 1, 10, 11}, {3, 2}, {{"dilations", List{2, 3}}, {"strides", List{3, 2}}}},
    {"1x5", {1, 2, 3, 12}, {1, 5}, {{"pads", List{0, 2, 0, 2}}}},
    {"wide padding", {1, 1, 2, 2}, {2, 2}, {{"pads", List{3, 3, 3, 3}}}},
};

}  // namespace

TEST_CASE("Tap means are those of the definition") {
  for (const Case& c : kCases) {
    INFO(c.name);
    Node node;
    node.op_type = "Conv";
    node.attributes = c.attributes;
    const Tensor x = test::random_tensor(c.x, 5);
    const Window window = conv_window(node, c.x, Shape{4, c.x[1], c.kernel[0], c.kernel[1]});
    const std::vector<double> expected = reference(x, window);
    const TapStatistics actual = summarize_taps(x.view(), window, best_kernels());
    REQUIRE(actual.mean_sums.size() == expected.size());
    CHECK(actual.taps == static_cast<size_t>(c.kernel[0] * c.kernel[1]));
    for (size_t i = 0; i < expected.size(); ++i)
      CHECK(actual.mean_sums[i].value() == Approx(expected[i]).margin(1e-14));
  }
}

TEST_CASE("A tap that reads nothing but padding has the mean 0") {
  Node node;
  node.op_type = "Conv";
  node.attributes = {{"pads", List{3, 3, 3, 3}}};
  const Shape shape{1, 1, 1, 1};
  const TapStatistics taps = summarize_taps(test::random_tensor(shape, 1).view(),
                                            conv_window(node, shape, Shape{1, 1, 7, 7}), best_kernels());
  for (size_t t = 0; t < 49; ++t)
    CHECK((taps.mean_sums[t].value() != 0) == (taps.mean_sums[t] != ExactSum()));
  node.attributes = {{"pads", List{2, 2, 0, 0}}, {"strides", List{3, 3}}};
  const TapStatistics corner = summarize_taps(test::random_tensor(shape, 1).view(),
                                              conv_window(node, shape, Shape{1, 1, 3, 3}), best_kernels());
  for (size_t t = 0; t < 9; ++t) CHECK((corner.mean_sums[t] == ExactSum()) == (t != 8));
}

TEST_CASE("Tap statistics add up in any order") {
  Node node;
  const Shape shape{1, 2, 5, 5};
  const Window window = conv_window(node, shape, Shape{1, 2, 3, 3});
  std::vector<TapStatistics> samples;
  for (uint32_t seed = 1; seed <= 3; ++seed)
    samples.push_back(summarize_taps(test::random_tensor(shape, seed).view(), window, best_kernels()));
  TapStatistics forwards, backwards;
  for (size_t i = 0; i < 3; ++i) {
    forwards.add(samples[i]);
    backwards.add(samples[2 - i]);
  }
  forwards.add(TapStatistics());
  CHECK(forwards == backwards);
  CHECK(forwards.samples == 3);
  TapStatistics empty;
  empty.add(forwards);
  CHECK(empty == forwards);
}
