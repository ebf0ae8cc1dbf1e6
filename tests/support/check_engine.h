// Checks that the engine computes what the reference code of the integer operators does.
#pragma once

#include <catch2/catch.hpp>

#include "core/integer/lowering.h"
#include "tests/support/quantized_graph.h"

namespace quantize::test {

/// Runs the engine at every level with several numbers of threads, twice each, against the reference.
inline void check_engine(const Graph& qdq, const std::vector<Tensor>& inputs) {
  const Graph lowered = lower_to_qoperator(qdq);
  validate(lowered);
  const std::vector<Tensor> expected = reference_outputs(lowered, inputs);
  const uint64_t hash = Engine(qdq, {.kernels = &kernels_for(Isa::kScalar)}).hash(inputs);
  for (Isa isa : supported_isas())
    for (int threads : {1, 2, 3, 7}) {
      INFO("isa " << name_of(isa) << ", " << threads << " threads");
      Engine engine(qdq, {.kernels = &kernels_for(isa), .threads = threads});
      CHECK(engine.hash(inputs) == hash);
      for (int run = 0; run < 2; ++run) {
        const std::vector<Tensor> actual = engine.run(inputs);
        REQUIRE(actual.size() == expected.size());
        for (size_t i = 0; i < actual.size(); ++i) {
          INFO("output " << i << ", run " << run);
          CHECK(equal(actual[i], expected[i]));
        }
      }
    }
}

}  // namespace quantize::test
