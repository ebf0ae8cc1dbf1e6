// Chains as a table of small graphs: what stands behind the convolution `y` of an image, and which of it is taken.
#include "core/fusion/chain.h"

#include <catch2/catch.hpp>

#include "core/ops/op.h"
#include "core/passes/passes.h"
#include "tests/support/graph_builder.h"

namespace quantize {

using test::GraphBuilder;

namespace {

const ChainRules kReals{.clamp = true, .function = true, .addition = true};

/// A graph with two convolutions of one image, of which `build` makes the outputs.
struct Fixture {
  GraphBuilder b;
  ValueId x = b.input("x", {1, 4, 6, 6});
  ValueId residual = conv(), y = conv();

  ValueId conv() { return b.node("Conv", {x, b.random("w", {4, 4, 1, 1})}); }
  ValueId scalar(float number) { return b.constant("c", Tensor::scalar(number)); }
  ValueId silu(ValueId id) { return b.node("Mul", {id, b.node("Sigmoid", {id})}); }

  Graph build(std::vector<ValueId> outputs) {
    Graph graph = b.build(std::move(outputs));
    infer_shapes(graph);
    return graph;
  }
};

/// The operators of a chain, "Sigmoid Mul Add".
std::string text(const Graph& graph, const Chain& chain) {
  std::string result;
  for (NodeId n : chain.nodes())
    result += (result.empty() ? "" : " ") + graph.nodes[static_cast<size_t>(n)].op_type;
  return result;
}

std::string chain_of(const Graph& graph, const std::string& anchor, const ChainRules& rules) {
  return text(graph, chain_behind(graph, GraphIndex(graph), graph.find_value(anchor), rules));
}

struct Row {
  const char* name;
  ValueId (*build)(Fixture& f);
  const char* reals;      // with all parts that stand on reals
  const char* clamps;     // with clamps alone
  const char* functions;  // with functions, and clamps behind them
};
const Row kRows[] = {
    {"nothing", [](Fixture& f) { return f.y; }, "", "", ""},
    {"clamp", [](Fixture& f) { return f.b.node("Relu", {f.y}); }, "Relu", "Relu", "Relu"},
    {"two clamps", [](Fixture& f) { return f.b.node("Relu", {f.b.node("Relu", {f.y})}); }, "Relu", "Relu",
     "Relu"},
    {"function", [](Fixture& f) { return f.silu(f.y); }, "Sigmoid Mul", "", "Sigmoid Mul"},
    {"clamp behind a function", [](Fixture& f) { return f.b.node("Relu", {f.silu(f.y)}); }, "Sigmoid Mul", "",
     "Sigmoid Mul Relu"},
    {"function behind a clamp", [](Fixture& f) { return f.silu(f.b.node("Relu", {f.y})); }, "Relu", "Relu",
     "Relu"},
    {"addition",
     [](Fixture& f) {
       return f.b.node("Add", {f.y, f.residual});
     },
     "Add", "", ""},
    {"addition, the other way round",
     [](Fixture& f) {
       return f.b.node("Add", {f.residual, f.y});
     },
     "Add", "", ""},
    {"addition of itself",
     [](Fixture& f) {
       return f.b.node("Add", {f.y, f.y});
     },
     "", "", ""},
    {"addition of a constant",
     [](Fixture& f) {
       return f.b.node("Add", {f.y, f.scalar(1)});
     },
     "", "", ""},
    {"clamp behind an addition",
     [](Fixture& f) {
       return f.b.node("Relu", {f.b.node("Add", {f.y, f.residual})});
     },
     "Add Relu", "", ""},
    {"all parts",
     [](Fixture& f) {
       return f.b.node("Relu", {f.b.node("Add", {f.silu(f.y), f.residual})});
     },
     "Sigmoid Mul Add Relu", "", "Sigmoid Mul"},
    {"function behind an addition",
     [](Fixture& f) {
       return f.silu(f.b.node("Add", {f.y, f.residual}));
     },
     "Add", "", ""},
    {"a clamp with a computed bound",
     [](Fixture& f) {
       return f.b.node("Clip", {f.y, f.b.input("bound", {})});
     },
     "", "", ""},
};

}  // namespace

TEST_CASE("chain_behind: what is taken") {
  for (const Row& row : kRows) {
    Fixture f;
    const ValueId result = row.build(f);
    const Graph graph = f.build({result, f.residual});
    const std::string y = graph.value(f.y).name;
    INFO(row.name);
    CHECK(chain_of(graph, y, kReals) == (result == f.y ? "" : row.reals));
    CHECK(chain_of(graph, y, {.clamp = true}) == row.clamps);
    CHECK(chain_of(graph, y, {.clamp = true, .function = true, .clamp_behind_function = true}) ==
          row.functions);
    CHECK(chain_of(graph, y, {}).empty());
  }
}

TEST_CASE("chain_behind: nothing that others see is hidden") {
  Fixture f;
  const ValueId inner = f.b.node("Sigmoid", {f.y}), silu = f.b.node("Mul", {f.y, inner});
  const ValueId sum = f.b.node("Add", {silu, f.residual}), result = f.b.node("Relu", {sum});
  const Graph graph = f.build({result});
  const auto with_kept = [&](ValueId id, bool hides_anchor = true) {
    std::vector<bool> keep(graph.values.size(), false);
    keep[static_cast<size_t>(id)] = true;
    ChainRules rules = kReals;
    rules.keep = &keep;
    rules.hides_anchor = hides_anchor;
    return chain_of(graph, graph.value(f.y).name, rules);
  };
  CHECK(with_kept(f.residual) == "Sigmoid Mul Add Relu");
  CHECK(with_kept(result) == "Sigmoid Mul Add Relu");
  CHECK(with_kept(sum) == "Sigmoid Mul Add");
  CHECK(with_kept(silu) == "Sigmoid Mul");
  CHECK(with_kept(inner).empty());
  CHECK(with_kept(f.y).empty());
  CHECK(with_kept(f.y, false) == "Sigmoid Mul Add Relu");
  SECTION("an output within is one that others see") {
    Graph two = graph;
    two.outputs.push_back(silu);
    CHECK(chain_of(two, two.value(f.y).name, kReals) == "Sigmoid Mul");
  }
  SECTION("and what the rules refuse ends the chain") {
    ChainRules rules = kReals;
    rules.takes = [](ChainPart part, NodeId) { return part != ChainPart::kAddition; };
    CHECK(chain_of(graph, graph.value(f.y).name, rules) == "Sigmoid Mul");
    rules.takes = [&](ChainPart, NodeId n) { return graph.nodes[static_cast<size_t>(n)].op_type != "Mul"; };
    CHECK(chain_of(graph, graph.value(f.y).name, rules).empty());
  }
}

TEST_CASE("chain_behind: a shield is a clamp where the rules say so") {
  Fixture f;
  const ValueId shield = f.b.node("Max", {f.y, f.scalar(std::numeric_limits<float>::lowest())});
  const ValueId zero = f.b.constant("zero", Tensor::of<uint8_t>({}, {0}));
  const Graph graph = f.build({f.b.node("QuantizeLinear", {shield, f.scalar(0.1f), zero}), f.residual});
  CHECK(chain_of(graph, graph.value(f.y).name, {.clamp = true}) == "Max");
  CHECK(chain_of(graph, graph.value(f.y).name, {.clamp = true, .shield = false}).empty());
}

TEST_CASE("chain_behind: on codes, an addition and a table") {
  GraphBuilder b;
  const ValueId x = b.input("x", {1, 4, 6, 6}, DataType::kU8), y = b.input("y", {1, 4, 6, 6}, DataType::kU8);
  const ValueId scale = b.constant("scale", Tensor::scalar(0.1f));
  const ValueId zero = b.constant("zero", Tensor::of<uint8_t>({}, {3}));
  const ValueId sum = b.node("QLinearAdd", {x, scale, zero, y, scale, zero, scale, zero});
  b.graph().nodes.back().domain = "com.microsoft";
  b.graph().info.opsets["com.microsoft"] = 1;
  const ValueId table = b.constant("table", Tensor(DataType::kU8, {256}));
  const ValueId result = b.node("LookupTable", {sum, table});
  b.graph().nodes.back().domain = kEngineDomain;
  Graph graph = b.build({result});
  graph.value(sum).shape = graph.value(x).shape;
  const GraphIndex index(graph);
  const ChainRules rules{.addition = true, .table = true};
  for (const ValueId anchor : {x, y}) {
    const Chain chain = chain_behind(graph, index, anchor, rules);
    CHECK(text(graph, chain) == "QLinearAdd LookupTable");
    REQUIRE(chain.addition);
    CHECK(chain.addition->other == (anchor == x ? y : x));
    CHECK(chain.addition->other_first == (anchor == y));
  }
  CHECK(text(graph, chain_behind(graph, index, sum, rules)) == "LookupTable");
}

TEST_CASE("Chains: an addition belongs to the later of two anchors") {
  Fixture f;
  const ValueId sum = f.b.node("Add", {f.y, f.residual}), result = f.b.node("Relu", {sum});
  const Graph graph = f.build({result});
  const GraphIndex index(graph);
  const auto convs_only = [&](bool late) {
    return [&graph, late](NodeId n) {
      ChainRules rules = kReals;
      rules.late_residual = late;
      return graph.nodes[static_cast<size_t>(n)].op_type == "Conv" ? rules : ChainRules{};
    };
  };
  const Chains chains(graph, index, convs_only(true));
  const NodeId early = index.producer(f.residual), late = index.producer(f.y), add = index.producer(sum);
  CHECK(chains.of(early).links().empty());
  CHECK(chains.of(late).links() == std::vector<NodeId>{add, index.producer(result)});
  CHECK(chains.before(add) == late);
  CHECK(chains.before(index.producer(result)) == add);
  CHECK(chains.before(late) == kNoNode);
  SECTION("to the earlier one if others see what the later makes") {
    Graph seen = graph;
    seen.outputs.push_back(f.y);
    const Chains others(seen, GraphIndex(seen), convs_only(true));
    CHECK(others.of(early).addition);
    CHECK(!others.of(late).addition);
  }
}

TEST_CASE("Chains: behind a function the residual has to be there before the anchor, if the rules say so") {
  Fixture f;
  const ValueId silu = f.silu(f.residual), late = f.b.node("Add", {silu, f.y});
  const Graph graph = f.build({late, f.y});
  const GraphIndex index(graph);
  ChainRules rules = kReals;
  CHECK(text(graph, chain_behind(graph, index, f.residual, rules)) == "Sigmoid Mul Add");
  rules.late_residual = false;
  CHECK(text(graph, chain_behind(graph, index, f.residual, rules)) == "Sigmoid Mul");
}

}  // namespace quantize
