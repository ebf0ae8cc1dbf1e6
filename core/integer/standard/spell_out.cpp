#include "core/integer/standard/spell_out.h"

#include <algorithm>
#include <string_view>

#include "core/error.h"
#include "core/integer/forms.h"
#include "core/integer/standard/standard_writer.h"
#include "core/passes/passes.h"

namespace quantize {

namespace {

struct Spelling {
  std::string_view op_type;
  void (*write)(StandardWriter& writer);
};

constexpr Spelling kSpellings[] = {
    {"MatMulIntegerToFloat", spell_real_matmul},
    {"QGemm", spell_gemm},
    {"QLinearAdd", spell_add},
    {"QLinearAveragePool", spell_average_pool},
    {"QLinearConcat", spell_concat},
    {"QLinearConv", spell_conv},
    {"QLinearGlobalAveragePool", spell_global_pool},
    {"QLinearLeakyRelu", spell_function},
    {"QLinearMatMul", spell_matmul},
    {"QLinearMul", spell_mul},
    {"QLinearSigmoid", spell_function},
    {"QLinearWhere", spell_where},
};

void spell(Graph& graph, Node node, std::vector<Node>& nodes) {
  const auto* spelling = std::find_if(std::begin(kSpellings), std::end(kSpellings),
                                      [&](const Spelling& entry) { return entry.op_type == node.op_type; });
  if (spelling != std::end(kSpellings)) {
    StandardWriter writer(graph, node, nodes);
    return spelling->write(writer);
  }
  if (!node.domain.empty() && is_integer_operator(node))
    throw Error(ErrorKind::kUnsupported,
                "it has no form in ONNX's own operators; leave it in float with --exclude or --mode");
  nodes.push_back(std::move(node));
}

/// True if a node of the graph or of a body in it is of this domain.
bool has_domain(const Graph& graph, const std::string& domain) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
    if (node.domain == domain) return true;
    return std::any_of(node.attributes.begin(), node.attributes.end(), [&](const auto& entry) {
      const Body* body = std::get_if<Body>(&entry.second);
      return body != nullptr && has_domain(**body, domain);
    });
  });
}

}  // namespace

Graph spell_out_integers(Graph graph) {
  infer_shapes(graph);
  std::vector<Node> nodes;
  for (const Node& node : std::vector<Node>(graph.nodes))
    with_context([&] { return describe(graph, node); }, [&] { spell(graph, node, nodes); });
  graph.nodes = std::move(nodes);
  remove_dead_nodes(graph);
  std::erase_if(graph.info.opsets,
                [&](const auto& entry) { return !entry.first.empty() && !has_domain(graph, entry.first); });
  infer_shapes(graph);
  return graph;
}

}  // namespace quantize
