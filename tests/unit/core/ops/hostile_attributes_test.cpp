// Attributes and shapes that no operator can work with: each is refused with an Error before anything is computed or
// taken from memory. The values are those of files that were made to do harm.
#include <catch2/catch.hpp>
#include <limits>

#include "core/error.h"
#include "core/passes/passes.h"
#include "tests/support/graph_builder.h"

using namespace quantize;
using namespace quantize::test;

namespace {

using Attributes = std::map<std::string, Attribute>;
using Ints = std::vector<int64_t>;

constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
constexpr int64_t kLowest = std::numeric_limits<int64_t>::min();
constexpr int64_t kNewest = 28;

/// One node on float inputs of these shapes, followed by constant operands.
struct Call {
  const char* op_type;
  std::vector<Shape> inputs;
  std::vector<Tensor> constants;
  Attributes attributes;
};

Graph graph_of(const Call& call) {
  GraphBuilder b(kNewest);
  std::vector<ValueId> inputs;
  for (const Shape& shape : call.inputs)
    inputs.push_back(b.input("x" + std::to_string(inputs.size()), shape));
  for (const Tensor& tensor : call.constants)
    inputs.push_back(tensor ? b.constant("c" + std::to_string(inputs.size()), tensor) : kNoValue);
  return b.build({b.node(call.op_type, inputs, call.attributes)});
}

/// Infers, and runs what inference lets pass.
void run(const Call& call) {
  const Graph graph = graph_of(call);
  run_graph(graph, random_inputs(graph));
}

void check_refused(const Call& call) {
  INFO(call.op_type);
  CHECK_THROWS_AS(run(call), Error);
}

}  // namespace

TEST_CASE("axes outside of the rank are refused", "[hostile]") {
  for (const int64_t axis : {int64_t{3}, int64_t{-4}, kHuge, kLowest}) {
    const Tensor number = int_tensor({axis}), indices = Tensor::of<int64_t>({1, 1, 1}, {0});
    check_refused({"CumSum", {{2, 3, 4}}, {number.reshaped({})}, {}});
    check_refused({"TopK", {{2, 3, 4}}, {int_tensor({1})}, {{"axis", axis}}});
    check_refused({"Hardmax", {{2, 3, 4}}, {}, {{"axis", axis}}});
    check_refused({"LpNormalization", {{2, 3, 4}}, {}, {{"axis", axis}}});
    check_refused({"RMSNormalization", {{2, 3, 4}, {4}}, {}, {{"axis", axis}}});
    check_refused({"MeanVarianceNormalization", {{2, 3, 4}}, {}, {{"axes", Ints{0, axis}}}});
    check_refused({"Compress", {{2, 3, 4}}, {Tensor::of<bool>({1}, {true})}, {{"axis", axis}}});
    check_refused({"Unique", {{2, 3, 4}}, {}, {{"axis", axis}}});
    check_refused({"CenterCropPad", {{2, 3, 4}}, {int_tensor({1})}, {{"axes", Ints{axis}}}});
    check_refused(
        {"ScatterElements", {{2, 3, 4}}, {indices, Tensor::of<float>({1, 1, 1}, {1})}, {{"axis", axis}}});
  }
}

TEST_CASE("numbers of elements that cannot be are refused", "[hostile]") {
  for (const int64_t k : {int64_t{-1}, int64_t{5}, kHuge, kLowest})
    check_refused({"TopK", {{2, 4}}, {int_tensor({k})}, {}});
  for (const int64_t depth : {int64_t{-1}, kHuge, kLowest})
    check_refused({"OneHot", {{2}}, {int_tensor({depth}), Tensor::of<float>({2}, {0, 1})}, {}});
  for (const int64_t extent : {int64_t{-1}, kHuge, kLowest}) {
    check_refused({"CenterCropPad", {{2, 3}}, {int_tensor({2, extent})}, {}});
    check_refused({"AffineGrid", {{1, 2, 3}}, {int_tensor({1, 1, extent, 4})}, {}});
    check_refused({"HannWindow", {}, {Tensor::scalar(extent)}, {}});
    check_refused({"Col2Im", {{1, 4, 9}}, {int_tensor({extent, 4}), int_tensor({2, 2})}, {}});
    check_refused({"Col2Im", {{1, 4, 9}}, {int_tensor({4, 4}), int_tensor({2, extent})}, {}});
    check_refused({"RoiAlign",
                   {{1, 1, 4, 4}},
                   {Tensor::of<float>({1, 4}, {0, 0, 1, 1}), int_tensor({0})},
                   {{"output_height", extent}}});
    check_refused({"MaxRoiPool",
                   {{1, 1, 4, 4}},
                   {Tensor::of<float>({1, 5}, {0, 0, 0, 1, 1})},
                   {{"pooled_shape", Ints{extent, 1}}}});
    check_refused({"LpPool", {{1, 1, 4, 4}}, {}, {{"kernel_shape", Ints{extent, 2}}}});
    check_refused({"MaxUnpool",
                   {{1, 1, 2, 2}},
                   {Tensor::of<int64_t>({1, 1, 2, 2}, {0, 1, 2, 3})},
                   {{"kernel_shape", Ints{2, extent}}}});
  }
}

