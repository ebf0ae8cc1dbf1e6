// Carrying out a plan: the graph with QuantizeLinear and DequantizeLinear, which defines the int8 model.
#pragma once

#include "core/quantization/plan.h"

namespace quantize {

/// The planned graph.
///
/// An integer node writes `<value>_unrounded` (or the value in front of the activation it absorbs); a Q and a
/// DQ behind it bring back `<value>` under its own name, for every reader and for the graph's output. A
/// function that an integer node applies stands between the two as it was. A value that a float node
/// computes, or a graph input, keeps its name; integer readers get `<value>_dequantized`. Weights are integer
/// initializers behind a DQ, biases s32 initializers of scale x_scale * w_scale behind a DQ.
///
/// Result:   valid; the opset is the graph's; names of inputs and outputs are the graph's.
Graph insert_qdq(const PlannedModel& planned);

/// Replaces the bias, the scales and the codes of a layer in a graph that insert_qdq made; without planned codes, those
/// that it has stay.
/// `input` are the params of its activations. Requires: `index` is of `qdq`; `layer` is a node of it, planned
/// with a bias as `weights` says.
void replace_weights(Graph& qdq, const GraphIndex& index, const Node& layer, const PlannedWeights& weights,
                     const QuantParams& input);

/// Makes the graph take integers: the Q behind each float input goes, the input keeps its name and becomes u8
/// or s8. Errors: Error(kUnsupported) naming an input that a float node reads as well.
void drop_input_quantization(Graph& qdq);

}  // namespace quantize
