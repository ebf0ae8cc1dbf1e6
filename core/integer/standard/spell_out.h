// Integer operators in the words of ONNX's own operators, so that any runtime computes the same bytes.
#pragma once

#include "core/graph.h"

namespace quantize {

/// A graph of integer operators in which each of them is spelled out: ConvInteger or MatMulInteger with s32 sums, an Add
/// of s32 for the bias, a Mul by the scales, Round, Clip and Cast; functions of single codes are tables that Gather reads.
/// Operators that already are ONNX's own stay as they are, QuantizeLinear and DequantizeLinear around float nodes too.
/// The codes are those of the operators, byte for byte, in every runtime that rounds f32 and f64 as IEEE 754 says.
/// Requires: opset 13 or newer; the graph is one that lower_to_qoperator made for Runtime::kAny.
/// Float operators of other domains, which the source has, stay as they are, too.
/// Errors: Error(kUnsupported), naming the node, for an integer operator of another domain than ONNX's that has no such
/// form (of ranges that each run finds), for pools of images of unknown size, and for scales that are computed.
Graph spell_out_integers(Graph graph);

}  // namespace quantize
