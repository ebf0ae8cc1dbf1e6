// The operands of integer operators as files give them.
#include "core/integer/codes.h"

#include <catch2/catch.hpp>

#include "core/error.h"
#include "tests/support/graph_builder.h"

using namespace quantize;
using namespace quantize::test;

namespace {

/// Weights 2x3 (of a Conv 3x2x1x1) whose scales are `count` and computed when the graph runs.
void run_with_scales(const std::string& op_type, int64_t count) {
  GraphBuilder b(13);
  b.graph().info.opsets["com.microsoft"] = 1;
  const bool is_conv = op_type == "QLinearConv", takes_reals = op_type == "DynamicQuantizeMatMul";
  const ValueId x =
      b.input("x", is_conv ? Shape{1, 2, 1, 1} : Shape{1, 2}, takes_reals ? DataType::kF32 : DataType::kU8);
  const ValueId scales = b.input("scales", {count}), one = b.constant("one", Tensor::scalar(1.0f)),
                zero = b.constant("zero", Tensor::scalar(uint8_t{0})),
                w = b.constant(
                    "w", Tensor::of<uint8_t>(is_conv ? Shape{3, 2, 1, 1} : Shape{2, 3}, {1, 2, 3, 4, 5, 6}));
  std::vector<ValueId> inputs;
  if (op_type == "QGemm")
    inputs = {x, one, zero, w, scales, zero, kNoValue, one, zero};
  else if (op_type == "MatMulIntegerToFloat")
    inputs = {x, w, one, scales};
  else if (takes_reals)
    inputs = {x, w, scales};
  else
    inputs = {x, one, zero, w, scales, zero, one, zero};
  const ValueId y = b.node(op_type, inputs);
  if (op_type.find("QLinear") == std::string::npos) b.graph().nodes.back().domain = "com.microsoft";
  const Graph graph = b.build({y});
  const Shape shape = *graph.value(x).shape;
  run_graph(graph, {takes_reals ? Tensor::of<float>(shape, {1, 2}) : Tensor::of<uint8_t>(shape, {1, 2}),
                    Tensor::of<float>({count}, std::vector<float>(static_cast<size_t>(count), 0.5f))});
}

}  // namespace

TEST_CASE("an operand has one scale or one per channel, whatever the operator") {
  const std::string op_type =
      GENERATE("QGemm", "QLinearMatMul", "QLinearConv", "MatMulIntegerToFloat", "DynamicQuantizeMatMul");
  INFO(op_type);
  CHECK_THROWS_WITH(run_with_scales(op_type, 2), Catch::Contains("2 scales stand for 3 channels"));
  CHECK_THROWS_WITH(run_with_scales(op_type, 4), Catch::Contains("4 scales stand for 3 channels"));
}
