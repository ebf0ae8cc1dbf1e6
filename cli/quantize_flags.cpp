// Options that go together, and files that can be written.
#include "cli/quantize_flags.h"

#include <filesystem>

#include "cli/max_memory.h"
#include "cli/mode_options.h"
#include "core/error.h"
#include "core/quantization/modes/mode.h"

namespace quantize {

namespace fs = std::filesystem;

namespace {

// The files that are read, as far as they exist.
std::vector<fs::path> read_files(const QuantizeFlags& flags) {
  std::vector<fs::path> inputs = {flags.model};
  std::vector<std::string> named = paths_in(flags.samples);
  named.insert(named.end(), {flags.samples.preprocess, flags.scheme.overrides, flags.labels.file,
                             flags.statistics, flags.known.import, flags.recipe.recipe});
  for (const std::string& file : named)
    if (!file.empty() && fs::exists(file)) inputs.push_back(file);
  return inputs;
}

}  // namespace

std::string output_of(const QuantizeFlags& flags) {
  if (!flags.output.empty()) return flags.output;
  return fs::path(flags.model).replace_extension("." + flags.format + ".onnx").string();
}

std::optional<uint64_t> max_size_of(const QuantizeFlags& flags) {
  if (flags.max_size.empty()) return std::nullopt;
  return parse_size(flags.max_size, "--max-size");
}

std::string target_of(const QuantizeFlags& flags) {
  if (!flags.target.empty()) return flags.target;
  return flags.format == "int8" ? "native" : flags.format == "reference" ? "generic" : "ort-x86";
}

std::optional<CodeForm> code_form_of(const QuantizeFlags& flags, const QuantizationScheme& scheme) {
  if (flags.max_size.empty() && flags.scheme.scheme.weights.num_bits == 8 && !asks_for_few_bits(scheme))
    return std::nullopt;
  return code_form(find_target(target_of(flags)), flags.format != "qdq");
}

void check_flags(const QuantizeFlags& flags) {
  max_size_of(flags);
  if (flags.bound && flags.samples.paths.empty())
    throw Error(ErrorKind::kInvalidArgument,
                "--min-agreement, --min-sqnr and --max-drop are measured on images; give --calib");
  const bool statistics_exist = !flags.statistics.empty() && fs::exists(flags.statistics);
  const bool by_ranges = takes_ranges(flags.scheme);
  if (!by_ranges && !flags.statistics.empty())
    throw Error(ErrorKind::kInvalidArgument,
                "--statistics has no effect without a node of --mode static; leave it out");
  if (!by_ranges && flags.input_type == "u8")
    throw Error(ErrorKind::kInvalidArgument,
                "--input-type u8 has no effect without a node of --mode static; leave it out");
  if (flags.format != "qdq" && !asks_for_integers(flags.scheme))
    throw Error(ErrorKind::kInvalidArgument,
                "--format " + flags.format +
                    " has no effect without a node of --mode static or dynamic; leave it out");
  if (by_ranges && flags.samples.paths.empty() && !statistics_exist && !flags.known)
    throw Error(ErrorKind::kInvalidArgument,
                "--calib is required: a folder with images like those the model will see");
  if (flags.samples.paths.empty() && !flags.labels.file.empty())
    throw Error(ErrorKind::kInvalidArgument, "--labels are of the images of --calib; give both");
  if (flags.samples.paths.empty() &&
      (flags.samples.samples || flags.samples.seed || !flags.samples.shard.empty()))
    throw Error(
        ErrorKind::kInvalidArgument,
        "--samples, --seed and --shard choose among the images of --calib; statistics are used whole");
}

void claim_outputs(const QuantizeFlags& flags, Console& console) {
  if (flags.output.empty() && is_stream(flags.model))
    throw Error(ErrorKind::kInvalidArgument,
                "'" + flags.model + "' is no file that a model could be written beside; give -o FILE");
  std::vector<std::pair<std::string, std::string>> outputs = {{"-o", output_of(flags)},
                                                              {"--plan", flags.plan}};
  if (!flags.statistics.empty() && !fs::exists(flags.statistics))
    outputs.emplace_back("--statistics", flags.statistics);
  const std::vector<fs::path> inputs = read_files(flags);
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto& [option, file] = outputs[i];
    if (file.empty()) continue;
    for (size_t j = 0; j < i; ++j)
      if (!outputs[j].second.empty() && is_same_file(file, outputs[j].second))
        throw Error(ErrorKind::kInvalidArgument, outputs[j].first + " and " + option + " both name '" + file +
                                                     "'; give each a file of its own");
    claim_output(option, file, inputs, console);
  }
}

}  // namespace quantize
