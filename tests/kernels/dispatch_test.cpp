// The levels and their tables.
#include "tests/kernels/kernel_test.h"

using namespace quantize;
using namespace quantize::test;

TEST_CASE("every level has a complete table") {
  REQUIRE(supported_isas().front() == Isa::kScalar);
  for_each_isa([](const KernelTable& kernels) {
    CHECK(kernels.gemm_mr > 0);
    CHECK(kernels.gemm_nr > 0);
    CHECK(kernels.gemm_f32 != nullptr);
    CHECK(kernels.depthwise_f32 != nullptr);
    CHECK(kernels.sigmoid_f32 != nullptr);
    CHECK(kernels.exp_f32 != nullptr);
    CHECK(kernels.minmax_f32 != nullptr);
    CHECK(kernels.minmax_sum_f32 != nullptr);
    CHECK(kernels.column_sums_f32 != nullptr);
    CHECK(kernels.histogram_f32 != nullptr);
    CHECK(kernels.quantize_f32_u8 != nullptr);
    CHECK(kernels.quantize_f32_s8 != nullptr);
  });
  CHECK(best_kernels().isa == supported_isas().back());
}

TEST_CASE("levels are found by name") {
  for (Isa isa : supported_isas()) {
    Isa found = Isa::kScalar;
    CHECK(parse_isa(name_of(isa), found));
    CHECK(found == isa);
    CHECK(kernels_for(isa).isa == isa);
  }
  Isa unchanged = Isa::kScalar;
  CHECK(!parse_isa("sse9", unchanged));
  CHECK(unchanged == Isa::kScalar);
}

TEST_CASE("pack_gemm_a_f32 lays rows out in panels and fills the last one with zeros") {
  for_each_isa([](const KernelTable& kernels) {
    const size_t mr = kernels.gemm_mr, m = mr + 1, k = 3;
    const std::vector<float> a = random_floats(m * k, 8);
    REQUIRE(packed_gemm_a_bytes(kernels, m, k) == 2 * mr * k * sizeof(float));
    std::vector<float> packed(2 * mr * k, 77);
    pack_gemm_a_f32(kernels, {a.data(), m, k, 1, m},
                    packed.data());  // transposed: element (i, j) at j * m + i
    for (size_t i = 0; i < 2 * mr; ++i)
      for (size_t j = 0; j < k; ++j)
        CHECK(packed[i / mr * mr * k + j * mr + i % mr] == (i < m ? a[j * m + i] : 0.0f));
  });
}
