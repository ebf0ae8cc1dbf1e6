// Whole detectors: the integer part ends in front of the decoding of boxes, and lists are judged by their boxes.
#include <catch2/catch.hpp>
#include <cmath>

#include "calibration/search/choose_plan.h"
#include "calibration/search/validator.h"
#include "core/passes/passes.h"
#include "tests/support/graph_builder.h"

using namespace quantize;
using quantize::test::GraphBuilder;

namespace {

using List = std::vector<int64_t>;
constexpr int64_t kSide = 32, kCells = 8, kBoxes = kCells * kCells, kClasses = 3;

/// A detector on an image of 32 x 32, in cells of four pixels.
class DetectorBuilder {
 public:
  DetectorBuilder() : b_(16) {
    const ValueId x = b_.input("x", {1, 3, kSide, kSide});
    features_ = b_.node("Relu", {conv(b_.node("Relu", {conv(x, 3, 8, 2)}), 8, 16, 2)});
  }

  ValueId conv(ValueId x, int64_t from, int64_t to, int64_t stride) {
    const float size = 1.5f / std::sqrt(static_cast<float>(from));
    return b_.node("Conv",
                   {x, b_.random(name("w"), {to, from, 3, 3}, -size, size), b_.random(name("b"), {to})},
                   {{"pads", List{1, 1, 1, 1}}, {"strides", List{stride, stride}}});
  }

  /// A head [to, 8, 8] as rows [64, to].
  ValueId rows(int64_t to) {
    const ValueId head = b_.node("Reshape", {conv(features_, 16, to, 1), b_.ints(name("s"), {to, kBoxes})});
    return b_.node("Transpose", {head}, {{"perm", List{1, 0}}});
  }

  ValueId number(float value) { return b_.constant(name("k"), Tensor::of<float>({}, {value})); }

  ValueId columns(ValueId x, int64_t begin, int64_t end, int64_t axis = 1) {
    return b_.node("Slice",
                   {x, b_.ints(name("i"), {begin}), b_.ints(name("i"), {end}), b_.ints(name("i"), {axis})});
  }

  /// Corners of boxes around the middles of the cells, sizes by their logarithm.
  ValueId decode(ValueId deltas) {
    std::vector<float> middles;
    for (int64_t i = 0; i < kBoxes; ++i)
      for (const int64_t cell : {i % kCells, i / kCells}) middles.push_back(4 * static_cast<float>(cell) + 2);
    const ValueId middle =
        b_.node("Add", {columns(deltas, 0, 2), b_.constant(name("m"), Tensor::of({kBoxes, 2}, middles))});
    const ValueId half =
        b_.node("Mul", {b_.node("Exp", {b_.node("Mul", {columns(deltas, 2, 4), number(0.2f)})}), number(3)});
    return b_.node("Concat", {b_.node("Sub", {middle, half}), b_.node("Add", {middle, half})},
                   {{"axis", int64_t{1}}});
  }

  /// The boxes [64, 4] that a NonMaxSuppression takes by their scores [64, 3], as lists.
  std::vector<ValueId> choose(ValueId boxes, ValueId scores, float least) {
    const ValueId front = b_.ints(name("i"), {0});
    const ValueId by_class =
        b_.node("Unsqueeze", {b_.node("Transpose", {scores}, {{"perm", List{1, 0}}}), front});
    const ValueId chosen = b_.node("NonMaxSuppression",
                                   {b_.node("Unsqueeze", {boxes, front}), by_class, b_.ints(name("i"), {10}),
                                    b_.constant(name("k"), Tensor::of<float>({1}, {0.5f})),
                                    b_.constant(name("k"), Tensor::of<float>({1}, {least}))});
    const ValueId label = columns(chosen, 1, 2), place = columns(chosen, 2, 3);
    const ValueId pair = b_.node("Concat", {place, label}, {{"axis", int64_t{1}}});
    const ValueId flat = b_.ints(name("i"), {-1});
    return {b_.node("Gather", {boxes, b_.node("Reshape", {place, flat})}),
            b_.node("GatherND", {scores, pair}), b_.node("Reshape", {label, flat})};
  }

  GraphBuilder& builder() { return b_; }
  ValueId features() const { return features_; }
  std::string name(const std::string& kind) { return kind + std::to_string(number_++); }

