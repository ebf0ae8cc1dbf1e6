// The cache of programs, one per set of input shapes, and their workspaces.
#include "core/engine/engine.h"

#include <cstring>
#include <optional>

#include "core/engine/segments.h"
#include "core/error.h"
#include "core/integer/lowering.h"
#include "core/passes/narrow_doubles.h"
#include "core/passes/passes.h"

namespace quantize {

namespace {
constexpr size_t kMaxPrograms = 8;  // least recently used ones go

/// The islands of the graph as integer operators. Shapes that a file leaves out are inferred before, as
/// a residual is known by its shape.
Graph lowered(Graph graph, const std::vector<bool>& keep) {
  narrow_doubles(graph);
  return lower_to_qoperator(std::move(graph), keep);
}
}  // namespace

struct Engine::Entry {
  std::vector<Shape> shapes;
  std::mutex mutex;  // of what follows; the program stays once it is there
  std::unique_ptr<const Program> program;
  std::unique_ptr<Segments> segments;  // in place of a program where shapes depend on data
  std::optional<Error> failure;        // why there is neither: the constants may be gone, so that it stays so
  std::vector<std::unique_ptr<Workspace>> idle;
};

Engine::Engine(Graph graph, CompileOptions options)
    : graph_(lowered(std::move(graph), options.keep)), options_(std::move(options)) {
  for (ValueId id : graph_.inputs) {
    const auto& shape = graph_.value(id).shape;
    is_static_ = is_static_ && shape && is_static(*shape);
    if (is_static_) static_shapes_.push_back(*shape);
  }
}
Engine::~Engine() = default;

/// A model that takes one shape alone has one program, which then is the only owner of its constants.
void Engine::fill(Entry& entry) {
  if (entry.program || entry.segments) return;
  if (entry.failure) throw Error(*entry.failure);
  try {
    Graph graph = specialize_known(graph_, entry.shapes, options_.keep);
    if (is_static_)
      for (Value& value : graph_.values) value.initializer = Tensor();
    if (has_static_shapes(graph))
      entry.program = std::make_unique<const Program>(compile(std::move(graph), options_));
    else
      entry.segments = std::make_unique<Segments>(std::move(graph), options_);
  } catch (const Error& error) {
    entry.failure = error;
    throw;
  }
}

std::shared_ptr<Engine::Entry> Engine::entry_for(const std::vector<Shape>& shapes) {
  if (is_static_ && shapes != static_shapes_)
    specialize_known(graph_, shapes, options_.keep);  // which says why not
  std::shared_ptr<Entry> entry;
  {
    const std::lock_guard lock(mutex_);
    for (auto it = entries_.begin(); it != entries_.end() && !entry; ++it) {
      if ((*it)->shapes != shapes) continue;
      entry = *it;
      entries_.splice(entries_.begin(), entries_, it);
    }
    if (!entry) {
      entry = std::make_shared<Entry>();
      entry->shapes = shapes;
      entries_.push_front(entry);
      if (entries_.size() > kMaxPrograms) entries_.pop_back();
    }
  }
  const std::lock_guard lock(entry->mutex);
  fill(*entry);
  return entry;
}

std::shared_ptr<const Program> Engine::program(const std::vector<Shape>& shapes) {
  const std::shared_ptr<Entry> entry = entry_for(shapes);
  return {entry, entry->program.get()};
}

std::vector<StepTime> step_times(const Program& program, std::span<const double> milliseconds) {
  std::vector<StepTime> times;
  for (size_t s = 0; s < program.steps().size(); ++s) {
    const Step& step = program.steps()[s];
    const ValueId y = step.outputs.empty() ? kNoValue : step.outputs[0];
    times.push_back({nullptr, &program, &program.graph(), &step.node, step.inputs, step.outputs,
                     y == kNoValue ? Shape() : *program.graph().value(y).shape, milliseconds[s]});
  }
  return times;
}

/// Returns in_segments(segments) or body(program, inputs, workspace), for a workspace that nobody else uses.
template <typename InSegments, typename Body>
auto Engine::in_workspace(const std::vector<Tensor>& inputs, InSegments in_segments, Body body) {
  std::vector<Shape> shapes;
  std::vector<TensorView> views;
  for (const Tensor& input : inputs) {
    shapes.push_back(input.shape());
    views.push_back(input.view());
  }
  const std::shared_ptr<Entry> entry = entry_for(shapes);
  if (entry->segments) return in_segments(*entry->segments);
  std::unique_ptr<Workspace> workspace;
  {
    const std::lock_guard lock(entry->mutex);
    if (!entry->idle.empty()) {
      workspace = std::move(entry->idle.back());
      entry->idle.pop_back();
    }
  }
  if (!workspace) workspace = std::make_unique<Workspace>(*entry->program);
  auto result = body(*entry->program, views, *workspace);
  const std::lock_guard lock(entry->mutex);
  entry->idle.push_back(std::move(workspace));
  return result;
}

std::vector<Tensor> Engine::run(const std::vector<Tensor>& inputs, ExecutionObserver* observer,
                                std::vector<StepTime>* times) {
  const size_t before = times == nullptr ? 0 : times->size();
  std::vector<Tensor> results = in_workspace(
      inputs, [&](Segments& segments) { return segments.run(inputs, observer, times); },
      [&](const Program& program, std::span<const TensorView> views, Workspace& workspace) {
        if (times == nullptr) {
          program.run(views, workspace, observer);
        } else {
          const std::vector<StepTime> steps = step_times(program, program.run_timed(views, workspace));
          times->insert(times->end(), steps.begin(), steps.end());
        }
        std::vector<Tensor> outputs;
        for (size_t i = 0; i < graph_.outputs.size(); ++i) {
          const TensorView view = workspace.output(i);
          Tensor output(view.dtype, Shape(view.shape.begin(), view.shape.end()));
          if (output.byte_size() != 0) std::memcpy(output.mutable_bytes(), view.data, output.byte_size());
          outputs.push_back(std::move(output));
        }
        return outputs;
      });
  if (times == nullptr) return results;
  std::vector<Shape> shapes;
  for (const Tensor& input : inputs) shapes.push_back(input.shape());
  const std::shared_ptr<const void> owner = entry_for(shapes);
  for (size_t s = before; s < times->size(); ++s)
    if (!(*times)[s].owner) (*times)[s].owner = owner;
  return results;
}

uint64_t Engine::hash(const std::vector<Tensor>& inputs) {
  return in_workspace(
      inputs, [&](Segments& segments) { return segments.hash(inputs); },
      [](const Program& program, std::span<const TensorView> views, Workspace& workspace) {
        return program.run_hashed(views, workspace);
      });
}

}  // namespace quantize
