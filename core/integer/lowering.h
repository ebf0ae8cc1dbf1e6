// From a QDQ graph to one of integer operators, and what makes such graphs uniform. Read
// lower_to_qoperator().
#pragma once

#include <vector>

#include "core/graph.h"
#include "core/integer/forms.h"

namespace quantize {

/// Turns a QDQ graph, of ours or of others, into one of integer operators: DequantizeLinear, operator,
/// (clamp,) QuantizeLinear become one operator on codes: QLinearConv, QLinearMatMul, the QLinear* and QGemm
/// of ONNX Runtime (domain com.microsoft), and, where only places change, the operator itself. An operator
/// that has no such form stays float between DequantizeLinear and QuantizeLinear. Values keep their ids; one
/// with keep[id] is still computed, so an island around it stays as it is. Types of codes are set; shapes are
/// not needed.
Graph lower_to_qoperator(Graph graph, const std::vector<bool>& keep = {}, Runtime runtime = Runtime::kOwn);

/// Makes constant codes of fewer bits than 8, read by DequantizeLinear without blocks, and their zero points codes of 8
/// bits: s2 and s4 become s8, u2 and u4 become u8. The reals are the same.
void widen_constant_codes(Graph& graph);

/// Gives every operator on codes the zero points that are left out: constants of zeros, of the type of the
/// codes and the shape of the scale. Requires: infer_shapes ran; where a type or shape is not known, nothing
/// is done.
void complete_zero_points(Graph& graph);

/// Reads codes of s8 as u8: every computed s8 value becomes u8, every zero point of it 128 more, so that the
/// kernels for u8 serve it. Graph inputs, outputs and values with keep[id] stay what they are, and with them
/// the whole graph if an operator that reads or makes s8 is not known to the pass.
void relabel_signed(Graph& graph, const std::vector<bool>& keep = {});

}  // namespace quantize
