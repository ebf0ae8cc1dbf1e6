// Gemm, MatMul, Softmax, LogSoftmax and Sigmoid against plain loops in double.
#include <catch2/catch.hpp>

#include "core/error.h"
#include "tests/support/graph_builder.h"
#include "tests/support/reference.h"

using namespace quantize;
using namespace quantize::test;

namespace {

using Attributes = std::map<std::string, Attribute>;

std::vector<Tensor> run_on(const Graph& graph, const std::vector<Tensor>& inputs, Isa isa) {
  CompileOptions options;
  options.kernels = &kernels_for(isa);
  Engine engine(graph, options);
  return engine.run(inputs);
}

/// An operand that is a graph input or a constant.
ValueId operand(GraphBuilder& b, const std::string& name, const Shape& shape, bool constant) {
  return constant ? b.random(name, shape) : b.input(name, shape);
}

/// Element of the operand as it was built, whichever it is.
float element(const Graph& graph, const std::vector<Tensor>& inputs, ValueId id, int64_t index) {
  if (const Tensor* tensor = graph.constant(id)) return tensor->data<float>()[index];
  const auto position = std::find(graph.inputs.begin(), graph.inputs.end(), id) - graph.inputs.begin();
  return inputs[static_cast<size_t>(position)].data<float>()[index];
}

/// Sums of up to 100 products of numbers below 1.
bool close(const Tensor& actual, const Tensor& expected) {
  bool result = actual.shape() == expected.shape();
  for (int64_t i = 0; result && i < expected.size(); ++i)
    result = std::abs(actual.data<float>()[i] - expected.data<float>()[i]) < 1e-5f;
  return result;
}

struct GemmCase {
  int64_t m, n, k;
  bool trans_a, trans_b;
  Shape c_shape;
  bool constant;  // B and C
};

void check_gemm(const GemmCase& gemm) {
  const auto& [m, n, k, trans_a, trans_b, c_shape, constant] = gemm;
  INFO("m " << m << " n " << n << " k " << k << " transA " << trans_a << " transB " << trans_b << " C "
            << to_string(c_shape) << " constant " << constant);
  GraphBuilder b;
  const ValueId x = b.input("a", trans_a ? Shape{k, m} : Shape{m, k});
  const ValueId w = operand(b, "b", trans_b ? Shape{n, k} : Shape{k, n}, constant);
  const ValueId c = operand(b, "c", c_shape, constant);
  const Graph graph = b.build({b.node(
      "Gemm", {x, w, c},
      {{"transA", int64_t{trans_a}}, {"transB", int64_t{trans_b}}, {"alpha", 0.5f}, {"beta", -2.0f}})});
  const auto inputs = random_inputs(graph);
  Tensor expected(DataType::kF32, {m, n});
  const int64_t rows = c_shape.size() == 2 ? c_shape[0] : 1, columns = c_shape.empty() ? 1 : c_shape.back();
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t l = 0; l < k; ++l)
        sum += static_cast<double>(element(graph, inputs, x, trans_a ? l * m + i : i * k + l)) *
               static_cast<double>(element(graph, inputs, w, trans_b ? j * k + l : l * n + j));
      const int64_t at = (rows == 1 ? 0 : i) * columns + (columns == 1 ? 0 : j);
      expected.mutable_data<float>()[i * n + j] =
          static_cast<float>(0.5 * sum - 2.0 * static_cast<double>(element(graph, inputs, c, at)));
    }
  CHECK(close(evaluate_reference(graph, inputs), expected));
  for (Isa isa : supported_isas()) {
    INFO("isa " << name_of(isa));
    CHECK(close(run_on(graph, inputs, isa)[0], expected));
  }
}

/// Products of matrices of m x k by k x n.
struct MatMulCase {
  Shape a, b_shape, output;
  std::vector<int64_t> a_matrices, b_matrices;  // of each operand: which one makes the i-th of the output
  int64_t m, n, k;
  bool constant;  // B
};

