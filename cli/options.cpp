// Shared options.
#include "cli/options.h"

#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>

#include "calibration/statistics/budget.h"
#include "cli/console.h"
#include "cli/max_memory.h"
#include "cli/option_checks.h"
#include "cli/text.h"
#include "core/error.h"
#include "core/integer/model_facts.h"
#include "core/memory_block.h"
#include "core/parallel.h"
#include "core/passes/narrow_doubles.h"
#include "onnx_io/onnx_io.h"

namespace quantize {

namespace fs = std::filesystem;

namespace {

std::vector<std::string> isa_names() {
  std::vector<std::string> names;
  for (const Isa isa : supported_isas()) names.push_back(name_of(isa));
  return names;
}

// "1x3x224x224"; nothing for any other text.
Shape parse_shape(const std::string& text) {
  Shape shape;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (true) {
    int64_t extent = 0;
    const auto [next, error] = std::from_chars(at, end, extent);
    if (error != std::errc() || extent < 1) return {};
    shape.push_back(extent);
    if (next == end) return shape;
    if (*next != 'x') return {};
    at = next + 1;
  }
}

std::string input_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const ValueId id : graph.inputs) names.push_back("'" + graph.value(id).name + "'");
  return join(names, ", ");
}

void fix_input_shape(Graph& graph, const std::string& text) {
  const size_t split = text.rfind('=');
  const std::string name = text.substr(0, split);
  const Shape shape = split == std::string::npos ? Shape{} : parse_shape(text.substr(split + 1));
  if (shape.empty())
    throw Error(
        ErrorKind::kInvalidArgument,
        "--input-shape '" + text + "' is not of the form NAME=1x3x224x224 with extents of at least 1");
  const auto found = std::find_if(graph.inputs.begin(), graph.inputs.end(),
                                  [&](ValueId id) { return graph.value(id).name == name; });
  if (graph.info.has_unread_input(name))
    throw Error(ErrorKind::kInvalidArgument,
                "--input-shape names '" + name + "', on which no output depends; leave it out");
  if (found == graph.inputs.end())
    throw Error(ErrorKind::kInvalidArgument,
                "--input-shape names '" + name + "', but the inputs of the model are " + input_names(graph));
  Value& input = graph.value(*found);
  const Shape allowed = input.shape.value_or(Shape(shape.size(), kUnknownDim));
  bool fits = allowed.size() == shape.size();
  for (size_t i = 0; fits && i < shape.size(); ++i)
    fits = allowed[i] == kUnknownDim || allowed[i] == shape[i];
  if (!fits)
    throw Error(ErrorKind::kInvalidArgument, "--input-shape gives '" + name + "' the shape " +
                                                 to_string(shape) + ", but the model takes " +
                                                 to_string(allowed));
  input.shape = shape;
  input.dim_names.clear();
}

}  // namespace

int EngineOptions::thread_count() const {
  return threads == 0 ? available_threads() : threads;
}

const KernelTable& EngineOptions::kernels() const {
  Isa level;
  return kernels_for(parse_isa(isa.c_str(), level) ? level : best_kernels().isa, fp32_exact);
}

void add_engine_options(CLI::App& app, EngineOptions& options) {
  app.add_option("--threads", options.threads, "default: one per CPU")
      ->type_name("N")
      ->check(whole_number(1, 1024))
      ->group("Engine");
  const std::vector<std::string> names = isa_names();
  app.add_option("--isa", options.isa,
                 "instructions to use: " + join(names, ", ") + " (default " + names.back() + ")")
      ->type_name("NAME")
      ->check(one_of(names))
      ->group("Engine");
  app.add_flag("--fp32-exact", options.fp32_exact,
               "sum FP32 convolutions tap by tap, not by Winograd's faster way")
      ->group("Engine");
  add_max_memory(app, options.max_memory);
}

void add_input_shapes(CLI::App& app, InputShapes& shapes) {
  app.add_option("--input-shape", shapes, "fixes symbolic extents of an input; repeatable")
      ->type_name("NAME=1x3x224x224")
      ->allow_extra_args(false)
      ->group("Engine");
}

void fix_input_shapes(Graph& graph, const InputShapes& shapes) {
  for (const std::string& shape : shapes) fix_input_shape(graph, shape);
}

Graph load_model(const std::string& path, const InputShapes& shapes) {
  Graph graph = load_model(path == "-" ? "/dev/stdin" : path);
  fix_input_shapes(graph, shapes);
  return graph;
}

void warn_of_widening(const std::string& path, const Graph& model, Diagnostics& diagnostics) {
  std::vector<std::string> types;
  for (const DataType type : model.info.widened_from) types.emplace_back(name_of(type));
  if (!types.empty())
    diagnostics.warn("'" + path + "' holds numbers of " + join(types, " and ") +
                     ", inputs and outputs too where it has such; all are read and computed as f32, and "
                     "written so without --rest");
}

bool has_doubles(const Graph& model) {
  const auto is_double = [](DataType dtype) { return dtype == DataType::kF64; };
  return std::any_of(model.values.begin(), model.values.end(), [&](const Value& value) {
    return is_double(value.dtype) || is_double(value.initializer.dtype());
  });
}

/// An error of the model is left to those who open it.
void warn_of_narrowing(const std::string& path, const Graph& model, Diagnostics& diagnostics) {
  if (!has_doubles(model)) return;
  std::vector<std::string> names;
  try {
    Graph copy = model;
    names = narrow_doubles(copy);
  } catch (const Error&) {
    return;
  }
  if (!names.empty())
    diagnostics.warn("'" + path + "' computes with f64, but " + format_plural(names.size(), "node") +
                     ", as '" + names.front() + "', in f32, as the operator does here");
}

