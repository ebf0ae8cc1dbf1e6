// The rounds. Read measure() first.
#include "cli/bench_measure.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <set>

#include "calibration/statistics/budget.h"
#include "cli/interrupt.h"
#include "cli/max_memory.h"
#include "cli/options.h"
#include "cli/text.h"
#include "core/ops/macs.h"
#include "core/parallel.h"
#include "core/passes/passes.h"

namespace quantize {

namespace {

using Clock = std::chrono::steady_clock;

constexpr double kSlotMs = 30;      // one visit to one model
constexpr double kProbeMs = 2;      // one probe
constexpr double kAccepted = 0.97;  // of the best probe

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

/// The value below which a share of the numbers lies; they are sorted here.
double quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(std::lround(share * static_cast<double>(values.size() - 1)))];
}

/// Numbers between -2 and 2, or codes, without a pattern; the same every time. Wider integers, which may be
/// indices, are 0.
Tensor random_input(const Value& input) {
  Tensor tensor(input.dtype, *input.shape);
  uint32_t state = 12345;
  for (int64_t i = 0; i < tensor.size(); ++i) {
    state = state * 1664525 + 1013904223;
    if (input.dtype == DataType::kF32)
      tensor.mutable_data<float>()[i] = static_cast<float>(state >> 8) / static_cast<float>(1 << 22) - 2.0f;
    else if (size_of(input.dtype) == 1)
      static_cast<std::byte*>(tensor.mutable_bytes())[i] = static_cast<std::byte>(state >> 25);
  }
  return tensor;
}

/// A model ready to run.
struct Subject {
  /// `taken`: bytes that other models need.
  Subject(const std::string& path, const BenchPlan& plan, uint64_t taken)
      : file(path), threads(plan.threads) {
    const auto start = Clock::now();
    Graph graph = load_model(path, plan.input_shapes);
    model_bytes = bytes_of_model(path, graph);
    for (ValueId id : graph.inputs) {
      Value& input = graph.value(id);
      if (input.shape && !input.shape->empty() && input.shape->front() == kUnknownDim)
        input.shape->front() = 1;
      if (!input.shape || !is_static(*input.shape))
        throw Error(ErrorKind::kInvalidArgument, "'" + path + "' leaves the shape of input '" + input.name +
                                                     "' open; fix it with --input-shape " +
                                                     example_shape(input));
      inputs.push_back(random_input(input));
      shapes.push_back(*input.shape);
    }
    for (const Tensor& input : inputs) views.push_back(input.view());
    CompileOptions options;
    options.kernels = plan.kernels;
    options.threads = plan.threads;
    Graph opened = with_context([&] { return path; }, [&] { return open_model(graph); });
    needed = needed_bytes(opened, 1);
    check_needed(taken + needed, plan.max_memory);
    engine = std::make_unique<Engine>(std::move(opened), options);
    program = engine->program(shapes);
    if (program) workspace = std::make_unique<Workspace>(*program);
    load_ms = ms_since(start);
    first_ms = run();
    steps = program ? step_times(*program, std::vector<double>(program->steps().size())) : timed_steps();
  }

  double run() {
    ++inferences;
    if (worthwhile_threads(threads) < threads) ++alone;
    const auto start = Clock::now();
    if (program)
      program->run(views, *workspace);
    else
      engine->run(inputs);
    return ms_since(start);
  }

  /// The steps of one inference, with their times.
  std::vector<StepTime> timed_steps() const {
    if (program) return step_times(*program, program->run_timed(views, *workspace));
    std::vector<StepTime> times;
    engine->run(inputs, nullptr, &times);
    return times;
  }

  std::string file;
  std::optional<uint64_t> model_bytes;
  uint64_t needed = 0;  // bytes in memory
  int threads;
  size_t inferences = 0, alone = 0;
  std::vector<Tensor> inputs;
  std::vector<Shape> shapes;
  std::vector<TensorView> views;
  std::unique_ptr<Engine> engine;
  std::shared_ptr<const Program> program;  // nullptr for a model that runs in several parts
  std::unique_ptr<Workspace> workspace;    // of the program
  std::vector<StepTime> steps;             // of an inference, in order
  double load_ms = 0, first_ms = 0;
  std::vector<std::vector<double>> rounds;  // times of every round
};

