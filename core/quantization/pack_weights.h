// Codes of few bits in fewer bytes of a file that is ready, where its runtime computes on them all the same.
#pragma once

#include <cstdint>

#include "core/graph.h"
#include "core/quantization/target.h"

namespace quantize {

/// How a file holds the weights of layers on integers that use fewer bits than 8.
enum class CodeForm {
  kWholeBytes,  // one each
  kPacked,      // as many bits as they use, unpacked by nodes that runtimes fold when they load the file
  kHalfBytes,   // constants of s4, where 4 bits hold them
};

/// "a byte each", "packed", "s4".
const char* name_of(CodeForm form);

/// The form for a file. Operators of codes take what nodes have unpacked (`of_operators`: the file has these); a
/// runtime that forms integer layers of Q and DQ wants constants: OpenVINO and ONNX Runtime compute layers on s4 in float.
CodeForm code_form(const TargetProfile& target, bool of_operators);

/// The least opset of a file with such codes.
int64_t opset_of(CodeForm form);

/// The fewest bits, two or more, that hold every code. Types: codes s8.
int64_t bits_in_use(const Tensor& codes);

/// The bytes that codes take once pack_weights has seen them. Types: codes s8.
uint64_t packed_weight_bytes(const Tensor& codes, CodeForm form);

/// The same graph with its constants of s8 in the form, where that saves more than it takes.
/// Requires: opset_of(form) or later.
Graph pack_weights(Graph graph, CodeForm form);

}  // namespace quantize
