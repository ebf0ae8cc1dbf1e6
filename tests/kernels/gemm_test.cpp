// gemm_f32 of every level against sums in double, in each of the ways B may lie in memory.
#include "tests/kernels/kernel_test.h"

using namespace quantize;
using namespace quantize::test;

namespace {

struct Product {
  std::vector<float> a, b, c, row_bias, column_bias;
  std::vector<float> packed;
  std::vector<size_t> rows;
  GemmF32 gemm;
};

/// B is [k][n] in memory, or cut into segments that stand apart.
Product make_product(const KernelTable& kernels, size_t m, size_t n, size_t k, size_t segment) {
  Product p;
  const size_t segments = (n + segment - 1) / segment;
  p.a = random_floats(m * k, 1);
  p.b = random_floats(segments * (k + 1) * segment, 2);
  p.c.assign(m * n, 77);
  p.row_bias = random_floats(m, 3);
  p.column_bias = random_floats(n, 4);
  p.packed.resize(packed_gemm_a_bytes(kernels, m, k) / sizeof(float));
  pack_gemm_a_f32(kernels, {p.a.data(), m, k, k}, p.packed.data());
  for (size_t i = 0; i < k; ++i) p.rows.push_back(i * segment);
  GemmF32& g = p.gemm;
  g.m = m;
  g.n = n;
  g.k = k;
  g.a = p.packed.data();
  g.b = p.b.data();
  g.b_rows = p.rows.data();
  g.segment = segment;
  g.segment_stride = (k + 1) * segment;
  g.c = p.c.data();
  g.ldc = n;
  g.row_bias = p.row_bias.data();
  g.column_bias = p.column_bias.data();
  g.low = -kInf;
  g.high = kInf;
  return p;
}

void check_product(const KernelTable& kernels, const Product& p) {
  const GemmF32& g = p.gemm;
  size_t wrong = 0;
  for (size_t i = 0; i < g.m; ++i)
    for (size_t j = 0; j < g.n; ++j) {
      double sum = 0, magnitude = 1;
      if (g.row_bias != nullptr) sum += static_cast<double>(g.row_bias[i]);
      if (g.column_bias != nullptr) sum += static_cast<double>(g.column_bias[j]);
      for (size_t k = 0; k < g.k; ++k) {
        const double term =
            static_cast<double>(p.a[i * g.k + k]) *
            static_cast<double>(g.b[g.b_rows[k] + j / g.segment * g.segment_stride + j % g.segment]);
        sum += term;
        magnitude += std::abs(term);
      }
      sum = std::min(std::max(sum, static_cast<double>(g.low)), static_cast<double>(g.high));
      const double bound = static_cast<double>(g.k + 3) * 0x1p-23 * magnitude;
      wrong += !(std::abs(static_cast<double>(p.c[i * g.ldc + j]) - sum) <= bound);
    }
  INFO("m " << g.m << " n " << g.n << " k " << g.k << " segment " << g.segment << " mr " << kernels.gemm_mr);
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("gemm_f32 multiplies matrices of every size around its tiles") {
  for_each_isa([](const KernelTable& kernels) {
    for (size_t m = 1; m <= 2 * kernels.gemm_mr + 1; ++m)
      for (size_t n : {1, 2, 7, 8, 9, 15, 16, 17, 24, 31, 33, 47, 48, 49, 100})
        for (size_t k : {1, 2, 5}) {
          Product p = make_product(kernels, m, n, k, n);
          kernels.gemm_f32(p.gemm);
          check_product(kernels, p);
        }
  });
}

TEST_CASE("gemm_f32 with B in segments, as a convolution and as packed panels have it") {
  for_each_isa([](const KernelTable& kernels) {
    for (size_t segment :
         {size_t{1}, size_t{7}, size_t{8}, size_t{14}, size_t{16}, size_t{56}, kernels.gemm_nr})
      for (size_t n : {segment, 3 * segment, 9 * segment, segment + 1 - segment / 2, 200 * segment / 7 + 1}) {
        Product p = make_product(kernels, 11, n, 9, segment);
        kernels.gemm_f32(p.gemm);
        check_product(kernels, p);
      }
  });
}

TEST_CASE("gemm_f32 of a B too large for one block of columns") {
  for_each_isa([](const KernelTable& kernels) {
    Product p = make_product(kernels, 2 * kernels.gemm_mr, 300, 1100, 300);
    kernels.gemm_f32(p.gemm);
    check_product(kernels, p);
  });
}

TEST_CASE("gemm_f32 clamps, and does without either bias") {
  for_each_isa([](const KernelTable& kernels) {
    for (bool rows : {false, true})
      for (bool columns : {false, true}) {
        Product p = make_product(kernels, 9, 50, 8, 50);
        p.gemm.low = 0;
        p.gemm.high = 0.5f;
        if (!rows) p.gemm.row_bias = nullptr;
        if (!columns) p.gemm.column_bias = nullptr;
        kernels.gemm_f32(p.gemm);
        check_product(kernels, p);
      }
  });
}

TEST_CASE("gemm_f32 writes nothing outside C, and the same bytes for any split of the columns") {
  for_each_isa([](const KernelTable& kernels) {
    const size_t m = kernels.gemm_mr + 1, n = 61, k = 20;
    Product whole = make_product(kernels, m, n, k, n);
    kernels.gemm_f32(whole.gemm);
    for (size_t cut : {1, 16, 30}) {
      Product split = make_product(kernels, m, n, k, n);
      split.gemm.segment = n;
      GemmF32 left = split.gemm, right = split.gemm;
      left.n = cut;
      right.n = n - cut;
      right.b += cut;
      right.c += cut;
      right.column_bias += cut;
      kernels.gemm_f32(left);
      for (size_t i = 0; i < m; ++i)
        for (size_t j = cut; j < n; ++j) REQUIRE(split.c[i * n + j] == 77);
      kernels.gemm_f32(right);
      CHECK(same_bytes(split.c, whole.c));
    }
  });
}

TEST_CASE("gemm_f32 lets NaN through its clamp") {
  for_each_isa([](const KernelTable& kernels) {
    Product p = make_product(kernels, 2, 20, 3, 20);
    p.b[5] = kNan;
    p.gemm.low = 0;
    p.gemm.high = 6;
    kernels.gemm_f32(p.gemm);
    CHECK(std::isnan(p.c[5]));
    CHECK(std::isnan(p.c[25]));
    CHECK(!std::isnan(p.c[6]));
  });
}
