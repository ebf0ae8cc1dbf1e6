// Storage as a table of small integer graphs: which values lie as pixels, in whose bytes, with which border.
#include "core/engine/assign_storage.h"

#include <catch2/catch.hpp>

#include "core/integer/lowering.h"
#include "tests/support/quantized_graph.h"

namespace quantize {

using test::GraphBuilder;

namespace {

using Ints = std::vector<int64_t>;

struct Laid {
  Graph graph;
  std::vector<Storage> storage;

  /// That of the first output of the nth node of a type.
  const Storage& of(const std::string& op_type, size_t nth = 0) const {
    for (const Node& node : graph.nodes)
      if (node.op_type == op_type && nth-- == 0) return storage[static_cast<size_t>(node.outputs[0])];
    throw std::out_of_range(op_type);
  }
  size_t count(const std::string& op_type) const { return test::count_nodes(graph, op_type); }
};

struct Net {
  GraphBuilder b{20};
  ValueId x = b.input("x", {2, 3, 6, 5});

  ValueId conv(ValueId id, int64_t inputs, int64_t outputs, int64_t kernel = 1) {
    const int64_t pad = kernel / 2;
    return b.node("Conv", {id, b.random("w", {outputs, inputs, kernel, kernel})},
                  {{"pads", Ints{pad, pad, pad, pad}}});
  }
  Laid lay(std::vector<ValueId> outputs) {
    Graph graph = lower_to_qoperator(test::quantized_graph(b.build(std::move(outputs)), "ort-x86"));
    infer_shapes(graph);
    relabel_signed(graph);
    std::vector<Storage> storage = assign_storage(graph, {});
    validate(graph);
    return {std::move(graph), std::move(storage)};
  }
};

}  // namespace

TEST_CASE("assign_storage: images between convolutions lie as pixels, with the border that is read",
          "[storage]") {
  Net n;
  const ValueId first = n.conv(n.x, 3, 8);
  const Laid laid = n.lay({n.conv(first, 8, 4, 3)});
  const Storage& image = laid.of("QLinearConv", 0);
  CHECK(image.pixels);
  CHECK((image.images == 2 && image.channels == 8 && image.height == 6 && image.width == 5));
  CHECK((image.halo.top == 1 && image.halo.left == 1 && image.halo.bottom == 1 && image.halo.right == 1));
  CHECK(image.pixel_stride == 8);
  CHECK(image.row_stride == 7 * 8);
  CHECK(image.image_stride == 8 * 7 * 8);
  CHECK(image.offset == 7 * 8 + 8);
}

TEST_CASE("assign_storage: what is joined is computed into its place", "[storage]") {
  Net n;
  const ValueId joined = n.b.node("Concat", {n.conv(n.x, 3, 8), n.conv(n.x, 3, 5)}, {{"axis", int64_t{1}}});
  const Laid laid = n.lay({n.conv(joined, 13, 4)});
  const Storage &first = laid.of("QLinearConv", 0), &second = laid.of("QLinearConv", 1),
                &whole = laid.of("QLinearConcat");
  CHECK(whole.pixel_stride == 13);
  CHECK(first.root == whole.root);
  CHECK(second.root == whole.root);
  CHECK(first.offset == whole.offset);
  CHECK(second.offset == whole.offset + 8);
  CHECK(second.pixel_stride == 13);
}

TEST_CASE("assign_storage: the pieces of a split are channels of the whole", "[storage]") {
  Net n;
  const auto parts =
      n.b.nodes("Split", {n.conv(n.x, 3, 8)}, 2, {{"axis", int64_t{1}}, {"num_outputs", int64_t{2}}});
  const Laid laid = n.lay({n.conv(parts[0], 4, 4), n.conv(parts[1], 4, 4)});
  const Storage &whole = laid.of("QLinearConv", 0), &part = laid.of("Split");
  CHECK(part.root == whole.root);
  CHECK(part.pixel_stride == 8);
}

TEST_CASE("assign_storage: layouts change where operators disagree, once per value", "[storage]") {
  Net n;
  const ValueId image = n.conv(n.x, 3, 8);
  const ValueId turned = n.b.node("Transpose", {image}, {{"perm", Ints{0, 3, 2, 1}}});
  const ValueId again = n.b.node("Transpose", {image}, {{"perm", Ints{0, 2, 1, 3}}});
  const Laid laid = n.lay({n.conv(turned, 5, 4), n.conv(again, 6, 4)});
  CHECK(laid.of("QLinearConv", 0).pixels);
  CHECK(laid.count("ToRowMajor") <= 1);
  for (const Node& node : laid.graph.nodes) {
    if (node.op_type != "Transpose") continue;
    CHECK(laid.storage[static_cast<size_t>(node.inputs[0])].pixels ==
          laid.storage[static_cast<size_t>(node.outputs[0])].pixels);
  }
}

TEST_CASE("assign_storage: inputs, outputs and values that are kept stay row-major", "[storage]") {
  Net n;
  const ValueId first = n.conv(n.x, 3, 8);
  const Laid laid = n.lay({n.conv(first, 8, 4), first});
  for (ValueId id : laid.graph.inputs) CHECK(!laid.storage[static_cast<size_t>(id)].pixels);
  for (ValueId id : laid.graph.outputs) CHECK(!laid.storage[static_cast<size_t>(id)].pixels);
}

}  // namespace quantize
