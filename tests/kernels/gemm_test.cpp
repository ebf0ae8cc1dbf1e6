// gemm_f32 and gemm_tall_f32 of every level against sums in double, in each of the ways B may lie in memory.
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

/// Calls body(form) for both kernels of every level.
template <typename Body>
void for_each_form(Body body) {
  for_each_isa([&](const KernelTable& kernels) {
    body(GemmForm{kernels.gemm_mr, kernels.gemm_f32});
    body(GemmForm{kernels.gemm_tall_mr, kernels.gemm_tall_f32});
  });
}

/// B is [k][n] in memory, or cut into segments that stand apart.
Product make_product(const GemmForm& form, size_t m, size_t n, size_t k, size_t segment) {
  Product p;
  const size_t segments = (n + segment - 1) / segment;
  p.a = random_floats(m * k, 1);
  p.b = random_floats(segments * (k + 1) * segment, 2);
  p.c.assign(m * n, 77);
  p.row_bias = random_floats(m, 3);
  p.column_bias = random_floats(n, 4);
  p.packed.resize(packed_panels_bytes(form.panel, m, k) / sizeof(float));
  pack_panels_f32(form.panel, {p.a.data(), m, k, k}, p.packed.data());
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

void check_product(const GemmForm& form, const Product& p) {
  const GemmF32& g = p.gemm;
  size_t wrong = 0;
  for (size_t i = 0; i < g.m; ++i)
    for (size_t j = 0; j < g.n; ++j) {
      double sum = 0, magnitude = 1;
      if (g.row_bias != nullptr) sum += static_cast<double>(g.row_bias[i]);
      if (g.column_bias != nullptr) sum += static_cast<double>(g.column_bias[j]);
      if (g.addend != nullptr) sum += static_cast<double>(g.addend[i * g.ldc + j]);
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
  INFO("m " << g.m << " n " << g.n << " k " << g.k << " segment " << g.segment << " panel " << form.panel);
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("gemm_f32 multiplies matrices of every size around its tiles") {
  for_each_form([](const GemmForm& form) {
    for (size_t m = 1; m <= form.panel + 9; m += form.panel > 8 ? 7 : 1)
      for (size_t n : {1, 2, 7, 8, 9, 15, 16, 17, 24, 31, 33, 47, 48, 49, 100})
        for (size_t k : {1, 2, 5}) {
          Product p = make_product(form, m, n, k, n);
          form.run(p.gemm);
          check_product(form, p);
        }
  });
}

TEST_CASE("gemm_f32 with B in segments, as a convolution and as packed panels have it") {
  for_each_form([](const GemmForm& form) {
    for (size_t segment : {size_t{1}, size_t{7}, size_t{8}, size_t{14}, size_t{16}, size_t{56}, size_t{48}})
      for (size_t n : {segment, 3 * segment, 9 * segment, segment + 1 - segment / 2, 200 * segment / 7 + 1}) {
        Product p = make_product(form, 11, n, 9, segment);
        form.run(p.gemm);
        check_product(form, p);
      }
  });
}

TEST_CASE("gemm_f32 of a B too large for one block of columns") {
  for_each_form([](const GemmForm& form) {
    Product p = make_product(form, 2 * form.panel, 300, 1100, 300);
    form.run(p.gemm);
    check_product(form, p);
  });
}

TEST_CASE("gemm_f32 of depths that are summed in parts, with an addend that is C itself") {
  for_each_form([](const GemmForm& form) {
    for (size_t k : {127, 128, 191, 192, 193, 320, 321})
      for (size_t segment : {14, 61}) {
        Product p = make_product(form, 5 * form.panel + 3, 3 * 14 + 61, k, segment);
        const std::vector<float> addend = random_floats(p.c.size(), 5);
        p.c = addend;
        p.gemm.addend = p.c.data();
        p.gemm.high = 1;
        form.run(p.gemm);
        p.gemm.addend = addend.data();
        check_product(form, p);
      }
  });
}

TEST_CASE("gemm_f32 clamps, and does without either bias") {
  for_each_form([](const GemmForm& form) {
    for (bool rows : {false, true})
      for (bool columns : {false, true}) {
        Product p = make_product(form, 9, 50, 8, 50);
        p.gemm.low = 0;
        p.gemm.high = 0.5f;
        if (!rows) p.gemm.row_bias = nullptr;
        if (!columns) p.gemm.column_bias = nullptr;
        form.run(p.gemm);
        check_product(form, p);
      }
  });
}

TEST_CASE("gemm_f32 writes nothing outside C, and the same bytes for any split of the columns") {
  for_each_form([](const GemmForm& form) {
    const size_t m = form.panel + 1, n = 61, k = 20;
    Product whole = make_product(form, m, n, k, n);
    form.run(whole.gemm);
    for (size_t cut : {1, 16, 30}) {
      Product split = make_product(form, m, n, k, n);
      split.gemm.segment = n;
      GemmF32 left = split.gemm, right = split.gemm;
      left.n = cut;
      right.n = n - cut;
      right.b += cut;
      right.c += cut;
      right.column_bias += cut;
      form.run(left);
      for (size_t i = 0; i < m; ++i)
        for (size_t j = cut; j < n; ++j) REQUIRE(split.c[i * n + j] == 77);
      form.run(right);
      CHECK(same_bytes(split.c, whole.c));
    }
  });
}

TEST_CASE("gemm_f32 lets NaN through its clamp") {
  for_each_form([](const GemmForm& form) {
    Product p = make_product(form, 2, 20, 3, 20);
    p.b[5] = kNan;
    p.gemm.low = 0;
    p.gemm.high = 6;
    form.run(p.gemm);
    CHECK(std::isnan(p.c[5]));
    CHECK(std::isnan(p.c[25]));
    CHECK(!std::isnan(p.c[6]));
  });
}

TEST_CASE("gemm_f32 adds an addend last, which may be C itself") {
  for_each_form([](const GemmForm& form) {
    for (size_t n : {1, 6, 15, 50})
      for (bool in_place : {false, true}) {
        Product p = make_product(form, 37, n, 8, n);
        const std::vector<float> addend = random_floats(p.c.size(), 5);
        if (in_place) p.c = addend;
        p.gemm.addend = in_place ? p.c.data() : addend.data();
        p.gemm.low = 0;
        p.gemm.high = 1;
        form.run(p.gemm);
        p.gemm.addend = addend.data();
        check_product(form, p);
      }
  });
}

TEST_CASE("gemm_f32 and gemm_tall_f32 of all levels give the same bytes") {
  std::vector<std::vector<float>> results;
  for_each_form([&](const GemmForm& form) {
    for (size_t n : {5, 49})
      for (size_t k : {33, 300}) {
        Product p = make_product(form, 70, n, k, n);
        form.run(p.gemm);
        results.push_back(p.c);
        CHECK(same_bytes(results.back(), results[(results.size() - 1) % 4]));
      }
  });
}

TEST_CASE("gemm_form names one of the two kernels, the tall one for few columns of much depth") {
  for_each_isa([](const KernelTable& kernels) {
    if (kernels.gemm_lanes == 1) return;  // either is as good
    const GemmForm few = gemm_form(kernels, 512, 1, 2048, 1), many = gemm_form(kernels, 512, 9600, 64, 9600);
    CHECK(many.run == kernels.gemm_f32);
    CHECK(many.panel == kernels.gemm_mr);
    CHECK(few.run == kernels.gemm_tall_f32);
    CHECK(few.panel == kernels.gemm_tall_mr);
  });
}
