// Running a Program: bind views once per workspace, then call the steps in order.
#include <cstdlib>
#include <cstring>

#include "core/engine/program.h"
#include "core/error.h"

namespace quantize {

Workspace::Workspace(const Program& program) {
  const size_t bytes = (program.arena_bytes_ + 63) / 64 * 64;
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(64, bytes));
  if (memory == nullptr)
    throw Error(ErrorKind::kInternal,
                "out of memory: the model needs " + std::to_string(bytes) + " bytes to run");
  arena_ = {memory, std::free};
  const Graph& graph = program.graph_;
  const auto place = [&](ValueId id) -> MutableTensorView {
    if (id == kNoValue) return {};
    const Value& value = graph.value(id);
    const Storage& storage = program.storage_[static_cast<size_t>(id)];
    return {value.dtype, *value.shape,
            memory + program.offsets_[static_cast<size_t>(storage.root)] + storage.offset};
  };
  const auto read = [&](ValueId id) -> TensorView {
    if (id != kNoValue && graph.value(id).is_constant()) return graph.value(id).initializer.view();
    return place(id);
  };
  for (const Step& step : program.steps_) {
    StepViews views;
    for (ValueId id : step.inputs) views.inputs.push_back(read(id));
    for (ValueId id : step.outputs) views.outputs.push_back(place(id));
    steps_.push_back(std::move(views));
  }
  for (ValueId id : graph.inputs) inputs_.push_back(place(id));
  for (ValueId id : graph.outputs) outputs_.push_back(read(id));
}

void Program::run(std::span<const TensorView> inputs, Workspace& workspace,
                  ExecutionObserver* observer) const {
  const auto observe = [&](ValueId id, const TensorView& view) {
    if (observer != nullptr && id != kNoValue && keep_[static_cast<size_t>(id)]) observer->on_value(id, view);
  };
  for (size_t i = 0; i < workspace.inputs_.size(); ++i) {
    const MutableTensorView& target = workspace.inputs_[i];
    const bool fits =
        i < inputs.size() && inputs[i].dtype == target.dtype &&
        std::equal(inputs[i].shape.begin(), inputs[i].shape.end(), target.shape.begin(), target.shape.end());
    if (!fits)
      throw Error(ErrorKind::kInvalidArgument, "input '" + graph_.value(graph_.inputs[i]).name + "' takes " +
                                                   std::string(name_of(target.dtype)) + " " +
                                                   to_string(target.shape));
    const size_t bytes = static_cast<size_t>(target.size()) * size_of(target.dtype);
    if (bytes != 0) std::memcpy(target.data, inputs[i].data, bytes);
    observe(graph_.inputs[i], target);
  }
  const std::span<std::byte> scratch{workspace.arena_.get() + scratch_offset_, scratch_bytes_};
  for (size_t s = 0; s < steps_.size(); ++s) {
    const Workspace::StepViews& views = workspace.steps_[s];
    with_context([&] { return describe(graph_, steps_[s].node); },
                 [&] {
                   steps_[s].function({steps_[s].node, steps_[s].opset, *kernels_, views.inputs,
                                       views.outputs, scratch, 0, steps_[s].chunks});
                 });
    for (size_t i = 0; i < views.outputs.size(); ++i) observe(steps_[s].outputs[i], views.outputs[i]);
  }
}

}  // namespace quantize
