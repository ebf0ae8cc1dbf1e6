// The attributes that integer operators know. Their lists are older than those of the float operators:
// kIntegerForms in the .cpp is the table.
#pragma once

#include "core/graph.h"

namespace quantize {

/// True if the integer operator that takes the place of `node` between DequantizeLinear and QuantizeLinear
/// (QLinearConv, QLinearAveragePool, QGemm, ...) computes the same: it knows every attribute that the node
/// has, and none of them means something else to it. True for operators that are their own integer form, as
/// those that move elements.
/// Source: the schemas of ONNX and onnxruntime ContribOperators; the meaning was tried with ONNX
/// Runtime 1.32.
bool keeps_meaning_on_codes(const Node& node);

/// Removes the attributes that the integer operator does not know and that change nothing as they stand.
void drop_idle_attributes(Node& node);

}  // namespace quantize
