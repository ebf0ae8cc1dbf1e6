// The operators whose results keep their meaning in floats of 16 bits.
#pragma once

#include <string_view>

#include "core/graph.h"

namespace quantize {

/// The treatment of an operator where the rest of a model is computed in f16 or bf16.
enum class Narrowing {
  kUnknown,  // not known to have such a form: f32
  kWide,     // sums, powers, decisions between near numbers and coordinates: f32
  kLayer,    // 16 bits; its weights take half the bytes
  kValues,   // 16 bits, where a neighbour has them, too
};

/// Requires: a known operator.
Narrowing narrowing_of(const Node& node);

/// True for an input that is f32 in every form of the operator: the scales of a Resize.
bool stays_f32(const Node& node, size_t input);

}  // namespace quantize