/// numpy.matmul.
void check_matmul(const MatMulCase& product) {
  const auto& [a, b_shape, output, a_matrices, b_matrices, m, n, k, constant] = product;
  INFO(to_string(a) << " times " << to_string(b_shape) << " constant " << constant);
  GraphBuilder b;
  const ValueId x = b.input("a", a), w = operand(b, "b", b_shape, constant);
  const Graph graph = b.build({b.node("MatMul", {x, w})});
  const auto inputs = random_inputs(graph);
  Tensor expected(DataType::kF32, output);
  float* y = expected.mutable_data<float>();
  for (size_t batch = 0; batch < a_matrices.size(); ++batch)
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        double sum = 0;
        for (int64_t l = 0; l < k; ++l)
          sum += static_cast<double>(element(graph, inputs, x, (a_matrices[batch] * m + i) * k + l)) *
                 static_cast<double>(element(graph, inputs, w, (b_matrices[batch] * k + l) * n + j));
        *y++ = static_cast<float>(sum);
      }
  CHECK(close(evaluate_reference(graph, inputs), expected));
  for (Isa isa : supported_isas()) {
    INFO("isa " << name_of(isa));
    const Tensor actual = run_on(graph, inputs, isa)[0];
    REQUIRE(actual.shape() == output);
    CHECK(close(actual, expected));
  }
}

/// Softmax of x seen as [outer][length][inner].
Tensor brute_softmax(const Tensor& x, int64_t outer, int64_t length, int64_t inner, bool log) {
  Tensor y(DataType::kF32, x.shape());
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < inner; ++i) {
      const auto at = [&](int64_t k) { return (o * length + k) * inner + i; };
      double sum = 0;
      for (int64_t k = 0; k < length; ++k) sum += std::exp(static_cast<double>(x.data<float>()[at(k)]));
      for (int64_t k = 0; k < length; ++k) {
        const double value = x.data<float>()[at(k)];
        y.mutable_data<float>()[at(k)] =
            static_cast<float>(log ? value - std::log(sum) : std::exp(value) / sum);
      }
    }
  return y;
}

void check_softmax(int64_t opset, const Shape& shape, const Attributes& attributes, int64_t outer,
                   int64_t length, int64_t inner) {
  INFO("opset " << opset << " shape " << to_string(shape) << " length " << length);
  const Tensor x = random_tensor(shape, 5, -8.0f, 8.0f);
  GraphBuilder b(opset);
  const ValueId input = b.input("x", shape);
  const ValueId plain = b.node("Softmax", {input}, attributes);
  const Graph graph = b.build({plain, b.node("LogSoftmax", {input}, attributes)});
  for (Isa isa : supported_isas()) {
    const auto outputs = run_on(graph, {x}, isa);
    CHECK(relative_difference(outputs[0], brute_softmax(x, outer, length, inner, false)) < 1e-6);
    CHECK(relative_difference(outputs[1], brute_softmax(x, outer, length, inner, true)) < 1e-6);
  }
}

ErrorKind error_of(const std::string& op_type, const std::vector<Shape>& shapes,
                   const Attributes& attributes = {}) {
  try {
    GraphBuilder b;
    std::vector<ValueId> inputs;
    for (const Shape& shape : shapes)
      inputs.push_back(b.input(std::string("x").append(std::to_string(inputs.size())), shape));
    const Graph graph = b.build({b.node(op_type, inputs, attributes)});
    run_graph(graph, random_inputs(graph));
  } catch (const Error& error) {
    return error.kind();
  }
  return ErrorKind::kInternal;
}

}  // namespace