/// The speed of the CPU in registers alone, in multiply-accumulates per second.
class Probe {
 public:
  explicit Probe(uint64_t (*kernel)(uint64_t) noexcept) : kernel_(kernel) {
    while (timed(rounds_).first < kProbeMs / 2 && rounds_ < (uint64_t{1} << 40)) rounds_ *= 2;
  }
  double measure() {
    const auto [ms, macs] = timed(rounds_);
    const double rate = static_cast<double>(macs) / ms * 1e3;
    best = std::max(best, rate);
    return rate;
  }
  double best = 0;

 private:
  std::pair<double, uint64_t> timed(uint64_t rounds) const {
    const auto start = Clock::now();
    const uint64_t macs = kernel_(rounds);
    return {ms_since(start), macs};
  }
  uint64_t (*kernel_)(uint64_t) noexcept;
  uint64_t rounds_ = 1000;
};

/// One visit: inferences until the slot is full.
std::vector<double> visit(Subject& subject) {
  std::vector<double> times;
  for (const auto start = Clock::now(); times.empty() || ms_since(start) < kSlotMs;)
    times.push_back(subject.run());
  return times;
}

/// Marks so many rounds: those in which the CPU was fastest.
std::vector<bool> accepted_rounds(const std::vector<double>& probes, size_t rounds) {
  std::vector<size_t> order(probes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return probes[a] > probes[b]; });
  std::vector<bool> accepted(probes.size(), false);
  for (size_t i = 0; i < std::min(rounds, order.size()); ++i) accepted[order[i]] = true;
  return accepted;
}

bool is_integer(const Graph& graph, ValueId id) {
  return id != kNoValue && (graph.value(id).dtype == DataType::kU8 || graph.value(id).dtype == DataType::kS8);
}

/// "int8" for a step that computes on codes, "float" for one on reals, "convert" between the two, "other".
std::string kernel_of(const StepTime& step) {
  const Graph& graph = *step.graph;
  const ValueId x = step.inputs.empty() ? kNoValue : step.inputs[0],
                y = step.outputs.empty() ? kNoValue : step.outputs[0];
  const bool from = std::any_of(step.inputs.begin(), step.inputs.end(), [&](ValueId id) {
    return is_integer(graph, id) && !graph.value(id).is_constant();
  });
  const bool to = is_integer(graph, y);
  if (from && to) return "int8";
  const bool reads_real = x != kNoValue && graph.value(x).dtype == DataType::kF32;
  if (from && macs_of(graph, *step.node) > 0) return "int8";
  if (from || to) return "convert";
  return reads_real ? "float" : "other";
}

/// The times of every step, of the faster half of the inferences of a slot: in the others something else ran.
std::vector<std::vector<double>> times_of_steps(const Subject& subject, const BenchPlan& plan) {
  std::vector<std::vector<double>> inferences;
  for (const auto start = Clock::now(); inferences.size() < plan.rounds * 2 || ms_since(start) < kSlotMs;) {
    throw_if_interrupted();
    inferences.emplace_back();
    for (const StepTime& step : subject.timed_steps()) inferences.back().push_back(step.milliseconds);
  }
  const auto total = [](const std::vector<double>& steps) {
    return std::accumulate(steps.begin(), steps.end(), 0.0);
  };
  std::stable_sort(inferences.begin(), inferences.end(),
                   [&](const auto& a, const auto& b) { return total(a) < total(b); });
  inferences.resize((inferences.size() + 1) / 2);
  std::vector<std::vector<double>> times(subject.steps.size());
  for (const std::vector<double>& steps : inferences)
    for (size_t s = 0; s < times.size(); ++s) times[s].push_back(steps[s]);
  return times;
}

std::vector<LayerTime> measure_layers(const Subject& subject, const BenchPlan& plan) {
  const std::vector<std::vector<double>> times = times_of_steps(subject, plan);
  std::vector<LayerTime> layers;
  for (size_t s = 0; s < times.size(); ++s) {
    const StepTime& step = subject.steps[s];
    const bool has_output = !step.outputs.empty() && step.outputs[0] != kNoValue;
    layers.push_back({step.node->name, step.node->op_type, has_output ? to_string(step.shape) : "",
                      kernel_of(step), macs_of(*step.graph, *step.node), quantile(times[s], 0.5)});
  }
  return layers;
}

