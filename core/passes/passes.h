// The graph passes. Each takes a graph and leaves a valid one that computes the same; pipelines.cpp has the
// order.
#pragma once

#include "core/error.h"
#include "core/graph.h"

namespace quantize {

/// Fills dtype and shape of every value as far as they follow from the inputs and constants. What a file says
/// about intermediate values is not trusted: it is replaced by what is inferred. Errors: Error(kUnsupported)
/// for an unknown operator, Error(kInvalidModel) for shapes that cannot be; each with the node as context.
void infer_shapes(Graph& graph);

/// Replaces every node whose inputs are all constant by its result, and every node whose result follows from
/// known shapes (Shape, Size and what is computed from them). Results above 64 MiB, or 2 GiB together, are
/// left alone. Requires: infer_shapes ran. Deterministic operators only, so all that we know.
void fold_constants(Graph& graph);

/// Removes nodes whose outputs nobody reads. Values and ids stay.
void remove_dead_nodes(Graph& graph);

/// Fixes the extents of graph inputs, then infers and folds until nothing is left unknown.
/// Shapes:  input_shapes[i] belongs to graph.inputs[i]; static, of the rank and extents the model allows.
/// Errors:  Error(kInvalidArgument) if a shape contradicts the model; Error(kUnsupported) if a shape still
/// depends
///          on data afterwards.
/// The ids of all values stay what they were.
Graph specialize(const Graph& graph, const std::vector<Shape>& input_shapes);

}  // namespace quantize