TEST_CASE("regions that are no numbers once scaled are refused", "[hostile]") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float scale : {kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN(), 1e38f}) {
    INFO(scale);
    check_refused({"RoiAlign",
                   {{1, 1, 4, 4}},
                   {Tensor::of<float>({1, 4}, {0, 0, 9, 9}), int_tensor({0})},
                   {{"spatial_scale", scale}}});
    check_refused({"MaxRoiPool",
                   {{1, 1, 4, 4}},
                   {Tensor::of<float>({1, 5}, {0, 0, 0, 9, 9})},
                   {{"pooled_shape", Ints{1, 1}}, {"spatial_scale", scale}}});
  }
}

TEST_CASE("extents that no tensor has are refused", "[hostile]") {
  check_refused({"Relu", {{2, kHuge}}, {}, {}});
  check_refused({"Relu", {{0, kHuge, 4}}, {}, {}});
  check_refused({"Unique", {{int64_t{1} << 40, 0}}, {}, {{"axis", int64_t{0}}}});
  check_refused({"Unique", {{3, 0}}, {}, {{"axis", int64_t{0}}}});
  check_refused({"DFT", {{1, 4, 1}}, {int_tensor({int64_t{1} << 24}).reshaped({})}, {}});
  check_refused({"Attention",
                 {{5, 1, kHuge}, {5, 1, kHuge}, {5, 1, kHuge}},
                 {},
                 {{"q_num_heads", int64_t{1}}, {"kv_num_heads", int64_t{1}}}});
}

TEST_CASE("strides, dilations and groups that cannot be are refused", "[hostile]") {
  for (const int64_t value : {int64_t{0}, int64_t{-1}, kHuge, kLowest}) {
    check_refused(
        {"LpPool", {{1, 1, 4, 4}}, {}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{1, value}}}});
    check_refused(
        {"LpPool", {{1, 1, 4, 4}}, {}, {{"kernel_shape", Ints{2, 2}}, {"dilations", Ints{value, 1}}}});
    check_refused(
        {"Col2Im", {{1, 4, 9}}, {int_tensor({4, 4}), int_tensor({2, 2})}, {{"strides", Ints{value, 1}}}});
    check_refused({"DeformConv", {{1, 2, 4, 4}, {1, 1, 2, 2}, {1, 8, 3, 3}}, {}, {{"group", value}}});
    check_refused({"DeformConv", {{1, 1, 4, 4}, {1, 1, 2, 2}, {1, 8, 3, 3}}, {}, {{"offset_group", value}}});
    check_refused({"Attention",
                   {{1, 2, 4}, {1, 2, 4}, {1, 2, 4}},
                   {},
                   {{"q_num_heads", value}, {"kv_num_heads", value}}});
    check_refused({"RotaryEmbedding", {{1, 2, 4}, {1, 2, 2}, {1, 2, 2}}, {}, {{"num_heads", value}}});
  }
}

TEST_CASE("indices outside of the data are refused", "[hostile]") {
  for (const int64_t index : {int64_t{2}, int64_t{-3}, kHuge, kLowest}) {
    const Tensor one = Tensor::of<float>({1}, {1});
    check_refused({"GatherND", {{2, 2}}, {Tensor::of<int64_t>({1, 2}, {0, index})}, {}});
    check_refused({"ScatterND", {{2, 2}}, {Tensor::of<int64_t>({1, 2}, {0, index}), one}, {}});
    check_refused({"ScatterElements", {{2}}, {int_tensor({index}), one}, {}});
    check_refused({"TensorScatter", {{1, 2, 1}, {1, 1, 1}}, {int_tensor({index})}, {}});
    check_refused({"NegativeLogLikelihoodLoss", {{1, 2}}, {int_tensor({index})}, {}});
    check_refused({"ReverseSequence", {{1, 2}}, {int_tensor({1, index})}, {}});
    const Shape heads{1, 1, 1, 2};
    check_refused(
        {"Attention", {heads, heads, heads}, {Tensor(), Tensor(), Tensor(), int_tensor({index})}, {}});
  }
  for (const int64_t place : {int64_t{16}, int64_t{-1}, kHuge, kLowest})
    check_refused({"MaxUnpool",
                   {{1, 1, 1, 1}},
                   {Tensor::of<int64_t>({1, 1, 1, 1}, {place})},
                   {{"kernel_shape", Ints{4, 4}}}});
}

