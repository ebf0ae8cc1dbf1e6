// Common parts of the benchmarks: one name that tells scripts/bench_table.py all, and random operands.
#pragma once

#include <string>

#include "tests/kernels/integer_case.h"

namespace quantize::bench {

/// The work of a benchmark per call: multiply-accumulates of codes or of reals, or bytes read and written.
struct Work {
  double amount;
  const char* unit;
};
inline Work macs_of_codes(double n) {
  return {n, "mac_u8s8"};
}
inline Work macs_of_reals(double n) {
  return {n, "mac_f32"};
}
inline Work bytes(double n) {
  return {n, "byte"};
}

/// Times body() under the name "kernel;shape;level;amount;unit".
template <typename Body>
void measure(const char* kernel, const std::string& shape, const KernelTable& kernels, Work work, Body body) {
  const std::string name = std::string(kernel) + ";" + shape + ";" + name_of(kernels.isa) + ";" +
                           std::to_string(static_cast<uint64_t>(work.amount)) + ";" + work.unit;
  BENCHMARK(std::string(name)) {
    return body();
  };
}

/// Calls body(kernels) for every level of this CPU that is meant to be fast.
template <typename Body>
void for_each_fast_isa(Body body) {
  for (Isa isa : supported_isas())
    if (isa != Isa::kScalar) body(kernels_for(isa));
}

}  // namespace quantize::bench
