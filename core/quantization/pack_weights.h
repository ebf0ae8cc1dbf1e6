// Codes of few bits that stand in bytes of a file each: packed, where that is worth its nodes.
#pragma once

#include <cstdint>

#include "core/graph.h"
#include "core/quantization/target.h"

namespace quantize {

/// True if the runtime computes layers on codes that nodes have unpacked: one with operators of codes does. One that
/// forms integer layers of Q and DQ alone wants the codes to be constants: OpenVINO computes such layers in float.
bool takes_packed(const TargetProfile& target);

/// The fewest bits, two or more, that hold every code. Types: codes s8.
int64_t bits_in_use(const Tensor& codes);

/// The bytes that codes take once pack_weights has seen them. Types: codes s8.
uint64_t packed_weight_bytes(const Tensor& codes);

/// The same graph with its constants of s8 packed into as many bits as they use, where that saves more than it takes:
/// nodes of opset 18 unpack them, which runtimes fold when they load the file. Requires: opset 18 or later.
Graph pack_weights(Graph graph);

}  // namespace quantize