Graph load_model(const std::string& path, const InputShapes& shapes, const EngineOptions& engine,
                 Diagnostics& diagnostics) {
  const uint64_t allowed = max_memory(engine.max_memory);
  limit_blocks(allowed);
  if (fs::is_regular_file(path)) check_needed(fs::file_size(path), allowed);
  Graph graph = load_model(path, shapes);
  warn_of_widening(path, graph, diagnostics);
  warn_of_narrowing(path, graph, diagnostics);
  return graph;
}

uint64_t check_memory(const Graph& prepared, int threads, const EngineOptions& engine) {
  const uint64_t needed = needed_bytes(prepared, threads);
  check_needed(needed, max_memory(engine.max_memory));
  return needed;
}

void check_is_float(const Graph& model) {
  const std::string format = quantization_facts(model).format;
  if (format != "float")
    throw Error(ErrorKind::kUnsupported,
                "the model is quantized already (" + format + "); give the FP32 model");
}

std::string example_shape(const Value& input) {
  Shape shape = input.shape.value_or(Shape(4, kUnknownDim));
  constexpr int64_t kSize = 224;
  for (size_t i = 0; i < shape.size(); ++i) {
    const bool colours = shape.size() == 4 && i == 1;
    if (shape[i] == kUnknownDim) shape[i] = i == 0 ? 1 : colours ? 3 : kSize;
  }
  return input.name + "=" + to_string(shape);
}

bool sizes_are_known(const Graph& graph) {
  return std::all_of(graph.inputs.begin(), graph.inputs.end(), [&](ValueId id) {
    const std::optional<Shape>& shape = graph.value(id).shape;
    return shape && (shape->empty() || is_static(Dims(*shape).subspan(1)));
  });
}

bool is_stream(const std::string& path) {
  std::error_code ignored;
  const fs::file_status status = fs::status(path, ignored);
  return path == "-" || (fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status));
}

std::optional<uint64_t> bytes_of_model(const std::string& path, const Graph& graph) {
  if (is_stream(path)) return std::nullopt;
  const uint64_t file = fs::file_size(path);
  uint64_t constants = 0;
  for (const Value& value : graph.values)
    constants +=
        value.initializer.byte_size() / static_cast<uint64_t>(packed_per_byte(value.initializer.dtype()));
  if (!graph.info.widened_from.empty()) constants /= 2;  // as the file has them
  return constants > file ? file + constants : file;  // constants that do not fit into the file lie beside it
}

CLI::Option* output_file(CLI::Option* option) {
  return option->type_name("FILE")->transform(
      [](const std::string& text) { return text == "-" ? std::string("/dev/stdout") : text; }, "");
}

bool is_same_file(const fs::path& a, const fs::path& b) {
  std::error_code ignored;
  if (fs::is_character_file(a, ignored)) return false;
  const auto plain = [&](const fs::path& path) {
    return fs::weakly_canonical(fs::absolute(path, ignored), ignored);
  };
  return plain(a) == plain(b) || fs::equivalent(a, b, ignored);
}

void check_writable(const fs::path& file, const std::vector<fs::path>& inputs) {
  std::error_code ignored;
  const fs::file_status status = fs::status(file, ignored);
  if (fs::is_directory(status) || fs::is_socket(status))
    throw Error(ErrorKind::kIo, "the output '" + file.string() + "' is a " +
                                    (fs::is_socket(status) ? "socket" : "directory") +
                                    "; give the name of a file");
  for (const fs::path& input : inputs)
    if (is_same_file(file, input))
      throw Error(ErrorKind::kInvalidArgument,
                  "the output '" + file.string() + "' is the input itself; choose another file with -o");
  if (fs::exists(status) && access(file.c_str(), W_OK) != 0)
    throw Error(ErrorKind::kIo, "the output '" + file.string() + "' is not writable; choose another file");
  if (fs::exists(status) && !fs::is_regular_file(status)) return;  // nothing is made beside it
  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  if (!fs::exists(folder, ignored))
    throw Error(ErrorKind::kIo,
                "the directory '" + folder.string() + "' of the output does not exist; create it first");
  check_folder_writable(folder);
}

void claim_output(const std::string& option, const std::string& file, const std::vector<fs::path>& inputs,
                  Console& console) {
  check_writable(file, inputs);
  struct stat own = {}, other = {};
  if (stat(file.c_str(), &own) != 0 || fstat(STDOUT_FILENO, &other) != 0) return;
  const bool is_null_device = S_ISCHR(own.st_mode) && isatty(STDOUT_FILENO) == 0;
  if (is_null_device || own.st_dev != other.st_dev || own.st_ino != other.st_ino) return;
  console.give_up_stdout(option);
}

void check_folder_writable(const fs::path& folder) {
  std::error_code ignored;
  fs::path existing = folder;
  while (!fs::exists(existing, ignored) && existing.has_parent_path()) existing = existing.parent_path();
  if (!fs::exists(existing, ignored)) existing = ".";
  if (!fs::is_directory(existing, ignored))
    throw Error(ErrorKind::kIo, "'" + existing.string() + "' is not a directory; choose another output");
  if (access(existing.c_str(), W_OK) != 0)
    throw Error(ErrorKind::kIo, "the directory '" + existing.string() + "' of the output is not writable");
}

}  // namespace quantize