ModelTime summary(const Subject& subject, const Subject& first, const std::vector<bool>& accepted) {
  std::vector<double> times, ratios;
  for (size_t r = 0; r < accepted.size(); ++r) {
    if (!accepted[r]) continue;
    times.insert(times.end(), subject.rounds[r].begin(), subject.rounds[r].end());
    ratios.push_back(quantile(subject.rounds[r], 0.5) / quantile(first.rounds[r], 0.5));
  }
  ModelTime result;
  result.file = subject.file;
  result.median_ms = quantile(times, 0.5);
  result.min_ms = quantile(times, 0);
  result.p95_ms = quantile(times, 0.95);
  result.ratio = quantile(ratios, 0.5);
  result.ratio_low = quantile(ratios, 0.25);
  result.ratio_high = quantile(ratios, 0.75);
  result.batch = subject.shapes.empty() || subject.shapes[0].empty() ? 1 : subject.shapes[0][0];
  result.load_ms = subject.load_ms;
  result.first_ms = subject.first_ms;
  result.model_bytes = subject.model_bytes;
  uint64_t integer_macs = 0;
  std::set<const Program*> programs;
  for (const StepTime& step : subject.steps) {
    const uint64_t macs = macs_of(*step.graph, *step.node);
    result.macs += macs;
    if (kernel_of(step) == "int8") integer_macs += macs;
    if (step.program != nullptr && programs.insert(step.program).second)
      result.memory_bytes += step.program->arena_bytes();
  }
  result.is_int8 = integer_macs * 2 > result.macs;
  return result;
}

}  // namespace

BenchResult measure(const BenchPlan& plan, Console& console) {
  std::vector<Subject> subjects;
  uint64_t taken = 0;
  for (const std::string& file : plan.files) {
    subjects.emplace_back(file, plan, taken);
    const Subject& subject = subjects.back();
    taken += subject.needed;
    console.explain(file + ": " + std::to_string(subject.steps.size()) + " steps, input " +
                    (subject.shapes.empty() ? "none" : to_string(subject.shapes[0])) + ", ready after " +
                    format_fixed(subject.load_ms, 1) + " ms, first inference " +
                    format_figure(subject.first_ms, 3) + " ms");
  }
  Probe f32(plan.kernels->probe_f32), u8s8(plan.kernels->probe_u8s8);
  for (Subject& subject : subjects) visit(subject);  // warms up
  std::vector<double> probes;
  BenchResult result;
  Progress progress = console.progress("measuring");
  for (size_t r = 0; r < plan.rounds * 2; ++r) {
    throw_if_interrupted();
    const double before = f32.measure();
    u8s8.measure();
    for (Subject& subject : subjects) subject.rounds.push_back(visit(subject));
    probes.push_back(std::min(before, f32.measure()));
    console.explain("round " + std::to_string(r + 1) + ": the CPU did " +
                    format_fixed(100 * probes.back() / f32.best, 1) + " % of its best");
    progress.update(r + 1, r < plan.rounds ? plan.rounds : plan.rounds * 2);
    const auto good =
        std::count_if(probes.begin(), probes.end(), [&](double p) { return p >= kAccepted * f32.best; });
    if (r + 1 >= plan.rounds && static_cast<size_t>(good) >= plan.rounds) break;
  }
  const std::vector<bool> accepted = accepted_rounds(probes, plan.rounds);
  result.rounds = plan.rounds;
  result.repeated_rounds = probes.size() - plan.rounds;
  for (size_t r = 0; r < probes.size(); ++r)
    result.noisy_rounds += accepted[r] && probes[r] < kAccepted * f32.best;
  result.peak_f32 = f32.best;
  result.peak_u8s8 = u8s8.best;
  for (const Subject& subject : subjects) {
    result.models.push_back(summary(subject, subjects.front(), accepted));
    result.inferences += subject.inferences;
    result.alone += subject.alone;
    if (plan.layers) result.models.back().layers = measure_layers(subject, plan);
  }
  return result;
}

std::vector<SlowerStep> slower_steps(const ModelTime& float_model, const ModelTime& int8_model) {
  constexpr double kMuch = 1.1, kLittleMs = 1e-3;
  std::map<std::string, double> float_times;
  for (const LayerTime& layer : float_model.layers)
    if (layer.kernel == "float") float_times[layer.name] = layer.median_ms;
  std::vector<SlowerStep> slower;
  for (const LayerTime& layer : int8_model.layers) {
    const auto found = float_times.find(layer.name);
    if (layer.kernel != "int8" || found == float_times.end()) continue;
    const double limit = std::max(found->second * kMuch, found->second + kLittleMs);
    if (layer.median_ms > limit) slower.push_back({layer.name, layer.median_ms, found->second});
  }
  std::sort(slower.begin(), slower.end(), [](const SlowerStep& a, const SlowerStep& b) {
    return a.int8_ms - a.float_ms > b.int8_ms - b.float_ms;
  });
  return slower;
}

}  // namespace quantize
