// quantize run: runs any model on images or tensors.
#include "cli/run_command.h"

#include <CLI/CLI.hpp>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <numeric>

#include "calibration/images/batches.h"
#include "calibration/images/file_kind.h"
#include "calibration/search/input_codes.h"
#include "calibration/tasks/agreement.h"
#include "cli/console.h"
#include "cli/interrupt.h"
#include "cli/option_checks.h"
#include "cli/options.h"
#include "cli/samples.h"
#include "cli/task_options.h"
#include "cli/text.h"
#include "core/engine/engine.h"
#include "core/non_finite.h"
#include "core/passes/passes.h"
#include "onnx_io/onnx_io.h"

namespace quantize {

namespace fs = std::filesystem;

namespace {

struct RunOptions {
  std::string model, folder;
  std::vector<std::string> inputs, tasks;
  SampleFlags samples;
  EngineOptions engine;
  InputShapes input_shapes;
  size_t top = 0;
  bool hash = false;
};

// The model, made ready to run on samples.
struct Runner {
  const RunOptions& options;
  Engine& engine;
  const InputCodes& codes;
  int64_t batch;  // that it is fixed to

  const Graph& graph() const { return engine.graph(); }
};

// The outputs of one sample.
struct Result {
  std::string sample;
  std::vector<Tensor> outputs;  // empty: the image was skipped
  std::string hash = {};        // of all that was computed; empty: not asked for
};

// One output over all samples: a single tensor where they stack along the batch, else one per sample.
struct Output {
  std::string name;
  std::vector<Tensor> tensors;
  std::vector<std::string> files;  // one per tensor; empty without -o
};

struct Prediction {
  std::string sample;
  std::vector<size_t> classes;
  std::vector<double> scores;
};

Tensor load_tensor(const std::string& file, const Value& input) {
  Tensor tensor = file.ends_with(".pb") ? load_tensor_proto(file) : NpyArray::open(file).all();
  check_fits(file, tensor.dtype(), tensor.shape(), input);
  return tensor;
}

Result run_once(const Runner& runner, std::string sample, const std::vector<Tensor>& inputs) {
  const std::vector<Tensor> quantized = runner.codes.quantized(inputs);
  Result result{std::move(sample), runner.engine.run(quantized)};
  if (runner.options.hash) {
    char text[17];
    std::snprintf(text, sizeof text, "%016llx",
                  static_cast<unsigned long long>(runner.engine.hash(quantized)));
    result.hash = text;
  }
  return result;
}

// All INPUTs are NAME=FILE of a whole tensor each: one run.
Result run_named(const Runner& runner) {
  const std::vector<std::string>& arguments = runner.options.inputs;
  const Graph& model = runner.graph();
  std::vector<Tensor> inputs(model.inputs.size());
  for (const std::string& argument : arguments) {
    const ValueId id = named_input(model, argument);
    if (id == kNoValue)
      throw Error(ErrorKind::kInvalidArgument,
                  "'" + argument + "' has no NAME= before it, as the other inputs do");
    const Value& input = model.value(id);
    const size_t i =
        static_cast<size_t>(std::find(model.inputs.begin(), model.inputs.end(), id) - model.inputs.begin());
    if (inputs[i]) throw Error(ErrorKind::kInvalidArgument, "the input '" + input.name + "' is given twice");
    inputs[i] = load_tensor(argument.substr(input.name.size() + 1), input);
  }
  for (size_t i = 0; i < inputs.size(); ++i)
    if (!inputs[i])
      throw Error(ErrorKind::kInvalidArgument, "the input '" + model.value(model.inputs[i]).name +
                                                   "' is missing; add " + model.value(model.inputs[i]).name +
                                                   "=FILE.npy");
  return run_once(runner, arguments.empty() ? "no input" : arguments.front(), inputs);
}

// One INPUT that is a file or folder of samples.
struct Input {
  std::string path;
  Samples samples;
};
using Inputs = std::vector<std::unique_ptr<Input>>;

// Before anything is run: the preprocessing may be found by running the model, which must be whole for that.
Inputs open_inputs(const RunOptions& options, const Graph& model, Console& console) {
  std::vector<std::vector<std::string>> places;
  if (named_input(model, options.inputs.front()) != kNoValue)
    places.push_back(options.inputs);
  else
    for (const std::string& path : options.inputs) places.push_back({path});
  Inputs inputs;
  for (const std::vector<std::string>& paths : places) {
    const std::string path = join(paths, "', '");
    SampleFlags flags = options.samples;
    flags.paths = paths;
    inputs.emplace_back(new Input{path, open_samples(flags, model, options.engine, console)});
    const Samples& samples = inputs.back()->samples;
    console.explain("'" + path + "': " + format_plural(samples.source.count(), "sample") +
                    ", images: " + preprocessing_text(samples.preprocessing));
  }
  return inputs;
}

std::vector<Result> run_samples(const Runner& runner, Input& input, Console& console) {
  SampleSource& source = input.samples.source;
  const Batches batches(source, runner.batch);
  std::vector<Result> results(source.count());
  Progress progress = console.progress("running");
  for_each_batch(
      batches, runner.options.engine.thread_count(),
      [&](size_t, const Batches::Batch& batch) {
        const Result all = run_once(runner, input.path, batch.inputs);
        for (const size_t row : batch.rows)
          results[batch.first + row] = {source.name(batch.first + row), batches.row(all.outputs, row),
                                        all.hash};
      },
      [&](size_t done, size_t of) { progress.update(done, of); });
  warn_of_bad_images(source, console.diagnostics);
  std::erase_if(results, [](const Result& result) { return result.outputs.empty(); });
  return results;
}

// Without inputs that are samples: the tensors that were given by name.
std::vector<Result> run_all(const Runner& runner, const Inputs& inputs, Console& console) {
  if (inputs.empty()) return {run_named(runner)};
  std::vector<Result> results;
  for (const std::unique_ptr<Input>& input : inputs)
    for (Result& result : run_samples(runner, *input, console)) results.push_back(std::move(result));
  return results;
}

// The preprocessing of the first input's images.
std::optional<PreprocessChoice> preprocessing_of(const Inputs& inputs) {
  return inputs.empty() ? std::nullopt : inputs.front()->samples.preprocessing;
}

bool stack_up(const std::vector<Tensor>& tensors) {
  const Shape& first = tensors.front().shape();
  return std::all_of(tensors.begin(), tensors.end(), [&](const Tensor& tensor) {
    const Shape& shape = tensor.shape();
    return tensor.dtype() == tensors.front().dtype() && !shape.empty() && shape.size() == first.size() &&
           std::equal(shape.begin() + 1, shape.end(), first.begin() + 1);
  });
}

Tensor stacked(const std::vector<Tensor>& tensors) {
  Shape shape = tensors.front().shape();
  shape[0] = 0;
  for (const Tensor& tensor : tensors) shape[0] += tensor.shape()[0];
  Tensor result(tensors.front().dtype(), shape);
  size_t at = 0;
  for (const Tensor& tensor : tensors) {
    if (tensor.byte_size() == 0) continue;
    std::memcpy(static_cast<std::byte*>(result.mutable_bytes()) + at, tensor.bytes(), tensor.byte_size());
    at += tensor.byte_size();
  }
  return result;
}

std::vector<Output> outputs_of(const Graph& model, const std::vector<Result>& results) {
  std::vector<Output> outputs;
  for (size_t o = 0; o < model.outputs.size(); ++o) {
    Output output{model.value(model.outputs[o]).name, {}, {}};
    for (const Result& result : results) output.tensors.push_back(result.outputs[o]);
    if (output.tensors.size() > 1 && stack_up(output.tensors)) output.tensors = {stacked(output.tensors)};
    outputs.push_back(std::move(output));
  }
  return outputs;
}

// The output that holds the scores of classes, and what it means.
struct ClassOutput {
  size_t number;
  OutputTask task;
};

// Errors: Error(kInvalidArgument) if no output is scores of several classes.
ClassOutput class_output_of(const RunOptions& options, const Graph& model,
                            const std::vector<Tensor>& outputs) {
  std::vector<Tensor>
      inputs;  // of the shapes that are known: by them one can tell boxes and maps from the rest
  for (const Value& input : sample_inputs(model))
    if (input.shape && is_static(*input.shape)) inputs.emplace_back(input.dtype, *input.shape);
  const std::vector<OutputTask> tasks = decide_tasks(model, inputs, outputs, parse_tasks(options.tasks));
  check_meaning(model, tasks, Need::kClasses);
  const size_t number = *class_output(tasks);
  if (!tasks[number].measure->has_class_scores())
    throw Error(ErrorKind::kInvalidArgument, "--top has nothing to choose from: '" +
                                                 model.value(model.outputs[number]).name + "' is " +
                                                 tasks[number].reason);
  return {number, tasks[number]};
}

// The classes with the highest scores; none where NaN or infinity leaves open which they are.
Prediction prediction_of(const std::string& sample, const Tensor& output, size_t top) {
  Prediction prediction{sample, {}, {}};
  if (has_non_finite(output)) return prediction;
  const std::vector<double> scores = output.to_vector<double>();
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  order.resize(std::min(top, order.size()));
  for (const size_t c : order) prediction.scores.push_back(scores[c]);
  prediction.classes = std::move(order);
  return prediction;
}

// Where one result holds a whole batch, as of a tensor that was given by name, each row of it is a sample.
std::vector<Prediction> predictions_of(const RunOptions& options, const Graph& model,
                                       const std::vector<Result>& results) {
  std::vector<Prediction> predictions;
  if (options.top == 0) return predictions;
  for (const Result& result : results) {
    const Shape& shape = result.outputs.front().shape();
    const int64_t rows = shape.size() > 1 ? std::max<int64_t>(shape[0], 1) : 1;
    for (int64_t row = 0; row < rows; ++row) {
      const std::vector<Tensor> outputs = row_of(result.outputs, static_cast<size_t>(row), rows);
      const ClassOutput classes = class_output_of(options, model, outputs);
      predictions.push_back(
          prediction_of(rows == 1 ? result.sample : result.sample + "[" + std::to_string(row) + "]",
                        outputs[classes.number], options.top));
    }
  }
  return predictions;
}

void warn_of_non_finite(const Graph& model, const std::vector<Result>& results, Diagnostics& diagnostics) {
  for (size_t o = 0; o < model.outputs.size(); ++o) {
    const auto broken =
        static_cast<size_t>(std::count_if(results.begin(), results.end(), [&](const Result& result) {
          return has_non_finite(result.outputs[o]);
        }));
    if (broken != 0)
      diagnostics.warn("the output '" + model.value(model.outputs[o]).name + "' holds NaN or infinity in " +
                       std::to_string(broken) + " of " + format_plural(results.size(), "sample"));
  }
}

// Errors: Error(kUnsupported) if two outputs would be written to the same file.
void check_file_names(const Graph& model) {
  std::map<std::string, ValueId> names;  // an output that is listed twice is the same file twice
  for (const ValueId id : model.outputs)
    if (names.try_emplace(npy_file_name(model.value(id).name), id).first->second != id)
      throw Error(ErrorKind::kUnsupported, "two outputs would be written to '" +
                                               npy_file_name(model.value(id).name) +
                                               "'; rename them in the model");
}

void write(std::vector<Output>& outputs, const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    throw Error(ErrorKind::kIo, "the directory '" + folder.string() + "' cannot be made: " + error.message());
  for (Output& output : outputs) {
    for (size_t i = 0; i < output.tensors.size(); ++i) {
      const std::string number = output.tensors.size() == 1 ? "" : "_" + std::to_string(i);
      output.files.push_back((folder / npy_file_name(output.name + number)).string());
      save_npy(output.files.back(), output.tensors[i].view());
    }
  }
}

Json predictions_json(const std::vector<Prediction>& predictions) {
  Json json = Json::array();
  for (const Prediction& prediction : predictions)
    json.push_back(
        {{"sample", prediction.sample}, {"classes", prediction.classes}, {"scores", prediction.scores}});
  return json;
}

Json json_of(const RunOptions& options, const std::vector<Result>& results,
             const std::vector<Output>& outputs, const Inputs& inputs) {
  Json json;
  json["model"] = options.model;
  json["samples"] = results.size();
  json["preprocessing"] = preprocessing_json(preprocessing_of(inputs));
  json["outputs"] = Json::object();
  for (const Output& output : outputs) {
    Json& entry = json["outputs"][output.name];
    entry["shape"] = output.tensors.front().shape();
    entry["dtype"] = name_of(output.tensors.front().dtype());
    entry["file"] = output.files.empty() ? Json() : Json(output.files.front());
    if (output.files.size() > 1) entry["files"] = output.files;
  }
  if (options.hash)
    for (const Result& result : results)
      json["hashes"].push_back({{"sample", result.sample}, {"hash", result.hash}});
  return json;
}

std::string text_of(const RunOptions& options, const std::vector<Result>& results,
                    const std::vector<Output>& outputs, const Inputs& inputs, const Style& style) {
  std::string text = style.bold(printable(options.model)) + " on " + format_plural(results.size(), "sample") +
                     "\n  images  " + preprocessing_text(preprocessing_of(inputs)) + "\n\n";
  Table table({{"output"}, {"type"}, {"shape"}, {"file"}});
  for (const Output& output : outputs) {
    const std::string shape = to_string(output.tensors.front().shape());
    table.add({output.name, std::string(name_of(output.tensors.front().dtype())),
               output.tensors.size() == 1 ? shape : shape + " and others",
               output.files.empty() ? "not written; -o FOLDER" : output.files.front()});
  }
  text += table.text(style);
  if (options.hash) {
    Table hashes({{"sample"}, {"hash of all values"}});
    for (const Result& result : results) hashes.add({result.sample, result.hash});
    text += "\n" + hashes.text(style);
  }
  return text;
}

std::string predictions_text(const std::vector<Prediction>& predictions, const Style& style) {
  Table best({{"sample"}, {"best classes (scores)"}});
  for (const Prediction& prediction : predictions) {
    std::vector<std::string> classes;
    for (size_t i = 0; i < prediction.classes.size(); ++i)
      classes.push_back(std::to_string(prediction.classes[i]) + " (" +
                        format_figure(prediction.scores[i], 3) + ")");
    best.add({prediction.sample, classes.empty() ? "unknown: NaN or infinity" : join(classes, "  ")});
  }
  return "\n" + best.text(style);
}

// True if all INPUTs are NAME=FILE of tensors, which may be of any batch. Images, archives and folders are samples.
bool are_named_tensors(const RunOptions& options, const Graph& model) {
  return std::all_of(options.inputs.begin(), options.inputs.end(), [&](const std::string& argument) {
    const ValueId id = named_input(model, argument);
    if (id == kNoValue) return false;
    const fs::path file = argument.substr(model.value(id).name.size() + 1);
    return !fs::is_directory(file) && is_tensor_name(file) && ending_of(file) != ".npz";
  });
}

Report run(RunOptions options, Console& console) {
  Graph model = load_model(options.model, options.input_shapes, options.engine, console.diagnostics);
  drop_unread(options.inputs, model, console.diagnostics);
  if (!options.folder.empty()) {
    check_folder_writable(options.folder);
    check_file_names(model);
  }
  // Several samples have a thread each; a single one has them all.
  const bool named = are_named_tensors(options, model);
  const bool single = named || (options.inputs.size() == 1 && !fs::is_directory(options.inputs.front()));
  console.explain(options.model + ": " + format_plural(model.nodes.size(), "node") + ", opset " +
                  std::to_string(model.opset()) +
                  (single ? ", all threads for one sample" : ", a thread a sample"));
  Graph opened = with_context([&] { return options.model; }, [&] { return open_model(model); });
  check_memory(opened, single ? 1 : options.engine.thread_count(), options.engine);
  Inputs inputs;
  if (!named) inputs = open_inputs(options, model, console);
  const InputCodes codes(model);
  Engine engine(std::move(opened), {.kernels = &options.engine.kernels(),
                                    .threads = single ? options.engine.thread_count() : 1});
  const Runner runner{options, engine, codes, fixed_batch(model)};
  for (Value& value : model.values) value.initializer = Tensor();  // the engine's own go once they are packed
  const std::vector<Result> results = run_all(runner, inputs, console);
  throw_if_interrupted();
  warn_of_non_finite(model, results, console.diagnostics);
  const std::vector<Prediction> predictions = predictions_of(options, model, results);
  std::vector<Output> outputs = outputs_of(model, results);
  if (!options.folder.empty()) write(outputs, options.folder);
  Report report{json_of(options, results, outputs, inputs),
                text_of(options, results, outputs, inputs, console.style())};
  if (options.top != 0) {
    report.json["predictions"] = predictions_json(predictions);
    report.text += predictions_text(predictions, console.style());
  }
  return report;
}

CommandBody define(CLI::App& app) {
  const auto options = std::make_shared<RunOptions>();
  app.add_option("MODEL.onnx", options->model, "FP32, QDQ or int8")->required();
  app.add_option("INPUT", options->inputs,
                 "image, tensor file or folder of them, or NAME=FILE for each input")
      ->required()
      ->expected(1, -1);
  app.add_option("-o,--output", options->folder, "writes FOLDER/<output>.npy")->type_name("FOLDER");
  add_task_option(app, options->tasks);
  app.add_option("--top", options->top, "prints the K best classes of each sample")
      ->type_name("K")
      ->check(whole_number(1, 1'000'000));
  app.add_flag("--hash", options->hash,
               "prints a hash of every value computed on the way, the same on every CPU");
  options->samples.first = true;
  add_preprocess_options(app, options->samples);
  add_input_shapes(app, options->input_shapes);
  add_engine_options(app, options->engine);
  return [options](Console& console) { return run(*options, console); };
}

}  // namespace

const Command kRunCommand = {
    .name = "run",
    .summary = "runs any model on images or tensors",
    .example =
        "  quantize run mobilenet.qdq.onnx photo.jpg --top 5\n"
        "  quantize run mobilenet.qdq.onnx image=tensor.npy -o outputs/\n",
    .define = define,
};

}  // namespace quantize