 private:
  GraphBuilder b_;
  ValueId features_;
  int number_ = 0;
};

/// Softmax with a background, as SSD.
Graph ssd() {
  DetectorBuilder d;
  const ValueId all = d.builder().node("Softmax", {d.rows(kClasses + 1)}, {{"axis", int64_t{1}}});
  const ValueId boxes = d.decode(d.rows(4)), scores = d.columns(all, 1, kClasses + 1);
  return d.builder().build(d.choose(boxes, scores, 0.3f));
}

/// Boxes in pixels and scores from 0 to 1 in one tensor, as YOLO.
Graph yolo() {
  DetectorBuilder d;
  const ValueId scores = d.builder().node("Sigmoid", {d.rows(kClasses)});
  const ValueId all = d.builder().node("Concat", {d.decode(d.rows(4)), scores}, {{"axis", int64_t{1}}});
  return d.builder().build(d.choose(d.columns(all, 0, 4), d.columns(all, 4, 4 + kClasses), 0.6f));
}

/// Features of chosen boxes go through a second head, as Faster R-CNN.
Graph faster_rcnn() {
  DetectorBuilder d;
  GraphBuilder& b = d.builder();
  const std::vector<ValueId> chosen =
      d.choose(d.decode(d.rows(4)), b.node("Sigmoid", {d.rows(kClasses)}), 0.6f);
  const ValueId zeros = b.node("Mul", {chosen[2], b.ints(d.name("i"), {0})});
  const ValueId parts =
      b.node("RoiAlign", {d.features(), chosen[0], zeros},
             {{"output_height", int64_t{2}}, {"output_width", int64_t{2}}, {"spatial_scale", 0.25f}});
  const ValueId scores = b.node("Softmax",
                                {b.node("Gemm", {b.node("Flatten", {parts}), b.random("w", {64, kClasses}),
                                                 b.random("b", {kClasses})})},
                                {{"axis", int64_t{1}}});
  return b.build({chosen[0], b.node("ReduceMax", {scores}, {{"axes", List{1}}, {"keepdims", int64_t{0}}}),
                  b.node("ArgMax", {scores}, {{"axis", int64_t{1}}, {"keepdims", int64_t{0}}})});
}

std::optional<std::vector<Tensor>> image(size_t i) {
  return std::vector<Tensor>{test::random_tensor({1, 3, kSide, kSide}, static_cast<uint32_t>(i + 1), 0, 1)};
}

}  // namespace

TEST_CASE("Detectors: layers of weights are integers, decoding is not, and boxes stay what they are") {
  const Graph model = GENERATE(ssd(), yolo(), faster_rcnn());
  const Graph graph = open_model(model);
  QuantizationScheme scheme;
  scheme.method = "auto";
  const SampleSet samples{.count = 24, .load = image, .held_back = 6};
  const ChosenPlan chosen = choose_plan(graph, calibrate(graph, 24, image, {}),
                                        {scheme, find_target("ort-x86"), Bound{}}, samples, {});
  const Graph& planned = chosen.planned.graph;
  for (size_t n = 0; n < planned.nodes.size(); ++n) {
    const std::string& op_type = planned.nodes[n].op_type;
    CAPTURE(planned.nodes[n].name);
    const bool is_integer = chosen.planned.plan.nodes[n].placement == Placement::kInteger;
    if (op_type == "Conv") CHECK(is_integer);
    for (const char* kept : {"Exp", "Concat", "NonMaxSuppression"})
      if (op_type == kept) CHECK_FALSE(is_integer);
  }
  REQUIRE(chosen.quality);
  CHECK(std::string(name_of(chosen.quality->tasks[1].task)) == "detection");
  CHECK(chosen.quality->outputs[0].sqnr_db() > 20.0);  // the boxes
  CHECK(chosen.quality->agreement() > 80.0);
}

TEST_CASE("Detectors: the same boxes in another order are no error to the search") {
  // Two lists of three boxes; the candidate has the first two the other way round.
  const auto lists = [](const List& order) {
    test::GraphBuilder b;
    const ValueId x = b.node("Reshape", {b.input("x", {1, 18}), b.ints("shape", {3, 6})}),
                  rows = b.node("Gather", {x, b.ints("order", order)});
    const auto part = [&](int64_t begin, int64_t end) {
      const std::string name = std::to_string(begin);
      return b.node("Slice",
                    {rows, b.ints("b" + name, {begin}), b.ints("e" + name, {end}), b.ints("a" + name, {1})});
    };
    const ValueId flat = b.ints("flat", {-1});
    return b.build(
        {part(0, 4), b.node("Reshape", {part(4, 5), flat}), b.node("Reshape", {part(5, 6), flat})});
  };
  const SampleSet samples{
      .count = 1, .load = [](size_t) {
        return std::optional(std::vector{Tensor::of<float>(
            {1, 18}, {0, 0, 10, 10, 0.9f, 1, 20, 0, 30, 10, 0.8f, 2, 50, 0, 60, 10, 0.7f, 1})});
      }};
  const Validator validator(lists({0, 1, 2}), {0}, samples, {});
  const Quality turned = validator.judge(lists({1, 0, 2}));
  CHECK(turned.errors == std::vector<double>{0});
  CHECK(turned.sqnr_db() == Deviation::kMaxDb);
  CHECK(turned.agreement() == 100.0);
  const Quality other = validator.judge(lists({1, 0, 0}));  // the third is lost, the first comes twice
  CHECK(other.errors[0] > 0);
  CHECK(other.agreement().value() < 100);
}
