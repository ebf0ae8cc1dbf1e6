// Bits for a size: the file fits, the layers that matter keep more bits, and what cannot be had is refused.
#include "calibration/search/fit_size.h"

#include <catch2/catch.hpp>
#include <set>

#include "core/error.h"
#include "core/passes/passes.h"
#include "core/quantization/insert_qdq.h"
#include "core/quantization/pack_weights.h"
#include "core/quantization/plan_quantization.h"
#include "tests/support/graph_builder.h"

using namespace quantize;
using test::GraphBuilder;

namespace {

/// Three products, the second of weights that two bits hold exactly.
Graph products() {
  GraphBuilder b(21);
  const ValueId x = b.input("x", {4, 96});
  Tensor coarse(DataType::kF32, {128, 96});
  for (int64_t i = 0; i < coarse.size(); ++i)
    coarse.mutable_data<float>()[i] = static_cast<float>((i + i / 96) % 3 - 1);
  const ValueId first = b.node("MatMul", {x, b.random("w1", {96, 128})});
  const ValueId second = b.node("MatMul", {first, b.constant("w2", coarse)});
  return open_model(b.build({b.node("MatMul", {second, b.random("w3", {96, 64})})}), 21);
}

/// The bytes of the constants that the plan's graph reads.
uint64_t constant_bytes(const PlannedModel& planned) {
  const Graph graph = pack_weights(insert_qdq(planned), CodeForm::kPacked);
  std::set<ValueId> read;
  for (const Node& node : graph.nodes) read.insert(node.inputs.begin(), node.inputs.end());
  uint64_t bytes = 0;
  for (const ValueId id : read)
    if (id != kNoValue && graph.value(id).is_constant())
      bytes += graph.value(id).initializer.byte_size() /
               static_cast<uint64_t>(packed_per_byte(graph.value(id).initializer.dtype()));
  return bytes;
}

QuantizationScheme weight_only() {
  QuantizationScheme scheme;
  scheme.mode = "weight-only";
  return scheme;
}

QuantizationScheme fitted(uint64_t bytes, const QuantizationScheme& scheme = weight_only(),
                          const StatisticsTable& statistics = {}) {
  const SizeGoal goal{.bytes = bytes, .form = CodeForm::kPacked, .bytes_of = constant_bytes};
  return fit_size(products(), statistics, {scheme, find_target("native"), {}}, goal, 1);
}

}  // namespace

TEST_CASE("fit_size: weights that few bits hold get no more, the others share what is left", "[fit_size]") {
  for (const uint64_t bytes : {9000, 12000, 16000, 20000}) {
    CAPTURE(bytes);
    const QuantizationScheme scheme = fitted(bytes);
    REQUIRE(scheme.overrides.size() == 3);
    CHECK(*scheme.overrides.at("w2").num_bits == 2);
    const PlannedModel planned = plan_quantization(products(), {}, scheme, find_target("native"));
    CHECK(constant_bytes(planned) <= bytes);
    CHECK(constant_bytes(planned) > bytes / 2);
  }
  CHECK(*fitted(20000).overrides.at("w1").num_bits > *fitted(9000).overrides.at("w1").num_bits);
}

TEST_CASE("fit_size: the least size is named where it is above the limit", "[fit_size]") {
  CHECK_THROWS_WITH(fitted(1000), Catch::Contains("the smallest file that can be written is of ") &&
                                      Catch::Contains("above --max-size 1000"));
  QuantizationScheme scheme;
  scheme.mode = "float";
  CHECK_THROWS_WITH(fitted(1000000, scheme), Catch::Contains("no node has such"));
}

TEST_CASE("fit_size: bits that an override says stay", "[fit_size]") {
  QuantizationScheme scheme = weight_only();
  scheme.overrides["w1"].num_bits = 8;
  CHECK(*fitted(18000, scheme).overrides.at("w1").num_bits == 8);
}

TEST_CASE("fit_size: no constant has more bits than are asked for", "[fit_size]") {
  QuantizationScheme scheme = weight_only();
  scheme.storage = {.grid = WeightGrid::kCodebook, .bits = 4};
  for (const auto& [name, specific] : fitted(1000000, scheme).overrides) CHECK(*specific.num_bits <= 4);
}

TEST_CASE("fit_size: layers on integers are packed for it", "[fit_size]") {
  const Graph graph = products();
  StatisticsTable statistics = calibrate(
      graph, 4,
      [](size_t i) {
        return std::optional(std::vector<Tensor>{test::random_tensor({4, 96}, static_cast<uint32_t>(i + 1))});
      },
      {});
  const QuantizationScheme scheme = fitted(20000, {}, statistics);
  CHECK(scheme.overrides.size() == 3);
  for (const auto& [name, specific] : scheme.overrides) CHECK(*specific.num_bits >= 2);
}
