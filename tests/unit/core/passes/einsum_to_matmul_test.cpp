// Einsum as MatMul: every equation computes what it did, and those that are no product of matrices stay.
#include "core/passes/passes.h"
#include "tests/support/check_same.h"

using namespace quantize;
using namespace quantize::test;

namespace {

/// One Einsum of an input and of another, or of a constant.
Graph einsum(const std::string& equation, const Shape& a, const Shape& b, bool constant) {
  GraphBuilder builder(13);
  const ValueId x = builder.input("x", a), y = constant ? builder.random("w", b) : builder.input("y", b);
  return builder.build({builder.node("Einsum", {x, y}, {{"equation", equation}})});
}

void check_becomes(const std::string& equation, const Shape& a, const Shape& b, bool product) {
  for (const bool constant : {false, true}) {
    INFO(equation << ", constant: " << constant);
    const Graph graph = einsum(equation, a, b, constant), after = after_pass(graph, einsum_to_matmul);
    CHECK(count_nodes(after, "MatMul") == (product ? 1 : 0));
    CHECK(count_nodes(after, "Einsum") == (product ? 0 : 1));
    check_same(graph, after, 1e-5);
  }
}

}  // namespace

TEST_CASE("Einsum: products of matrices become MatMul", "[einsum]") {
  check_becomes("ij,jk->ik", {3, 4}, {4, 5}, true);
  check_becomes("ij,kj->ki", {3, 4}, {5, 4}, true);
  check_becomes("blhd,bmhd->bhlm", {2, 3, 4, 5}, {2, 6, 4, 5}, true);
  check_becomes("bhlm,bmhd->blhd", {2, 4, 3, 6}, {2, 6, 4, 5}, true);
  check_becomes("nchw,cd->ndhw", {2, 3, 4, 5}, {3, 6}, true);
  check_becomes("...i,ij->...j", {2, 3, 4}, {4, 5}, true);
  check_becomes("nchw,nqhw->ncq", {2, 3, 4, 5}, {2, 6, 4, 5}, true);  // two labels are summed
  check_becomes("abc,abc->a", {2, 3, 4}, {2, 3, 4}, true);            // no rows and no columns of their own
  check_becomes("ij,jk", {3, 4}, {4, 5}, true);
}

TEST_CASE("Einsum: all else stays", "[einsum]") {
  check_becomes("i,j->ij", {3}, {4}, false);  // nothing is summed
  check_becomes("ij,ij->ij", {3, 4}, {3, 4}, false);
  check_becomes("ij,jk->k", {3, 4}, {4, 5}, false);  // i is summed in one operand alone
  check_becomes("iij,jk->ik", {3, 3, 4}, {4, 5}, false);
  check_becomes("bij,bjk->bik", {1, 3, 4}, {2, 4, 5}, false);  // b repeats
  GraphBuilder b(13);
  const ValueId x = b.input("x", {kUnknownDim, kUnknownDim, 4}), w = b.random("w", {4, 5});
  const Graph open = b.build({b.node("Einsum", {x, w}, {{"equation", std::string("abc,cd->dba")}})});
  CHECK(count_nodes(after_pass(open, einsum_to_matmul), "MatMul") ==
        1);  // rows of any extent need no Reshape
  GraphBuilder c(13);
  const ValueId y = c.input("y", {kUnknownDim, kUnknownDim, 4}), v = c.random("v", {4, 5, 6});
  const Graph folded = c.build({c.node("Einsum", {y, v}, {{"equation", std::string("abc,cde->abde")}})});
  CHECK(count_nodes(after_pass(folded, einsum_to_matmul), "Einsum") == 1);
}
