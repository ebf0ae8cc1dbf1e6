// The rest of a planned graph in 16 bits.
#pragma once

#include "core/quantization/plan.h"

namespace quantize {

/// Turns the nodes with PlannedNode::narrow into nodes of `plan.rest`: their constants have that type, and a Cast stands
/// where another node, or an output of the graph, reads them, or they another's. Inputs and outputs of the graph stay
/// f32. `written` is what insert_qdq made of the plan; without narrow nodes it stays as it is. The result is for files:
/// shapes can be inferred of it only once it has been read again, which widens it.
Graph narrow_rest(Graph written, const PlannedModel& planned);

/// A graph that computes the same in f32: it rounds every value that narrow_rest has in 16 bits.
Graph round_rest(Graph written, const PlannedModel& planned);

/// insert_qdq and round_rest: the network that judges a plan.
Graph judged_graph(const PlannedModel& planned);

}  // namespace quantize
