// The discrete Fourier transform against its definition.
#include <catch2/catch.hpp>
#include <cmath>
#include <complex>

#include "tests/support/graph_builder.h"

using namespace quantize;
using namespace quantize::test;

TEST_CASE("DFT of any length is the sum that defines it") {
  const int64_t n = GENERATE(1, 2, 3, 8, 31, 33, 37, 74, 100, 132, 255);
  INFO(n);
  GraphBuilder b(20);
  const Graph graph = b.build({b.node("DFT", {b.input("x", {1, n, 2})})});
  const auto inputs = random_inputs(graph);
  const Tensor y = run_graph(graph, inputs)[0];
  const float *from = inputs[0].data<float>(), *to = y.data<float>();
  for (int64_t k = 0; k < n; ++k) {
    std::complex<double> sum;
    for (int64_t i = 0; i < n; ++i)
      sum += std::complex<double>(from[2 * i], from[2 * i + 1]) *
             std::polar(1.0, -2 * M_PI * static_cast<double>(k * i % n) / static_cast<double>(n));
    CHECK(to[2 * k] == Approx(sum.real()).margin(1e-5));
    CHECK(to[2 * k + 1] == Approx(sum.imag()).margin(1e-5));
  }
}
