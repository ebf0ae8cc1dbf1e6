// Running a Program: bind views once per workspace, then call the steps in order.
#include <chrono>
#include <cstring>

#include "core/engine/program.h"
#include "core/error.h"
#include "core/memory_block.h"
#include "core/parallel.h"

namespace quantize {

Workspace::Workspace(const Program& program) {
  arena_ = take_block(program.arena_bytes_, "a run of the model needs");
  std::byte* const memory = arena_.get();
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

namespace {

/// FNV-1a, 64 bits. Source: Fowler, Noll, Vo; http://www.isthe.com/chongo/tech/comp/fnv/.
class Hash {
 public:
  /// The elements of a value, without borders and what lies between its pixels.
  void add(const Storage& storage, const TensorView& value) {
    const auto* bytes = static_cast<const uint8_t*>(value.data);
    if (!storage.pixels) return add(bytes, static_cast<size_t>(value.size()) * size_of(value.dtype));
    for (int64_t row = 0; row < storage.rows(); ++row)
      for (int64_t x = 0; x < storage.width; ++x)
        add(bytes + storage.row_offset(row) + static_cast<size_t>(x) * storage.pixel_stride,
            static_cast<size_t>(storage.channels));
  }
  uint64_t value() const { return value_; }

 private:
  void add(const uint8_t* bytes, size_t count) {
    for (size_t i = 0; i < count; ++i) value_ = (value_ ^ bytes[i]) * 0x100000001b3;
  }
  uint64_t value_ = 0xcbf29ce484222325;
};

}  // namespace

/// The data that the team of one inference shares.
struct Program::Inference {
  using Clock = std::chrono::steady_clock;

  const Program& program;
  const Workspace& workspace;
  ExecutionObserver* observer = nullptr;
  Clock::time_point* ends = nullptr;  // when each step ended, if somebody wants to know
  Hash* hash = nullptr;               // of all results, likewise

  size_t chunks(size_t s) const { return program.steps_[s].chunks; }

  void run(size_t s, size_t begin, size_t end, int thread) const {
    const Step& step = program.steps_[s];
    const Workspace::StepViews& views = workspace.steps_[s];
    std::byte* scratch = workspace.arena_.get() + program.scratch_offset_ +
                         static_cast<size_t>(thread) * program.scratch_bytes_;
    with_context([&] { return describe(program.graph_, step.node); },
                 [&] {
                   step.function({{.node = step.node,
                                   .opset = step.opset,
                                   .kernels = *program.kernels_,
                                   .inputs = views.inputs,
                                   .outputs = views.outputs},
                                  {scratch, program.scratch_bytes_},
                                  begin,
                                  end});
                 });
  }

  void finish(size_t s) const {
    const Workspace::StepViews& views = workspace.steps_[s];
    for (size_t i = 0; i < views.outputs.size(); ++i) {
      const ValueId id = program.steps_[s].outputs[i];
      observe(id, views.outputs[i]);
      if (hash != nullptr && id != kNoValue)
        hash->add(program.storage_[static_cast<size_t>(id)], views.outputs[i]);
    }
    if (ends != nullptr) ends[s] = Clock::now();
  }

  void observe(ValueId id, const TensorView& view) const {
    if (observer != nullptr && id != kNoValue && program.keep_[static_cast<size_t>(id)])
      observer->on_value(id, view);
  }
};

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
  const Inference inference{*this, workspace, observer};
  for (size_t i = 0; i < workspace.inputs_.size(); ++i)
    inference.observe(graph_.inputs[i], workspace.inputs_[i]);
  parallel_steps(steps_.size(), worthwhile_threads(threads_), inference);
}

uint64_t Program::run_hashed(std::span<const TensorView> inputs, Workspace& workspace) const {
  copy_inputs(inputs, workspace);
  Hash hash;
  const Inference inference{*this, workspace, nullptr, nullptr, &hash};
  parallel_steps(steps_.size(), threads_, inference);
  return hash.value();
}

std::vector<double> Program::run_timed(std::span<const TensorView> inputs, Workspace& workspace) const {
  using Clock = Inference::Clock;
  copy_inputs(inputs, workspace);
  std::vector<Clock::time_point> ends(steps_.size());
  const Inference inference{*this, workspace, nullptr, ends.data()};
  Clock::time_point before = Clock::now();
  parallel_steps(steps_.size(), worthwhile_threads(threads_), inference);
  std::vector<double> times;
  for (const Clock::time_point end : ends) {
    times.push_back(std::chrono::duration<double, std::milli>(end - before).count());
    before = end;
  }
  return times;
}

}  // namespace quantize
