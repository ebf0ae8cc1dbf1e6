// Shared by the kernel tests: a body runs for every level this CPU has; random numbers are the same
// everywhere.
#pragma once

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "kernels/kernel_table.h"

namespace quantize {
/// plug_avxvnni with its instruction in the encoding of AVX-512: see tests.cmake.
void plug_avxvnni_as_evex(KernelTable& table);
/// plug_amx with its tiles in software.
void plug_amx_in_software(KernelTable& table);
}  // namespace quantize

namespace quantize::test {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

#if defined(__x86_64__)
/// Lets CPUs with AVX-512 VNNI alone test the kernels of avxvnni and amx as well. Each table has the name of
/// its base.
inline std::vector<KernelTable> foreign_levels() {
  if (!cpu_supports(Isa::kAvx512Vnni)) return {};
  KernelTable avxvnni = kernels_for(Isa::kAvx2), amx = kernels_for(Isa::kAvx512Vnni);
  plug_avxvnni_as_evex(avxvnni);
  plug_amx_in_software(amx);
  return {avxvnni, amx};
}
#else
inline std::vector<KernelTable> foreign_levels() {
  return {};
}
#endif

/// Calls body(kernels) for every level, scalar first.
template <typename Body>
void for_each_isa(Body body) {
  for (Isa isa : supported_isas()) {
    INFO("isa " << name_of(isa));
    body(kernels_for(isa));
  }
  for (const KernelTable& kernels : foreign_levels()) {
    INFO("avxvnni encoded as AVX-512, or amx in software, on top of " << name_of(kernels.isa));
    body(kernels);
  }
}

inline const KernelTable& scalar_kernels() {
  return kernels_for(Isa::kScalar);
}

inline std::vector<float> random_floats(size_t n, uint32_t seed, float low = -1, float high = 1) {
  std::mt19937 generator(seed);
  std::vector<float> result(n);
  for (float& x : result)
    x = low + (high - low) * static_cast<float>(generator() >> 8) / static_cast<float>(1 << 24);
  return result;
}

/// Every kind of float: zeros of both signs, denormals, the largest, NaN, infinities, halves, random ones.
inline std::vector<float> all_kinds_of_floats(size_t n, uint32_t seed, bool finite = false) {
  const float kinds[] = {0.0f, -0.0f, 1e-45f, -1e-45f, 1e-38f, 3.4e38f, -3.4e38f, 0.5f, -0.5f,
                         1.5f, 2.5f,  -2.5f,  1.0f,    -1.0f,  kInf,    -kInf,    kNan, -kNan};
  std::mt19937 generator(seed);
  std::vector<float> result = random_floats(n, seed + 1, -4, 4);
  for (float& x : result)
    if (generator() % 3 == 0) x = kinds[generator() % (finite ? 14 : 18)];
  return result;
}

/// The same bytes: NaNs and signs of zeros count.
template <typename T>
bool same_bytes(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

}  // namespace quantize::test