TEST_CASE("Gemm equals alpha * op(a) * op(b) + beta * c") {
  for (bool constant : {false, true})
    for (bool trans_a : {false, true})
      for (bool trans_b : {false, true}) {
        check_gemm({1, 10, 84, trans_a, trans_b, {10}, constant});
        check_gemm({5, 7, 3, trans_a, trans_b, {5, 7}, constant});
        check_gemm({9, 100, 33, trans_a, trans_b, {9, 1}, constant});
        check_gemm({17, 49, 64, trans_a, trans_b, {1, 49}, constant});
        check_gemm({2, 1, 1, trans_a, trans_b, {}, constant});
        check_gemm({3, 48, 20, trans_a, trans_b, {1}, constant});
      }
}

TEST_CASE("Gemm and MatMul apply the clamp behind them") {
  for (bool constant : {false, true}) {
    GraphBuilder b;
    const ValueId x = b.input("x", {5, 7});
    const ValueId w = operand(b, "w", {7, 20}, constant), c = operand(b, "c", {5, 1}, constant);
    const Graph graph =
        b.build({b.node("Relu", {b.node("Gemm", {x, w, c})}), b.node("Relu", {b.node("MatMul", {x, w})}),
                 b.node("Gemm", {x, w, c}), b.node("MatMul", {x, w})});
    const auto outputs = run_graph(graph, random_inputs(graph));
    for (size_t i : {0, 1})
      for (int64_t j = 0; j < outputs[i].size(); ++j)
        REQUIRE(outputs[i].data<float>()[j] == std::max(outputs[i + 2].data<float>()[j], 0.0f));
  }
}

TEST_CASE("Gemm without C") {
  GraphBuilder b;
  const Graph graph = b.build(
      {b.node("Gemm", {b.input("a", {2, 3}), b.constant("b", Tensor::of<float>({3, 1}, {1, 2, 3}))})});
  const Tensor y = run_graph(graph, {Tensor::of<float>({2, 3}, {1, 1, 1, 2, 0, 1})})[0];
  CHECK(equal(y, Tensor::of<float>({2, 1}, {6, 5})));
}

TEST_CASE("MatMul broadcasts batches as numpy does") {
  for (bool constant : {false, true}) {
    check_matmul({{3, 4}, {4, 5}, {3, 5}, {0}, {0}, 3, 5, 4, constant});
    check_matmul({{4}, {4, 50}, {50}, {0}, {0}, 1, 50, 4, constant});
    check_matmul({{3, 4}, {4}, {3}, {0}, {0}, 3, 1, 4, constant});
    check_matmul({{4}, {4}, {}, {0}, {0}, 1, 1, 4, constant});
    check_matmul({{2, 17, 20}, {20, 49}, {2, 17, 49}, {0, 1}, {0, 0}, 17, 49, 20, constant});
    check_matmul(
        {{2, 1, 3, 4}, {3, 4, 2}, {2, 3, 3, 2}, {0, 0, 0, 1, 1, 1}, {0, 1, 2, 0, 1, 2}, 3, 2, 4, constant});
    check_matmul({{1, 9, 7}, {2, 7, 33}, {2, 9, 33}, {0, 0}, {0, 1}, 9, 33, 7, constant});
    check_matmul({{5}, {2, 5, 3}, {2, 3}, {0, 0}, {0, 1}, 1, 3, 5, constant});
    check_matmul({{2, 8, 5}, {5}, {2, 8}, {0, 1}, {0, 0}, 8, 1, 5, constant});
  }
}

TEST_CASE("Matrices that do not fit are refused") {
  CHECK(error_of("MatMul", {{2, 3}, {4, 5}}) == ErrorKind::kInvalidModel);
  CHECK(error_of("MatMul", {{2, 3, 4}, {3, 4, 5}}) == ErrorKind::kInvalidModel);
  CHECK(error_of("MatMul", {{}, {4, 5}}) == ErrorKind::kInvalidModel);
  CHECK(error_of("Gemm", {{2, 3}, {4, 5}}) == ErrorKind::kInvalidModel);
  CHECK(error_of("Gemm", {{2, 3}, {3, 5}, {3, 5}}) == ErrorKind::kInvalidModel);
  CHECK(error_of("Gemm", {{2, 3, 1}, {3, 5}}) == ErrorKind::kInvalidModel);
}

