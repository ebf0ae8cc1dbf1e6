// Running a Program: bind views once per workspace, then call the steps in order.
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "core/engine/program.h"
#include "core/error.h"

namespace quantize {

/// One run of a program.
struct Program::Run {
  const Program* program;
  Workspace* workspace;
};

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
  std::vector<size_t> chunks;
  for (const Step& step : program.steps_) chunks.push_back(step.chunks);
  team_ = std::make_unique<StepTeam>(std::move(chunks));
  for (ValueId id : graph.inputs) inputs_.push_back(place(id));
  for (ValueId id : graph.outputs) outputs_.push_back(read(id));
}

void Program::copy_inputs(std::span<const TensorView> inputs, Workspace& workspace) const {
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
  }
}

void Program::run(std::span<const TensorView> inputs, Workspace& workspace,
                  ExecutionObserver* observer) const {
  copy_inputs(inputs, workspace);
  Run run{this, &workspace};
  if (observer == nullptr) {
    const auto body = [](void* context, size_t step, size_t begin, size_t end) {
      auto& current = *static_cast<Run*>(context);
      current.program->run_step(current, step, begin, end);
    };
    return workspace.team_->run(threads_, body, &run);
  }
  const auto observe = [&](ValueId id, const TensorView& view) {
    if (id != kNoValue && keep_[static_cast<size_t>(id)]) observer->on_value(id, view);
  };
  for (size_t i = 0; i < workspace.inputs_.size(); ++i) observe(graph_.inputs[i], workspace.inputs_[i]);
  for (size_t s = 0; s < steps_.size(); ++s) {
    run_step(run, s, 0, steps_[s].chunks);
    const Workspace::StepViews& views = workspace.steps_[s];
    for (size_t i = 0; i < views.outputs.size(); ++i) observe(steps_[s].outputs[i], views.outputs[i]);
  }
}

std::vector<double> Program::run_timed(std::span<const TensorView> inputs, Workspace& workspace) const {
  using Clock = std::chrono::steady_clock;
  copy_inputs(inputs, workspace);
  Run run{this, &workspace};
  std::vector<double> times;
  for (size_t s = 0; s < steps_.size(); ++s) {
    const auto start = Clock::now();
    run_step(run, s, 0, steps_[s].chunks);
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  }
  return times;
}

void Program::run_step(Run& run, size_t step, size_t chunk_begin, size_t chunk_end) const {
  const Workspace::StepViews& views = run.workspace->steps_[step];
  const std::span<std::byte> scratch{run.workspace->arena_.get() + scratch_offset_, scratch_bytes_};
  const Step& s = steps_[step];
  with_context([&] { return describe(graph_, s.node); },
               [&] {
                 s.function({s.node, s.opset, *kernels_, views.inputs, views.outputs, scratch, chunk_begin,
                             chunk_end});
               });
}

}  // namespace quantize
