// Graph -> Program: a step per node, clamps fused, buffers placed.
#include <algorithm>

#include "core/engine/program.h"
#include "core/error.h"
#include "core/passes/patterns.h"

namespace quantize {

namespace {

Step make_step(const Graph& graph, const Node& node, const Node* clamp, const KernelTable& kernels,
               int threads) {
  const OpDef& def = find_op(graph, node);
  Step step;
  step.node = node;
  step.opset = graph.opset_of(node);
  step.inputs = node.inputs;
  step.outputs = clamp == nullptr ? node.outputs : clamp->outputs;
  if (def.compile != nullptr) {
    CompileContext context{
        .graph = graph, .node = node, .opset = step.opset, .kernels = kernels, .threads = threads};
    if (const auto bounds = clamp == nullptr ? std::nullopt : constant_clamp(graph, *clamp)) {
      context.low = bounds->low;
      context.high = bounds->high;
    }
    step.function = def.compile(context);
    step.scratch_bytes = context.scratch_bytes;
    step.chunks = context.chunks;
  } else {
    step.function = def.evaluate;
  }
  return step;
}

/// True if none of the node's outputs has an element: then there is nothing to compute.
bool is_empty(const Graph& graph, const Node& node) {
  return std::all_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
    return id == kNoValue || element_count(*graph.value(id).shape) == 0;
  });
}

std::vector<Step> make_steps(const Graph& graph, const std::vector<bool>& keep, const KernelTable& kernels,
                             int threads) {
  const GraphIndex index(graph);
  std::vector<bool> fused(graph.nodes.size(), false);
  std::vector<Step> steps;
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    if (fused[n]) continue;
    const Node& node = graph.nodes[n];
    if (is_empty(graph, node)) continue;
    with_context(
        [&] { return describe(graph, node); },
        [&] {
          const NodeId id = clamp_behind(graph, index, node);
          const bool fuses = id != kNoNode && !keep[static_cast<size_t>(node.outputs[0])];
          if (fuses) fused[static_cast<size_t>(id)] = true;
          steps.push_back(make_step(graph, node, fuses ? &graph.nodes[static_cast<size_t>(id)] : nullptr,
                                    kernels, threads));
        });
  }
  return steps;
}

}  // namespace

NodeId clamp_behind(const Graph& graph, const GraphIndex& index, const Node& node) {
  if (!find_op(graph, node).fuses_clamp || node.outputs.size() != 1 || node.outputs[0] == kNoValue)
    return kNoNode;
  if (!index.single_use(node.outputs[0])) return kNoNode;
  const GraphIndex::Use use = index.uses(node.outputs[0])[0];
  const bool is_clamp =
      use.input == 0 && constant_clamp(graph, graph.nodes[static_cast<size_t>(use.node)]).has_value();
  return is_clamp ? use.node : kNoNode;
}

Program compile(Graph graph, const CompileOptions& options) {
  Program program;
  program.kernels_ = options.kernels == nullptr ? &best_kernels() : options.kernels;
  program.keep_ = options.keep;
  program.keep_.resize(graph.values.size(), false);
  program.graph_ = std::move(graph);
  const Graph& g = program.graph_;
  program.threads_ = std::max(1, options.threads);
  program.steps_ = make_steps(g, program.keep_, *program.kernels_, program.threads_);

  // A value lives from the step that makes it to the last that reads it; inputs from the start, outputs to
  // the end.
  const size_t end = program.steps_.size();
  std::vector<BufferRequest> requests(g.values.size());
  std::vector<bool> placed(g.values.size(), false);
  const auto need = [&](ValueId id, size_t first) {
    BufferRequest& request = requests[static_cast<size_t>(id)];
    const Value& value = g.value(id);
    request = {byte_count(value.dtype, *value.shape), first, first};
    placed[static_cast<size_t>(id)] = true;
  };
  for (ValueId id : g.inputs) need(id, 0);
  for (size_t s = 0; s < end; ++s) {
    for (ValueId id : program.steps_[s].inputs)
      if (id != kNoValue) requests[static_cast<size_t>(id)].last_step = s;
    for (ValueId id : program.steps_[s].outputs)
      if (id != kNoValue) need(id, s);
    program.scratch_bytes_ = std::max(program.scratch_bytes_, program.steps_[s].scratch_bytes);
  }
  for (ValueId id : g.outputs) requests[static_cast<size_t>(id)].last_step = end;
  for (size_t i = 0; i < requests.size(); ++i)
    if (!placed[i]) requests[i] = {};  // constants and values without a maker need no place
  MemoryPlan plan = plan_memory(requests);
  program.offsets_ = std::move(plan.offsets);
  program.scratch_offset_ = plan.total_bytes;
  program.scratch_bytes_ = (program.scratch_bytes_ + 63) / 64 * 64;
  program.arena_bytes_ =
      plan.total_bytes + program.scratch_bytes_ * static_cast<size_t>(program.threads_) + 64;
  return program;
}

}  // namespace quantize
