// The scales of a quantized graph, taken from it and given to its float form, make the same graph again.
#include <catch2/catch.hpp>

#include "core/integer/known_scales.h"
#include "core/passes/passes.h"
#include "core/quantization/known_scales.h"
#include "core/quantization/plan_quantization.h"
#include "tests/suites/graphs.h"
#include "tests/support/check_engine.h"

namespace quantize::test {

namespace {

std::map<std::string, QuantParams> scales_by_value(const KnownScales& known) {
  std::map<std::string, QuantParams> scales;
  for (const auto* list : {&known.activations, &known.weights})
    for (const KnownScale& scale : *list) scales[scale.value] = scale.params;
  return scales;
}

/// The QDQ graph that known scales make of a float graph.
Graph with_scales(const Graph& graph, const std::map<std::string, QuantParams>& scales, const char* target) {
  QuantizationScheme scheme;
  const TypePair& types = find_target(target).choose_types({}, {});
  scheme.activations.dtype = types.activation;
  scheme.activations.symmetric = types.symmetric;
  scheme.bias_correction = BiasCorrection::kOff;
  take_known_scales(graph, scales, scheme);
  return insert_qdq(plan_quantization(graph, {}, scheme, find_target(target)));
}

size_t count_quantizers(const Graph& graph) {
  return count_nodes(graph, "QuantizeLinear") + count_nodes(graph, "DequantizeLinear");
}

}  // namespace

TEST_CASE("suite: known scales make the same quantized graph again", "[suite]") {
  for (const SuiteGraph& entry : suite_graphs())
    for (const char* target : {"ort-x86", "ort-arm"}) {
      INFO(entry.name << ", " << target);
      const Graph source = open_model(entry.build());
      const std::vector<Tensor> inputs = random_inputs(source, kSuiteInputs);
      const Graph qdq = quantized_graph(source, target);
      const Graph reals = open_model(float_form(qdq));
      CHECK(count_quantizers(reals) == 0);
      const Graph again = with_scales(reals, scales_by_value(known_scales(qdq)), target);
      CHECK(count_quantizers(again) == count_quantizers(qdq));
      const std::vector<Tensor> expected = run_graph(qdq, inputs), actual = run_graph(again, inputs);
      REQUIRE(actual.size() == expected.size());
      for (size_t i = 0; i < actual.size(); ++i) CHECK(relative_difference(actual[i], expected[i]) <= 1e-6);
    }
}
}  // namespace quantize::test
