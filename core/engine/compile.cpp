// Graph -> Program: a step per node, clamps fused, buffers placed.
#include <algorithm>
#include <numeric>

#include "core/engine/assign_storage.h"
#include "core/engine/fuse/fuse_functions.h"
#include "core/engine/fuse/fuse_integer.h"
#include "core/engine/program.h"
#include "core/engine/steps/split_elementwise.h"
#include "core/error.h"
#include "core/fusion/chain.h"
#include "core/integer/lowering.h"

namespace quantize {

namespace {

/// A node and what is fused behind it.
struct Anchor {
  const Node& node;
  const Chain& chain;
};

Step make_step(const Graph& graph, const Anchor& anchor, const KernelTable& kernels,
               std::span<const Storage> storage, int threads) {
  const Node& node = anchor.node;
  const Chain& chain = anchor.chain;
  const auto node_of = [&](NodeId n) -> const Node& { return graph.nodes[static_cast<size_t>(n)]; };
  const OpDef& def = find_op(graph, node);
  Step step;
  step.node = node;
  step.opset = graph.opset_of(node);
  step.inputs = node.inputs;
  step.outputs = chain.links().empty() ? node.outputs : node_of(chain.links().back()).outputs;
  CompileContext context{.graph = graph,
                         .node = node,
                         .opset = step.opset,
                         .kernels = kernels,
                         .threads = threads,
                         .storage = storage};
  if (const auto bounds =
          chain.clamp == kNoNode ? std::nullopt : constant_clamp(graph, node_of(chain.clamp))) {
    context.low = bounds->low;
    context.high = bounds->high;
  }
  if (chain.addition) {
    context.adds = true;
    step.inputs.resize(def.max_inputs, kNoValue);
    step.inputs.push_back(chain.addition->other);
  }
  if (const EngineForm& form = engine_form_of(node); form.compile != nullptr)
    step.function = form.compile(context);
  if (!step.function) step.function = split_elementwise(def, context);
  if (!step.function) step.function = def.evaluate;
  if (context.weights_packed) step.inputs[def.weight_input] = kNoValue;
  step.scratch_bytes = context.scratch_bytes;
  step.chunks = context.chunks;
  return step;
}

/// True if none of the node's outputs has an element: then there is nothing to compute.
bool is_empty(const Graph& graph, const Node& node) {
  return std::all_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
    return id == kNoValue || element_count(*graph.value(id).shape) == 0;
  });
}

/// Frees the constants that `step` alone could have read but does not: its weights, packed.
void release_packed(Graph& graph, const GraphIndex& index, const Step& step) {
  for (size_t i = 0; i < step.node.inputs.size(); ++i) {
    const ValueId id = step.node.inputs[i];
    if (step.inputs[i] == kNoValue && id != kNoValue && index.single_use(id))
      graph.value(id).initializer = Tensor();
  }
}

/// What the step of a node can compute behind it.
ChainRules rules_of(const Graph& graph, const Node& node, const std::vector<bool>* keep) {
  const EngineForm& form = engine_form_of(node);
  if (node.outputs.size() != 1) return {};
  return {.clamp = form.fuses_clamp,
          .addition = form.fuses_addition != nullptr && form.fuses_addition(graph, node),
          .keep = keep};
}

/// A step stands where the last node of its chain was: there a residual is computed.
std::vector<Step> make_steps(Graph& graph, const std::vector<bool>& keep, const KernelTable& kernels,
                             std::span<const Storage> storage, int threads) {
  const GraphIndex index(graph);
  const Chains chains(graph, index, [&](NodeId n) {
    const Node& node = graph.nodes[static_cast<size_t>(n)];
    return with_context([&] { return describe(graph, node); }, [&] { return rules_of(graph, node, &keep); });
  });
  std::vector<bool> continued(graph.nodes.size(), false);  // another node of the chain stands behind it
  for (size_t n = 0; n < graph.nodes.size(); ++n)
    if (const NodeId before = chains.before(static_cast<NodeId>(n)); before != kNoNode)
      continued[static_cast<size_t>(before)] = true;
  std::vector<Step> steps;
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    if (continued[n]) continue;
    auto first = static_cast<NodeId>(n);
    while (chains.before(first) != kNoNode) first = chains.before(first);
    const Node& node = graph.nodes[static_cast<size_t>(first)];
    if (is_empty(graph, node)) continue;
    with_context([&] { return describe(graph, node); },
                 [&] {
                   steps.push_back(make_step(graph, {node, chains.of(first)}, kernels, storage, threads));
                   release_packed(graph, index, steps.back());
                 });
  }
  return steps;
}

}  // namespace

NodeId clamp_behind(const Graph& graph, const GraphIndex& index, const Node& node) {
  if (!engine_form_of(node).fuses_clamp || node.outputs.size() != 1 || node.outputs[0] == kNoValue)
    return kNoNode;
  return chain_behind(graph, index, node.outputs[0], {.clamp = true}).clamp;
}

