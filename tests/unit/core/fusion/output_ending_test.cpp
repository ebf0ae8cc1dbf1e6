#include <catch2/catch.hpp>

#include "core/fusion/output_ending.h"
#include "tests/support/graph_builder.h"

using namespace quantize;
using namespace quantize::test;

namespace {

using Perm = std::vector<int64_t>;

OutputEnding ending(GraphBuilder& b, ValueId output, size_t rank) {
  return ending_of(b.build({output}), output, rank);
}

}  // namespace

TEST_CASE("An output is followed through what moves, shifts and averages its elements") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 3, 8, 8});
  const ValueId conv = b.node("Conv", {x, b.random("w", {10, 3, 1, 1})});
  const ValueId relu = b.node("Relu", {conv});
  const ValueId scores = b.node("Flatten", {b.node("GlobalAveragePool", {relu})});
  const ValueId shifted = b.node("Mul", {b.constant("two", Tensor::scalar<float>(2)), scores});
  CHECK(ending(b, shifted, 2).ending == Ending::kLinear);
  CHECK(ending(b, shifted, 2).op_type == "Conv");
  CHECK(ending(b, relu, 4).ending == Ending::kOther);  // features, where nothing averages them
  CHECK(ending(b, b.node("Softmax", {shifted}, {{"axis", int64_t{1}}}), 2).ending == Ending::kProbabilities);
  CHECK(ending(b, b.node("Sigmoid", {conv}), 4).ending == Ending::kScores);
  CHECK(ending(b, b.node("ArgMax", {conv}), 4).ending == Ending::kIndices);
  CHECK(ending(b, b.node("Concat", {conv, conv}, {{"axis", int64_t{1}}}), 4).ending == Ending::kJoined);
  CHECK(ending(b, x, 4).op_type.empty());
}

TEST_CASE("Vectors of one length, and residuals, are no scores") {
  GraphBuilder b;
  const ValueId x = b.input("x", {2, 16});
  const ValueId y = b.node("MatMul", {x, b.random("w", {16, 8})});
  const ValueId length = b.node("ReduceL2", {y}, {{"axes", Perm{1}}});
  CHECK(ending(b,
               b.node("Div", {y, b.node("Clip", {length, b.constant("low", Tensor::scalar<float>(1e-6f))})}),
               2)
            .ending == Ending::kNormalized);
  CHECK(ending(b, b.node("LpNormalization", {y}), 2).ending == Ending::kNormalized);
  CHECK(ending(b, b.node("Add", {y, x}), 2).ending == Ending::kOther);
  CHECK(ending(b, b.node("Add", {y, b.random("bias", {8})}), 2).ending == Ending::kLinear);
}

TEST_CASE("The axis of a Softmax is that of the output") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 5, 7});
  const ValueId y = b.node("Softmax", {x}, {{"axis", int64_t{-1}}});
  CHECK(ending(b, y, 3).axis == 2);
  CHECK(ending(b, b.node("Transpose", {y}, {{"perm", Perm{0, 2, 1}}}), 3).axis == 1);
  CHECK(ending(b, b.node("Transpose", {y}), 3).axis == 0);
  CHECK_FALSE(ending(b, b.node("Reshape", {y, b.ints("shape", {1, 35, 1})}), 3).axis);
}
