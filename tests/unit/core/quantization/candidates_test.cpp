// Candidates as a table of single nodes: why each cannot become integer, whatever its ranges.
#include "core/quantization/candidates.h"

#include <catch2/catch.hpp>
#include <limits>

#include "core/passes/passes.h"
#include "tests/support/graph_builder.h"

namespace quantize {

using test::GraphBuilder;

namespace {

struct Row {
  const char* name;
  ValueId (*build)(GraphBuilder& b, ValueId image, ValueId rows);
  const char* reason;  // with the target ort-x86; "": it can
};

ValueId nan_of(GraphBuilder& b, const Shape& shape) {
  Tensor tensor = test::random_tensor(shape, 1);
  tensor.mutable_data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  return b.constant("nan", std::move(tensor));
}

const Row kRows[] = {
    {"Conv",
     [](GraphBuilder& b, ValueId x, ValueId) {
       return b.node("Conv", {x, b.random("w", {2, 4, 1, 1})});
     },
     ""},
    {"Conv of three axes of weights",
     [](GraphBuilder& b, ValueId x, ValueId) {
       return b.node("Conv", {x, nan_of(b, {2, 4, 1, 1})});
     },
     "its weights are not finite f32 numbers"},
    {"Conv with a computed bias",
     [](GraphBuilder& b, ValueId x, ValueId) {
       return b.node("Conv", {x, b.random("w", {2, 4, 1, 1}), b.input("bias", {2})});
     },
     "its bias is computed"},
    {"MatMul",
     [](GraphBuilder& b, ValueId, ValueId x) {
       return b.node("MatMul", {x, b.random("w", {6, 3})});
     },
     ""},
    {"MatMul with weights on the left",
     [](GraphBuilder& b, ValueId, ValueId x) {
       return b.node("MatMul", {b.random("w", {3, 5}), x});
     },
     "its weights stand on the left"},
    {"MatMul of two activations",
     [](GraphBuilder& b, ValueId, ValueId x) {
       return b.node("MatMul", {x, b.input("other", {6, 3})});
     },
     "multiplies two activations, which attention needs exact"},
    {"Gemm, transA",
     [](GraphBuilder& b, ValueId, ValueId x) {
       return b.node("Gemm", {x, b.random("w", {5, 3})}, {{"transA", int64_t{1}}});
     },
     "transposes its activations (transA)"},
    {"Gemm, alpha",
     [](GraphBuilder& b, ValueId, ValueId x) {
       return b.node("Gemm", {x, b.random("w", {6, 3})}, {{"alpha", 2.0f}});
     },
     "scales its product or bias (alpha, beta)"},
    {"Add",
     [](GraphBuilder& b, ValueId x, ValueId) {
       return b.node("Add", {x, b.input("other", {1, 4, 8, 8})});
     },
     ""},
    {"Add of a constant",
     [](GraphBuilder& b, ValueId x, ValueId) {
       return b.node("Add", {x, b.constant("one", Tensor::scalar(1.0f))});
     },
     "reads the constant 'one'"},
    {"Relu", [](GraphBuilder& b, ValueId x, ValueId) { return b.node("Relu", {x}); },
     "stands behind no integer operator that could absorb it"},
    {"Tanh", [](GraphBuilder& b, ValueId x, ValueId) { return b.node("Tanh", {x}); },
     "ort-x86 has no integer kernel for it"},
    {"Sigmoid", [](GraphBuilder& b, ValueId x, ValueId) { return b.node("Sigmoid", {x}); }, ""},
    {"Transpose", [](GraphBuilder& b, ValueId x, ValueId) { return b.node("Transpose", {x}); }, ""},
    {"MaxPool with indices",
     [](GraphBuilder& b, ValueId x, ValueId) {
       return b.node("MaxPool", {x}, {{"kernel_shape", std::vector<int64_t>{2, 2}}});
     },
     ""},
    {"Resize by an interpolation",
     [](GraphBuilder& b, ValueId x, ValueId) {
       const ValueId scales = b.constant("scales", Tensor::of<float>({4}, {1, 1, 2, 2}));
       return b.node("Resize", {x, kNoValue, scales}, {{"mode", std::string("linear")}});
     },
     "ort-x86 has no integer kernel for it"},
    {"AveragePool that means something else on codes",
     [](GraphBuilder& b, ValueId x, ValueId) {
       return b.node("AveragePool", {x},
                     {{"kernel_shape", std::vector<int64_t>{3, 3}},
                      {"ceil_mode", int64_t{1}},
                      {"count_include_pad", int64_t{1}}});
     },
     "ort-x86 has no integer kernel for it"},
};

Candidate last_candidate(GraphBuilder& b, ValueId y, const QuantizationScheme& scheme = {}) {
  Graph graph = b.build({y});
  infer_shapes(graph);
  return find_candidates(graph, GraphIndex(graph), scheme, find_target("ort-x86")).back();
}

}  // namespace

TEST_CASE("find_candidates: why a node cannot become integer", "[candidates]") {
  for (const Row& row : kRows) {
    GraphBuilder b;
    const ValueId image = b.input("image", {1, 4, 8, 8}), rows = b.input("rows", {5, 6});
    INFO(row.name);
    CHECK(last_candidate(b, row.build(b, image, rows)).float_reason.value_or("") == row.reason);
  }
}

TEST_CASE("find_candidates: what is excluded, and what its activations are", "[candidates]") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 4, 8, 8}), other = b.input("other", {1, 4, 8, 8});
  const ValueId sum = b.node("Add", {x, other});
  CHECK(last_candidate(b, sum).activations == std::vector<ValueId>{x, other});
  QuantizationScheme scheme;
  scheme.exclude = {"^add_0$"};
  const Candidate excluded = last_candidate(b, sum, scheme);
  CHECK(excluded.is_excluded);
  CHECK(excluded.float_reason == "excluded by its name");
  const ValueId conv = b.node("Conv", {sum, b.random("w", {2, 4, 1, 1})});
  const Candidate layer = last_candidate(b, conv);
  CHECK(layer.activations == std::vector<ValueId>{sum});
  REQUIRE(layer.layout);
  CHECK(layer.layout->output_channels() == 2);
}

TEST_CASE("find_chains: nothing that is excluded is taken into a chain", "[candidates]") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 4, 8, 8});
  const ValueId y = b.node("Conv", {x, b.random("w", {4, 4, 1, 1})});
  const ValueId sum = b.node("Add", {b.node("Mul", {y, b.node("Sigmoid", {y})}), x});
  Graph graph = b.build({sum});
  infer_shapes(graph);
  const GraphIndex index(graph);
  const auto links_with = [&](const char* excluded, const char* name) {
    QuantizationScheme scheme;
    if (excluded != nullptr) scheme.exclude_op_types = {excluded};
    const TargetProfile& target = find_target(name);
    const auto candidates = find_candidates(graph, index, scheme, target);
    return find_chains(graph, index, candidates, target).of(0).links().size();
  };
  CHECK(links_with(nullptr, "native") == 2);  // the function and the addition
  CHECK(links_with("Add", "native") == 1);
  CHECK(links_with("Sigmoid", "native") == 0);
  CHECK(links_with("Conv", "native") == 0);
  CHECK(links_with(nullptr, "ort-x86") == 0);
}

}  // namespace quantize