TEST_CASE("QGemm adds a C of every shape that broadcasts") {
  const auto [c_shape, expected] = GENERATE(table<Shape, std::vector<uint8_t>>({
      {{}, {20, 23, 26, 29, 35, 41, 38, 47, 56}},
      {{1}, {20, 23, 26, 29, 35, 41, 38, 47, 56}},
      {{3}, {20, 43, 66, 29, 55, 81, 38, 67, 96}},
      {{1, 3}, {20, 43, 66, 29, 55, 81, 38, 67, 96}},
      {{3, 1}, {20, 23, 26, 49, 55, 61, 78, 87, 96}},
      {{3, 3}, {20, 43, 66, 89, 115, 141, 158, 187, 216}},
  }));
  GraphBuilder b;
  b.graph().info.opsets["com.microsoft"] = 1;
  const ValueId x = b.input("x", {3, 2}, DataType::kU8), one = b.constant("one", Tensor::scalar(1.0f));
  const ValueId z = b.constant("z", Tensor::scalar(uint8_t{0}));
  const ValueId w = b.constant("w", Tensor::of<int8_t>({2, 3}, {1, 2, 3, 4, 5, 6}));
  const ValueId wz = b.constant("wz", Tensor::scalar(int8_t{0}));
  std::vector<int32_t> c(static_cast<size_t>(element_count(c_shape)));
  for (size_t i = 0; i < c.size(); ++i) c[i] = 11 + 20 * static_cast<int32_t>(i);
  const ValueId y = b.node("QGemm", {x, one, z, w, one, wz, b.constant("c", Tensor::of(c_shape, c)), one, z});
  b.graph().nodes.back().domain = "com.microsoft";
  const Graph graph = b.build({y});
  const Tensor result = run_graph(graph, {Tensor::of<uint8_t>({3, 2}, {1, 2, 2, 4, 3, 6})})[0];
  CHECK(equal(result, Tensor::of<uint8_t>({3, 3}, expected)));
}

TEST_CASE("Softmax works along one axis from opset 13 on, and on a matrix before") {
  check_softmax(13, {2, 3, 5}, {}, 6, 5, 1);
  check_softmax(13, {2, 3, 5}, {{"axis", int64_t{1}}}, 2, 3, 5);
  check_softmax(13, {2, 3, 5}, {{"axis", int64_t{-3}}}, 1, 2, 15);
  check_softmax(21, {1, 1000}, {}, 1, 1000, 1);
  check_softmax(11, {2, 3, 5}, {}, 2, 15, 1);
  check_softmax(11, {2, 3, 5}, {{"axis", int64_t{0}}}, 1, 30, 1);
  check_softmax(11, {2, 3, 5}, {{"axis", int64_t{-1}}}, 6, 5, 1);
  CHECK(error_of("Softmax", {{2, 3}}, {{"axis", int64_t{2}}}) == ErrorKind::kInvalidModel);
}

TEST_CASE("Softmax of large numbers does not overflow") {
  GraphBuilder b;
  const Graph graph = b.build({b.node("Softmax", {b.input("x", {1, 3})})});
  const Tensor y = run_graph(graph, {Tensor::of<float>({1, 3}, {3000, 3000, -3000})})[0];
  CHECK(equal(y, Tensor::of<float>({1, 3}, {0.5f, 0.5f, 0})));
}

TEST_CASE("Sigmoid") {
  GraphBuilder b;
  const Graph graph = b.build({b.node("Sigmoid", {b.input("x", {37})})});
  const Tensor x = random_tensor({37}, 2, -20, 20);
  const Tensor y = run_graph(graph, {x})[0];
  for (int64_t i = 0; i < 37; ++i)
    CHECK(y.data<float>()[i] ==
          Approx(1 / (1 + std::exp(-static_cast<double>(x.data<float>()[i])))).epsilon(1e-6));
}
