// The decision about a model's preprocessing, and how sure it is: for reports and metadata.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "calibration/images/preprocess.h"

namespace quantize {

/// Keys of the metadata in which a model that we wrote keeps its preprocessing (to_json), and where that was
/// known from (origin_json).
constexpr const char* kPreprocessKey = "quantize.preprocess";
constexpr const char* kPreprocessOriginKey = "quantize.preprocess_origin";

/// A preprocessing and where it is known from. A guess stays one.
struct PreprocessChoice {
  Preprocess preprocess;              // resolved; of the first input that takes images
  std::string name;                   // as --preprocess takes it: of a preset, of a file, or JSON
  bool given = true;                  // somebody said it; else it is a guess
  bool sure = true;                   // what was given, or a guess that rests on strong evidence
  std::vector<std::string> evidence;  // one sentence each: where it is known from, or the measurements
  std::string runner_up;              // the next best guess, as `name`; empty where nothing was compared
  std::vector<InputPreprocess> inputs = {};  // all that take images, of a model with several inputs

  /// The preprocessing of an input that takes images.
  const Preprocess& of(const std::string& input) const;
};

/// The choice of load_preprocess. `name` is empty: the shortest argument that gives the same.
PreprocessChoice make_choice(std::vector<InputPreprocess> made, const std::vector<ImageInput>& inputs,
                             std::string name = "");

/// The settings of a choice as one line of JSON, which is its fingerprint.
std::string settings_json(const PreprocessChoice& choice);

/// For people: "RGB, shorter side 256, crop 224, x/127.5 - 1  ('tf': sure)"; behind the name "given", "sure"
/// or "a guess".
std::string describe(const PreprocessChoice& choice);

/// The warning about a guess that is not sure: why, the runner-up, and the option to type; nothing else.
std::optional<std::string> warning_of(const PreprocessChoice& choice);

/// The choice as the metadata keep it beside its settings: {"origin": "given" or "guessed", "name", "sure",
/// "evidence", "runner_up"}; of what was given the origin alone.
std::string origin_json(const PreprocessChoice& choice);

/// Writes both keys.
void keep_preprocess(const PreprocessChoice& choice, std::map<std::string, std::string>& metadata);

/// The preprocessing that metadata keep, for the inputs that take images: still a guess where it was one.
/// Nothing if they keep none. Errors: Error(kInvalidArgument) naming the key; those of load_preprocess.
std::optional<PreprocessChoice> kept_preprocess(const std::map<std::string, std::string>& metadata,
                                                const std::vector<ImageInput>& inputs);

}  // namespace quantize
