// Samples for the network: the options that say where they come from, how they become tensors, and the loop
// over them.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "calibration/images/preprocess_choice.h"
#include "calibration/images/sample_source.h"
#include "calibration/search/validator.h"
#include "calibration/statistics/calibrate.h"
#include "cli/console.h"
#include "cli/options.h"

namespace quantize {

/// --calib/--images and what belongs to them.
struct SampleFlags {
  std::vector<std::string> paths;                // PATH, or NAME=PATH for each input of the model
  const char* path_option = "--calib,--images";  // the first name is the one in the usage
  std::string preprocess = "auto";
  std::optional<size_t> samples;
  std::optional<uint64_t> seed;
  bool first = false;  // --samples takes the first ones: who runs a model reads one result after the other
  std::string shard;
  std::optional<size_t> max_bad_images;
  size_t kept_image_bytes = 0;  // not options: see SampleOptions
  bool is_part = false;
};

/// Adds all of them; `path_required` is false where a statistics file or an INPUT can stand for the path.
void add_sample_options(CLI::App& app, SampleFlags& flags, bool path_required);
/// Adds --preprocess, --samples, --seed and --max-bad-images only.
void add_preprocess_options(CLI::App& app, SampleFlags& flags);

/// The right classes, by the name of the sample or its last part.
using SampleLabels = std::map<std::string, int64_t>;

/// Samples that are ready to load.
struct Samples {
  SampleSource source;
  std::optional<PreprocessChoice> preprocessing;  // nothing for tensors, which are taken as they are
};

/// A preprocessing in the JSON of a report: {"name", "given", "sure", "evidence", "runner_up", "settings"};
/// null for tensors.
Json preprocessing_json(const std::optional<PreprocessChoice>& choice);
/// The same in one line of a summary.
std::string preprocessing_text(const std::optional<PreprocessChoice>& choice);

/// The preprocessing that --preprocess names, if it is not `auto`. Errors: those of load_preprocess.
PreprocessChoice given_preprocess(const std::string& argument, const std::vector<ImageInput>& inputs);

/// The model input that "NAME=FILE" names, or kNoValue for the path of a file or folder.
/// Errors: Error(kInvalidArgument) naming the inputs for any other name.
ValueId named_input(const Graph& model, const std::string& argument);

/// Leaves out "NAME=FILE" of inputs that no node reads, with a warning: accepted, as by other runtimes, and not
/// used.
void drop_unread(std::vector<std::string>& arguments, const Graph& model, Diagnostics& diagnostics);

/// The files and folders that the paths name, for checks before a model is read: "left=photos" may be either.
std::vector<std::string> paths_in(const SampleFlags& flags);

/// Warns of a guess that is not sure.
void warn_of_guess(const std::optional<PreprocessChoice>& choice, Diagnostics& diagnostics);

/// Opens the samples at flags.paths for a model as it was read. The preprocessing of images is that of
/// --preprocess, else the choice of choose_preprocess, which `labels` help. Warns of a guess that is not
/// sure, of files that were left out, and of --preprocess beside tensors.
/// Errors: Error(kInvalidArgument) for --shard and --seed, and for paths that are neither one nor one for each
/// input; those of list_samples, load_preprocess and
/// choose_preprocess.
Samples open_samples(const SampleFlags& flags, const Graph& model, const EngineOptions& engine,
                     Console& console, const SampleLabels& labels = {});

/// "--images FOLDER", or the same with a name for each input whose places the paths say, for a command to run next.
/// Requires: open_samples took them.
std::string places_text(const SampleFlags& flags, const Graph& model);

/// Warns once of all images that were skipped, naming the first ones.
void warn_of_bad_images(const SampleSource& source, Diagnostics& diagnostics);

/// Warns of the model's constants that are not finite (doubts_about_constants).
void warn_of_constants(const Graph& model, const StatisticsTable& statistics, Diagnostics& diagnostics);

/// One part of the samples of a source, and who is told of it.
struct CalibratedPart {
  SampleRange range;
  bool is_part = false;  // of what is added up in the end
  std::function<void(size_t done, size_t of)> progress = {};
  SampleCensus* census = nullptr;                      // required
  FloatOutputs* outputs = nullptr;                     // may be nullptr
  bool rejects = true;                                 // samples that overflow,
  const std::set<std::string>* overflowing = nullptr;  // as CalibrateOptions has it
};

/// Runs the prepared model on a part of the samples for its statistics, and says which samples these are.
/// Requires: a range from range_of_part with the model's batch. Errors: those of calibrate and
/// SampleSource::load, and what `progress` throws.
StatisticsTable calibrate(const Graph& model, SampleSource& source, const EngineOptions& engine,
                          const CalibratedPart& part);

/// The same for all samples, with progress; warns of the samples that were skipped and of what is odd about the
/// others (SampleCensus::warnings). Errors: also Error(kInterrupted).
StatisticsTable calibrate(const Graph& model, SampleSource& source, const EngineOptions& engine,
                          Console& console, FloatOutputs* outputs = nullptr);

/// The samples for the search, in the batches that the model, as it was read, takes; both must outlive the
/// result.
SampleSet sample_set(SampleSource& source, const Graph& model);

}  // namespace quantize
