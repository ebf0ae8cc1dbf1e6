// Which passes run in which order, and what holds after each.
#include <functional>

#include "core/passes/narrow_doubles.h"
#include "core/passes/passes.h"

namespace quantize {

void infer_and_fold(Graph& graph, ConstantCodes codes) {
  // A folded node may reveal the shape behind it (Reshape to a computed shape), so repeat while that happens.
  for (bool changed = true; changed;) {
    changed = inline_branches(graph);  // first: a branch that never runs may have operators of any kind
    const size_t before = graph.nodes.size();
    narrow_doubles(graph);
    fold_constants(graph, codes);
    changed = changed || before != graph.nodes.size();
  }
}

Graph open_model(const Graph& source, int64_t min_opset) {
  const auto infer_and_fold_reals = [](Graph& graph) { infer_and_fold(graph, ConstantCodes::kKeep); };
  const auto upgrade = [min_opset](Graph& graph) { upgrade_opset(graph, min_opset); };
  const auto remove_dead = [](Graph& graph) { remove_dead_nodes(graph); };
  const std::function<void(Graph&)> passes[] = {
      standardize_quantizers,  // Q and DQ are ONNX's own
      infer_and_fold_reals,    // no node is left that depends on constants alone, but for those of codes
      upgrade,                 // every node is of the opset that is asked for
      lower_opset,             // no opset above 21 that nothing needs
      plain_forms,             // no node has a form that integer operators or runtimes would misread
      einsum_to_matmul,        // a product of matrices is a MatMul
      infer_and_fold_reals,    // as before the upgrade
      remove_no_ops,           // every node changes its input
      find_normalizations,     // a normalization over the last axes is one node
      fold_pads,               // Conv and pooling read unpadded inputs where they can pad by themselves
      fold_channel_affine,     // no affine with constants stands behind a Conv, ConvTranspose or Gemm
      conv_to_gemm,            // results of a Conv that covers its image are a Gemm's
      merge_constants,         // no two constants are equal
      remove_dead,             // every node is needed
      remove_unused_values,    // every value is needed
      name_nodes,              // node names are unique
      infer_shapes,            // types and shapes are those of the graph as it is now
  };
  Graph graph = source;
  validate(graph);
  for (const auto& pass : passes) {
    pass(graph);
    validate(graph);
  }
  return graph;
}

}  // namespace quantize
