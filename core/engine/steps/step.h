// How the engine runs an operator fast: one EngineForm per op_type, in the file of its family.
// Read EngineForm, at the end, first.
#pragma once

#include <algorithm>
#include <functional>
#include <limits>
#include <span>
#include <vector>

#include "core/engine/chunks.h"
#include "core/engine/storage.h"
#include "core/ops/op.h"
#include "kernels/kernel_table.h"

namespace quantize {

/// One call of a step: the operands, and the part of the work to do.
struct StepContext : EvaluateContext {
  std::span<std::byte> scratch = {};      // what CompileContext::scratch_bytes asked for; 64-byte aligned
  size_t chunk_begin = 0, chunk_end = 1;  // the part of the work to do now, of CompileContext::chunks
};

/// Input of `compile`: the node with all shapes static, and the clamp that the engine fused behind it.
struct CompileContext {
  const Graph& graph;
  const Node& node;
  int64_t opset;
  const KernelTable& kernels;
  float low = -std::numeric_limits<float>::infinity();  // clamp of the output: a fused Relu or Clip
  float high = std::numeric_limits<float>::infinity();
  /// An addition was fused in front of the clamp: its other operand is the step's last input, behind all that the
  /// operator can have.
  bool adds = false;
  int threads = 1;           // that will share each step
  size_t scratch_bytes = 0;  // set by compile: bytes of scratch memory each call needs
  /// Set by compile: into how many independent chunks the step can be split. The step function is then called
  /// for ranges of them that together are [0, chunks), from several threads at once, each with scratch memory
  /// of its own; the output must not depend on the ranges.
  size_t chunks = 1;
  /// Set by compile: true if the step has its weights (OpDef::weight_input) packed and reads them nowhere
  /// else. Then the program lets go of the original.
  bool weights_packed = false;
  std::span<const Storage> storage = {};  // how each value lies in memory; empty: all row-major

  /// The number of chunks by the one rule (core/engine/chunks.h).
  size_t cut(const ChunkLimits& limits, double nanoseconds, int64_t units) const {
    return chunk_count(limits, nanoseconds, units, threads);
  }

  const Shape& shape(size_t input) const { return *graph.value(node.inputs[input]).shape; }
  const Shape& output_shape(size_t i = 0) const { return *graph.value(node.outputs[i]).shape; }
  const Tensor* constant(size_t i) const { return graph.constant(node.input(i)); }
  const Storage& storage_of(ValueId id) const { return storage[static_cast<size_t>(id)]; }
  /// True if a value lies as pixels.
  bool is_pixels(ValueId id) const { return !storage.empty() && id != kNoValue && storage_of(id).pixels; }
};

/// The part of `units` that the call is to do, of a step of so many chunks.
inline UnitRange units_of(const StepContext& context, int64_t units, size_t chunks) {
  return units_of_chunks(context.chunk_begin, context.chunk_end, units, chunks);
}

/// A compiled operator: attributes decoded, weights packed. Must be safe to call from several threads.
using StepFunction = std::function<void(const StepContext&)>;

/// How an operator takes u8 images [N, C, H, W] that lie as pixels (core/engine/storage.h).
struct PixelSupport {
  /// True if `compile` takes all u8 images among this node's computed inputs and outputs as pixels.
  bool (*takes)(const Graph& graph, const Node& node);
  /// True if either layout costs it the same: then it gets the layout of its neighbours.
  bool follows = false;
  /// The border that must be in memory around the first input, and its code, or one per channel; nullptr:
  /// none.
  struct Border {
    Halo halo;
    std::vector<uint8_t> codes;
  };
  Border (*border)(const Graph& graph, const Node& node) = nullptr;
  /// True if input i stands unchanged among the channels of the output, at the place that the channels of the
  /// inputs before it leave: then whoever computes it may write it there. nullptr: never.
  bool (*joins)(const Graph& graph, const Node& node, size_t input) = nullptr;
  /// True if the outputs are the channels of the input, one output after the other: then nothing is computed.
  bool splits = false;
  /// Inputs whose bytes the output may take over: the step reads an element before it writes the one at its
  /// place.
  std::vector<size_t> overwrites = {};
};

/// The fast form of an operator. One whose operator has none is computed by OpDef::evaluate.
struct EngineForm {
  const char* op_type;
  const char* domain;  // "" is ONNX's own

  /// Makes the step, once per Program; nullptr, or a step function that is empty: evaluate is the step.
  StepFunction (*compile)(CompileContext& context) = nullptr;

  /// True if `compile` applies CompileContext::low and high.
  bool fuses_clamp = false;
  /// True if `compile` also adds an image of the output's shape before it clamps (CompileContext::adds); nullptr: never.
  bool (*fuses_addition)(const Graph& graph, const Node& node) = nullptr;

  PixelSupport pixels = {.takes = nullptr};
};

/// All fast forms. Defined in core/engine/steps/all_steps.cpp: the one line to add.
std::span<const EngineForm> all_engine_forms();

/// The fast form of a node's operator; an empty one if there is none.
const EngineForm& engine_form_of(const Node& node);

}  // namespace quantize
