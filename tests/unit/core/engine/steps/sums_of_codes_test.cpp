// ConvInteger and MatMulInteger as the engine runs them, against the reference.
#include <catch2/catch.hpp>

#include "core/engine/engine.h"
#include "tests/support/graph_builder.h"
#include "tests/support/quantized_graph.h"

using namespace quantize;
using test::GraphBuilder;

namespace {

/// Codes of u8 or s8; those of weights stay so near to the middle that less a zero point they are codes of s8, too.
Tensor codes(DataType dtype, const Shape& shape, int seed, int most = 255) {
  Tensor tensor(dtype, shape);
  for (int64_t i = 0; i < tensor.size(); ++i) {
    const auto number = static_cast<int>((i * 7919 + seed) * 104729 % 65521 % (most + 1));
    const int code = number - most / 2 + (dtype == DataType::kU8 ? 128 : 0);
    static_cast<uint8_t*>(tensor.mutable_bytes())[i] = static_cast<uint8_t>(std::max(code, -128));
  }
  return tensor;
}

Tensor zero_points(DataType dtype, const std::vector<int>& points) {
  Tensor tensor(dtype, points.size() == 1 ? Shape{} : Shape{static_cast<int64_t>(points.size())});
  for (size_t i = 0; i < points.size(); ++i)
    static_cast<uint8_t*>(tensor.mutable_bytes())[i] = static_cast<uint8_t>(points[i]);
  return tensor;
}

void check_at_every_level(const Graph& graph, const std::vector<Tensor>& inputs) {
  const std::vector<Tensor> expected = test::reference_outputs(graph, inputs);
  for (Isa isa : supported_isas())
    for (int threads : {1, 3}) {
      INFO("isa " << name_of(isa) << ", " << threads << " threads");
      Engine engine(graph, {.kernels = &kernels_for(isa), .threads = threads});
      CHECK(equal(engine.run(inputs)[0], expected[0]));
    }
}

struct Types {
  DataType a, b;
  int a_zero;
  std::vector<int> b_zero;
};

Types types() {
  using enum DataType;
  return GENERATE(Types{kU8, kS8, 0, {0}}, Types{kU8, kS8, 7, {3}}, Types{kS8, kS8, -9, {-5}},
                  Types{kU8, kU8, 200, {128}}, Types{kS8, kU8, 127, {100}},
                  Types{kU8, kS8, 255, {0, 5, -7, 9, 2, 0, 1, 3}});
}

struct Form {
  Shape x, w;
  std::map<std::string, Attribute> attributes;
};

std::vector<int64_t> numbers(std::initializer_list<int64_t> list) {
  return list;
}

}  // namespace

TEST_CASE("ConvInteger: every window, type and zero point, at every level", "[sums_of_codes]") {
  const Types type = types();
  const Form form = GENERATE(
      Form{{2, 6, 9, 11}, {8, 6, 3, 3}, {{"pads", numbers({1, 0, 1, 2})}, {"strides", numbers({2, 1})}}},
      Form{{2, 6, 9, 11}, {8, 3, 3, 2}, {{"group", int64_t{2}}, {"dilations", numbers({2, 3})}}},
      Form{{1, 8, 30, 23}, {8, 1, 3, 3}, {{"group", int64_t{8}}, {"pads", numbers({1, 1, 1, 1})}}},
      Form{{1, 70, 5, 5}, {8, 70, 1, 1}, {}}, Form{{1, 3, 50}, {8, 3, 4}, {{"pads", numbers({5, 1})}}},
      Form{{1, 3, 5, 6, 7}, {8, 3, 2, 3, 3}, {{"pads", numbers({1, 1, 1, 0, 1, 1})}}});
  GraphBuilder b(13);
  const ValueId x = b.input("x", form.x, type.a), zero = b.input("x_zero", {}, type.a);
  const ValueId y = b.node("ConvInteger",
                           {x, b.constant("w", codes(type.b, form.w, 3, 180)), zero,
                            b.constant("w_zero", zero_points(type.b, type.b_zero))},
                           form.attributes);
  check_at_every_level(b.build({y}), {codes(type.a, form.x, 5), zero_points(type.a, {type.a_zero})});
}

TEST_CASE("MatMulInteger: every type and zero point, rows in blocks, at every level", "[sums_of_codes]") {
  const Types type = types();
  const Shape shape = GENERATE(Shape{3, 5, 70}, Shape{1, 70}, Shape{2100, 70});
  GraphBuilder b(13);
  const ValueId x = b.input("x", shape, type.a), zero = b.input("x_zero", {}, type.a);
  const ValueId y = b.node("MatMulInteger", {x, b.constant("w", codes(type.b, {70, 8}, 3, 180)), zero,
                                             b.constant("w_zero", zero_points(type.b, type.b_zero))});
  check_at_every_level(b.build({y}), {codes(type.a, shape, 5), zero_points(type.a, {type.a_zero})});
}

TEST_CASE("sums of codes beyond what f32 holds are exact", "[sums_of_codes]") {
  const int code = GENERATE(255, 0);
  Tensor x(DataType::kU8, {2, 3001}), w(DataType::kS8, {3001, 5});
  std::fill_n(x.mutable_data<uint8_t>(), x.size(), static_cast<uint8_t>(255));
  std::fill_n(w.mutable_data<int8_t>(), w.size(), static_cast<int8_t>(code == 0 ? -128 : 127));
  x.mutable_data<uint8_t>()[1] = 254;  // an odd sum
  GraphBuilder b(13);
  const ValueId a = b.input("x", {2, 3001}, DataType::kU8);
  check_at_every_level(b.build({b.node("MatMulInteger", {a, b.constant("w", w)})}), {x});
}

TEST_CASE("weights that s8 does not hold less their zero point are left to the reference",
          "[sums_of_codes]") {
  GraphBuilder b(13);
  const ValueId x = b.input("x", {2, 9}, DataType::kU8);
  const ValueId none = b.constant("x_zero", zero_points(DataType::kU8, {0}));
  const ValueId y = b.node("MatMulInteger", {x, b.constant("w", codes(DataType::kU8, {9, 4}, 3)), none,
                                             b.constant("w_zero", zero_points(DataType::kU8, {0}))});
  check_at_every_level(b.build({y}), {codes(DataType::kU8, {2, 9}, 5)});
}