TEST_CASE("operands of the wrong shape are refused", "[hostile]") {
  check_refused({"Einsum", {{2, 3}, {4, 5}}, {}, {{"equation", std::string("ij,jk->ik")}}});
  check_refused({"Einsum", {{2, 3}}, {}, {{"equation", std::string("ijk->i")}}});
  check_refused({"Einsum", {{2, 3}}, {}, {{"equation", std::string("ij->ijq")}}});
  check_refused({"Einsum", {{2, 3}}, {}, {{"equation", std::string("i.j->i")}}});
  check_refused({"Det", {{2, 3}}, {}, {}});
  check_refused({"GridSample", {{1, 1, 4, 4}, {1, 2, 2, 3}}, {}, {}});
  check_refused({"LSTM", {{3, 1, 2}, {1, 8, 3}, {1, 8, 2}}, {}, {}});
  check_refused({"GRU", {{3, 1, 2}, {1, 6, 2}, {1, 6, 3}}, {}, {}});
  check_refused({"RNN", {{3, 1, 2}, {1, 2, 2}, {1, 2, 2}}, {}, {{"direction", std::string("sideways")}}});
  check_refused(
      {"RNN", {{3, 1, 2}, {1, 2, 2}, {1, 2, 2}}, {}, {{"activations", std::vector<std::string>{"Sine"}}}});
  check_refused({"NonMaxSuppression", {{1, 3, 5}, {1, 1, 3}}, {}, {}});
  check_refused({"SwiGLU", {{2, 3}, {2, 1}}, {}, {}});
}

TEST_CASE("an operand without elements where one number belongs is refused", "[hostile]") {
  const Tensor none = int_tensor({});
  check_refused({"CumSum", {{2, 3}}, {none}, {}});
  check_refused({"Trilu", {{2, 3}}, {none}, {}});
  check_refused({"DFT", {{1, 4, 1}}, {none}, {}});
  check_refused({"DFT", {{1, 4, 1}}, {int_tensor({4}), none}, {}});
  check_refused({"STFT", {{1, 8, 1}}, {none, Tensor(), int_tensor({4})}, {}});
  check_refused({"STFT", {{1, 8, 1}}, {int_tensor({2}), Tensor(), none}, {}});
  check_refused({"SoftmaxCrossEntropyLoss", {{2, 0}}, {int_tensor({0, 0})}, {}});
}

TEST_CASE("an If whose branch has fewer results than the node is refused, also if its condition is known",
          "[hostile]") {
  for (const bool is_known : {false, true}) {
    GraphBuilder branch;
    const auto body = std::make_shared<const Graph>(branch.build({branch.random("c", {2})}));
    GraphBuilder b;
    const ValueId condition =
        is_known ? b.constant("condition", Tensor::scalar(true)) : b.input("condition", {}, DataType::kBool);
    const std::vector<ValueId> results =
        b.nodes("If", {condition}, 2, {{"then_branch", body}, {"else_branch", body}});
    CHECK_THROWS_AS(open_model(b.build(results)), Error);
  }
}

TEST_CASE("an operator on codes whose scale is left out is refused", "[hostile]") {
  GraphBuilder b;
  const ValueId scale = b.constant("scale", Tensor::scalar(0.1f)),
                zero_point = b.constant("zero", Tensor::scalar<uint8_t>(3));
  const ValueId x = b.input("x", {2, 3}, DataType::kU8);
  for (const ValueId second : {kNoValue, x}) {
    GraphBuilder c = b;
    const ValueId y =
        c.node("QLinearConcat", {scale, zero_point, x, scale, zero_point, second, kNoValue, kNoValue},
               {{"axis", int64_t{0}}});
    c.graph().nodes[0].domain = "com.microsoft";
    CHECK_THROWS_WITH(open_model(c.build({y})), Catch::Contains("missing"));
  }
}

TEST_CASE("more samples than a bin can take are refused", "[hostile]") {
  check_refused({"RoiAlign",
                 {{1, 1, 4, 4}},
                 {Tensor::of<float>({1, 4}, {0, 0, 1, 1}), int_tensor({0})},
                 {{"sampling_ratio", int64_t{1} << 20}}});
}

TEST_CASE("a result that no memory holds is refused before it is taken", "[hostile]") {
  constexpr int64_t kWide = int64_t{1} << 30;
  check_refused({"OneHot", {{1024}}, {int_tensor({kWide}), Tensor::of<float>({2}, {0, 1})}, {}});
  check_refused({"CenterCropPad", {{2, 3}}, {int_tensor({kWide, kWide})}, {}});
  check_refused({"AffineGrid", {{1, 2, 3}}, {int_tensor({1, 1, kWide, kWide})}, {}});
}
