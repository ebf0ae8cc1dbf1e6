// Codes of few bits in a graph that is ready: fewer bytes, the same results.
#include "core/quantization/pack_weights.h"

#include <catch2/catch.hpp>

#include "core/integer/lowering.h"
#include "core/quantization/insert_qdq.h"
#include "tests/support/planned_graph.h"

using namespace quantize;
using test::count_nodes;
using test::GraphBuilder;

namespace {

Tensor codes_of(int64_t count, int low, int high) {
  Tensor codes(DataType::kS8, {count});
  for (int64_t i = 0; i < count; ++i)
    codes.mutable_data<int8_t>()[i] = static_cast<int8_t>(low + i % (high - low + 1));
  return codes;
}

uint64_t constants_read(const Graph& graph) {
  std::set<ValueId> read;
  for (const Node& node : graph.nodes) read.insert(node.inputs.begin(), node.inputs.end());
  uint64_t bytes = 0;
  for (const ValueId id : read)
    if (id != kNoValue) bytes += graph.value(id).initializer.byte_size();
  return bytes;
}

}  // namespace

TEST_CASE("pack_weights: bits in use hold both ends", "[pack_weights]") {
  CHECK(bits_in_use(codes_of(9, -2, 1)) == 2);
  CHECK(bits_in_use(codes_of(9, -2, 2)) == 3);
  CHECK(bits_in_use(codes_of(9, 0, 0)) == 2);
  CHECK(bits_in_use(codes_of(300, -7, 7)) == 4);
  CHECK(bits_in_use(codes_of(300, -128, 0)) == 8);
  CHECK(bits_in_use(Tensor(DataType::kS8, {0})) == 2);
}

TEST_CASE("pack_weights: small constants and those of 8 bits stay as they are", "[pack_weights]") {
  const auto bytes = [](const Tensor& codes) { return packed_weight_bytes(codes, CodeForm::kPacked); };
  CHECK(bytes(codes_of(4000, -7, 7)) == 2000);
  CHECK(bytes(codes_of(4001, -3, 3)) == 1001 + 501);
  CHECK(bytes(codes_of(100, -7, 7)) == 100);
  CHECK(bytes(codes_of(4000, -127, 127)) == 4000);
}

TEST_CASE("pack_weights: static layers of few bits take fewer bytes and compute the same", "[pack_weights]") {
  const int bits = GENERATE(2, 3, 4, 5, 6, 7);
  const bool lowered = GENERATE(false, true);
  CAPTURE(bits, lowered);
  GraphBuilder b(21);
  const ValueId x = b.input("x", {1, 16, 6, 6});
  const ValueId y = b.node("Conv", {x, b.random("w", {31, 16, 3, 3})});
  const ValueId z = b.node("Conv", {y, b.random("v", {165, 31, 1, 1})});
  QuantizationScheme scheme;
  scheme.weights.num_bits = bits;
  const test::Planned planned = test::plan_of(b, {z}, scheme);
  Graph plain = insert_qdq(planned);
  if (lowered) plain = lower_to_qoperator(std::move(plain), {}, Runtime::kAny);
  Graph packed = pack_weights(plain, CodeForm::kPacked);
  CHECK(count_nodes(packed, "Gather") == 2);
  CHECK(constants_read(packed) < constants_read(plain) * static_cast<uint64_t>(bits + 1) / 8 + 1200);
  infer_shapes(plain);
  validate(packed);
  infer_shapes(packed);
  const auto inputs = test::random_inputs(planned.graph);
  CHECK(equal(test::run_graph(packed, inputs)[0], test::run_graph(plain, inputs)[0]));
}

TEST_CASE("pack_weights: codes that 4 bits hold are constants of s4, and computed on in integers",
          "[pack_weights]") {
  CHECK(packed_weight_bytes(codes_of(101, -7, 7), CodeForm::kHalfBytes) == 51);
  CHECK(packed_weight_bytes(codes_of(101, -9, 7), CodeForm::kHalfBytes) == 101);
  CHECK(packed_weight_bytes(codes_of(101, -7, 7), CodeForm::kWholeBytes) == 101);
  GraphBuilder b(21);
  const ValueId x = b.input("x", {1, 16, 6, 6});
  const ValueId y = b.node("Conv", {x, b.random("w", {12, 16, 3, 3})});
  QuantizationScheme scheme;
  scheme.weights.num_bits = 4;
  const test::Planned planned = test::plan_of(b, {y}, scheme);
  const Graph plain = insert_qdq(planned);
  Graph halved = pack_weights(plain, CodeForm::kHalfBytes);
  validate(halved);
  infer_shapes(halved);
  const auto has = [](const Graph& graph, DataType dtype) {
    return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
      const Tensor* codes = graph.constant(node.inputs[0]);
      return node.op_type == "DequantizeLinear" && codes != nullptr && codes->dtype() == dtype;
    });
  };
  CHECK(has(halved, DataType::kS4));
  CHECK_FALSE(has(halved, DataType::kS8));
  CHECK(count_nodes(lower_to_qoperator(halved), "QLinearConv") == 1);
  const auto inputs = test::random_inputs(planned.graph);
  CHECK(equal(test::run_graph(halved, inputs)[0], test::run_graph(plain, inputs)[0]));
}

TEST_CASE("pack_weights: the form follows the target, and operators of codes take packed ones",
          "[pack_weights]") {
  CHECK(code_form(find_target("ort-x86"), false) == CodeForm::kPacked);
  CHECK(code_form(find_target("qnn"), false) == CodeForm::kHalfBytes);
  CHECK(code_form(find_target("openvino"), false) == CodeForm::kWholeBytes);
  CHECK(code_form(find_target("openvino"), true) == CodeForm::kPacked);
}