Program compile(Graph graph, const CompileOptions& options) {
  Program program;
  program.kernels_ = options.kernels == nullptr ? &best_kernels() : options.kernels;
  relabel_signed(graph, options.keep);
  fuse_tables(graph, options.keep);
  fuse_conv_epilogues(graph, options.keep);
  fuse_functions(graph, options.keep);
  program.storage_ = assign_storage(graph, options.keep);
  program.keep_ = options.keep;
  program.threads_ = std::max(1, options.threads);
  program.keep_.resize(graph.values.size(), false);
  program.graph_ = std::move(graph);
  program.steps_ =
      make_steps(program.graph_, program.keep_, *program.kernels_, program.storage_, program.threads_);
  program.place_values();
  return program;
}

/// A value lives from the step that makes it to the last that reads it; inputs from the start, outputs to the
/// end; a value that is a part of another, its root, makes that one live.
void Program::place_values() {
  const size_t end = steps_.size();
  std::vector<BufferRequest> requests(graph_.values.size());
  const auto use = [&](ValueId id, size_t step, bool is_made) {
    if (id == kNoValue) return;
    const ValueId root = storage_[static_cast<size_t>(id)].root;
    BufferRequest& request = requests[static_cast<size_t>(root)];
    if (request.bytes == 0 && is_made) request = {bytes_of(root), step, step};
    request.last_step = step;
  };
  for (ValueId id : graph_.inputs) use(id, 0, true);
  for (size_t s = 0; s < end; ++s) {
    for (ValueId id : steps_[s].inputs) use(id, s, false);
    for (ValueId id : steps_[s].outputs) use(id, s, true);
    scratch_bytes_ = std::max(scratch_bytes_, steps_[s].scratch_bytes);
  }
  for (ValueId id : graph_.outputs) use(id, end, false);
  for (BufferRequest& request : requests)
    if (request.bytes == 0) request = {};  // constants and values without a maker need no place
  const std::vector<ValueId> owners = share_places(requests);
  MemoryPlan plan = plan_memory(requests);
  offsets_ = std::move(plan.offsets);
  for (size_t id = 0; id < offsets_.size(); ++id) offsets_[id] = offsets_[static_cast<size_t>(owners[id])];
  scratch_offset_ = plan.total_bytes;
  scratch_bytes_ = (scratch_bytes_ + 63) / 64 * 64;
  arena_bytes_ = plan.total_bytes + scratch_bytes_ * static_cast<size_t>(threads_) + 64;
}

/// Lets outputs take over the bytes of inputs that die with the step, where the operator allows it. Returns
/// whose place each root has, its own or that of an older one, which lives on in its stead.
std::vector<ValueId> Program::share_places(std::vector<BufferRequest>& requests) const {
  std::vector<ValueId> owners(requests.size());
  std::iota(owners.begin(), owners.end(), 0);
  const std::vector<BufferRequest> own = requests;
  for (size_t s = 0; s < steps_.size(); ++s) {
    const Step& step = steps_[s];
    const ValueId y = step.outputs[0];
    const bool keeps_order = find_op(graph_, step.node).keeps_order;
    for (const size_t input :
         keeps_order ? std::vector<size_t>{0} : engine_form_of(step.node).pixels.overwrites) {
      const ValueId x = input < step.inputs.size() ? step.inputs[input] : kNoValue;
      if (x == kNoValue || own[static_cast<size_t>(x)].bytes == 0 || owners[static_cast<size_t>(y)] != y ||
          own[static_cast<size_t>(x)].last_step != s || reads_twice(step, x) ||
          !(keeps_order ? are_rows(x, y) : lie_alike(x, y)))
        continue;
      const ValueId owner = owners[static_cast<size_t>(x)];
      owners[static_cast<size_t>(y)] = owner;
      requests[static_cast<size_t>(owner)].last_step = own[static_cast<size_t>(y)].last_step;
      requests[static_cast<size_t>(y)] = {};
    }
  }
  return owners;
}

/// True if both are row-major, of as many bytes of their own.
bool Program::are_rows(ValueId a, ValueId b) const {
  const Storage &x = storage_[static_cast<size_t>(a)], &y = storage_[static_cast<size_t>(b)];
  return !x.pixels && !y.pixels && x.root == a && y.root == b && bytes_of(a) == bytes_of(b);
}

/// True if both are images with bytes of their own that lie in the same way.
bool Program::lie_alike(ValueId a, ValueId b) const {
  const Storage &x = storage_[static_cast<size_t>(a)], &y = storage_[static_cast<size_t>(b)];
  return x.pixels && y.pixels && x.root == a && y.root == b && x.images == y.images &&
         x.channels == y.channels && x.height == y.height && x.offset == y.offset &&
         x.pixel_stride == y.pixel_stride && x.row_stride == y.row_stride && x.image_stride == y.image_stride;
}

/// True if more than one input of the step is in the bytes of `root`.
bool Program::reads_twice(const Step& step, ValueId root) const {
  return std::count_if(step.inputs.begin(), step.inputs.end(), [&](ValueId id) {
           return id != kNoValue && storage_[static_cast<size_t>(id)].root == root;
         }) > 1;
}

size_t Program::bytes_of(ValueId root) const {
  const Storage& storage = storage_[static_cast<size_t>(root)];
  const Value& value = graph_.value(root);
  if (!storage.pixels) return byte_count(value.dtype, *value.shape);
  constexpr size_t kOverread = 64;  // what kernels may read behind the last pixel
  return static_cast<size_t>(storage.images) * storage.image_stride + kOverread;
}

}  // namespace quantize
