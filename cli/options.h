// Options that several commands share, and the checks of their values.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "core/error.h"
#include "core/graph.h"
#include "kernels/kernel_table.h"

namespace CLI {
class Option;
}

namespace quantize {

/// --threads, --isa, --fp32-exact and --max-memory.
struct EngineOptions {
  int threads = 0;  // 0: all CPUs
  std::string isa;  // "": the best
  bool fp32_exact = false;
  std::string max_memory;  // as it is written; "": three quarters of the machine's

  int thread_count() const;
  const KernelTable& kernels() const;
};
/// Adds the options of EngineOptions to a command.
void add_engine_options(CLI::App& app, EngineOptions& options);

/// --input-shape NAME=1x3x224x224, repeatable.
using InputShapes = std::vector<std::string>;
void add_input_shapes(CLI::App& app, InputShapes& shapes);

/// Fixes the extents of the named inputs.
/// Errors: Error(kInvalidArgument) for text of another form, an unknown input or a contradiction to the
/// model.
void fix_input_shapes(Graph& graph, const InputShapes& shapes);

/// Reads a model and fixes its input shapes; "-" is standard input. Errors: those of load_model and
/// fix_input_shapes.
Graph load_model(const std::string& path, const InputShapes& shapes);
/// The same, with a warning where warn_of_widening has one. Errors: also Error(kUnsupported) for a file that is
/// larger than --max-memory allows.
Graph load_model(const std::string& path, const InputShapes& shapes, const EngineOptions& engine,
                 Diagnostics& diagnostics);

/// Warns that a model of f16 or bf16 is f32 from now on.
void warn_of_widening(const std::string& path, const Graph& model, Diagnostics& diagnostics);

/// The bytes that running the prepared model on `threads` samples at a time needs (needed_bytes).
/// Errors: Error(kUnsupported) if --max-memory allows less.
uint64_t check_memory(const Graph& prepared, int threads, const EngineOptions& engine);

/// Errors: Error(kUnsupported) if the model is quantized already.
void check_is_float(const Graph& model);

/// "x=1x3x48x320": a shape that the input can be fixed to with --input-shape, its known extents as they are.
std::string example_shape(const Value& input);

/// True if at most the batch of the model's inputs is unknown.
bool sizes_are_known(const Graph& graph);

/// True for a pipe, device or "-": what cannot be read twice, and has nothing beside it.
bool is_stream(const std::string& path);

/// Bytes of a model on disk, with those of its external data; nothing for a pipe or device.
std::optional<uint64_t> bytes_of_model(const std::string& path, const Graph& graph);

/// An option or argument that names a file to be written: "-" stands for standard output.
CLI::Option* output_file(CLI::Option* option);

/// Checks, before the long work starts, that a file can be written: its directory exists and is writable, it
/// is no directory or socket, and none of the files in `inputs`. A device or pipe only has to be writable.
/// Errors: Error(kIo) if it cannot be; Error(kInvalidArgument) if it would replace an input.
void check_writable(const std::filesystem::path& file, const std::vector<std::filesystem::path>& inputs);

/// check_writable, for a file that `option` names. If that is where standard output goes, the file alone goes
/// there, and the results go to stderr. Errors: also Error(kInvalidArgument) if --json wants it too.
void claim_output(const std::string& option, const std::string& file,
                  const std::vector<std::filesystem::path>& inputs, Console& console);

/// True if both name one file; not for devices, which take all that is written to them.
bool is_same_file(const std::filesystem::path& a, const std::filesystem::path& b);

/// The same for a folder that files will be written into; it need not exist yet.
/// Errors: Error(kIo).
void check_folder_writable(const std::filesystem::path& folder);

}  // namespace quantize
