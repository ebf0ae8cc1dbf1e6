// Wording a choice, and keeping it in metadata. Read kept_preprocess().
#include "calibration/images/preprocess_choice.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "calibration/images/preprocess_file.h"
#include "core/error.h"

namespace quantize {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kGuessed = "guessed";

/// The guess that origin_json wrote.
/// Errors: Error(kInvalidArgument) if it is none.
void read_guess(const std::string& text, PreprocessChoice& choice) {
  const Json json = Json::parse(text, nullptr, false);
  try {
    if (json.at("origin") != kGuessed) return;
    choice.given = false;
    choice.sure = json.at("sure").get<bool>();
    choice.runner_up = json.at("runner_up").get<std::string>();
    choice.evidence = {"guessed when the model was quantized"};
    for (const Json& each : json.at("evidence")) choice.evidence.push_back(each.get<std::string>());
  } catch (const Json::exception&) {
    throw Error(ErrorKind::kInvalidArgument,
                "the origin of the preprocessing is not what this program writes");
  }
}

/// As a shell takes it for one word.
std::string shell_word(const std::string& argument) {
  return argument.find('"') == std::string::npos ? argument : "'" + argument + "'";
}

}  // namespace

const Preprocess& PreprocessChoice::of(const std::string& input) const {
  for (const InputPreprocess& each : inputs)
    if (each.input == input) return each.preprocess;
  return preprocess;
}

PreprocessChoice make_choice(std::vector<InputPreprocess> made, const std::vector<ImageInput>& inputs,
                             std::string name) {
  PreprocessChoice choice;
  choice.preprocess = made[0].preprocess;
  choice.name = std::move(name);
  if (choice.name.empty()) {
    choice.name = to_argument(made[0].preprocess, inputs[0]);
    for (size_t i = 1; i < made.size(); ++i)
      if (to_argument(made[i].preprocess, inputs[i]) != choice.name) choice.name = to_json(made);
  }
  if (!inputs[0].alone) choice.inputs = std::move(made);
  return choice;
}

std::string settings_json(const PreprocessChoice& choice) {
  return choice.inputs.empty() ? to_json(choice.preprocess) : to_json(choice.inputs);
}

std::string describe(const PreprocessChoice& choice) {
  std::string settings = describe(choice.preprocess);
  const bool alike =
      std::all_of(choice.inputs.begin(), choice.inputs.end(),
                  [&](const InputPreprocess& each) { return describe(each.preprocess) == settings; });
  if (!alike) settings.clear();
  for (size_t i = 0; !alike && i < choice.inputs.size(); ++i)
    settings +=
        (i == 0 ? "'" : "; '") + choice.inputs[i].input + "': " + describe(choice.inputs[i].preprocess);
  const std::string name = choice.name.starts_with('{') && !choice.inputs.empty() ? "one each" : choice.name;
  return settings + "  ('" + name + "': " + (choice.given ? "given" : choice.sure ? "sure" : "a guess") + ")";
}

std::optional<std::string> warning_of(const PreprocessChoice& choice) {
  if (choice.given || choice.sure) return std::nullopt;
  std::string text = "the preprocessing '" + choice.name + "' is a guess: ";
  for (size_t i = 0; i < choice.evidence.size(); ++i) text += (i == 0 ? "" : "; ") + choice.evidence[i];
  text += "; if you know how the model was trained, say so";
  if (!choice.runner_up.empty()) text += ", such as with --preprocess " + shell_word(choice.runner_up);
  return text;
}

std::string origin_json(const PreprocessChoice& choice) {
  if (choice.given) return Json{{"origin", "given"}}.dump();
  return Json{{"origin", kGuessed},
              {"name", choice.name},
              {"sure", choice.sure},
              {"evidence", choice.evidence},
              {"runner_up", choice.runner_up}}
      .dump();
}

void keep_preprocess(const PreprocessChoice& choice, std::map<std::string, std::string>& metadata) {
  metadata[kPreprocessKey] = settings_json(choice);
  metadata[kPreprocessOriginKey] = origin_json(choice);
}

std::optional<PreprocessChoice> kept_preprocess(const std::map<std::string, std::string>& metadata,
                                                const std::vector<ImageInput>& inputs) {
  const auto settings = metadata.find(kPreprocessKey);
  if (settings == metadata.end()) return std::nullopt;
  PreprocessChoice choice;
  const char* key = kPreprocessKey;
  try {
    choice = make_choice(load_preprocess(settings->second, inputs), inputs);
    choice.evidence = {"the model's metadata say so"};
    key = kPreprocessOriginKey;
    if (const auto origin = metadata.find(key); origin != metadata.end()) read_guess(origin->second, choice);
  } catch (Error& error) {
    throw error.add_context(std::string("metadata '") + key + "'");
  }
  return choice;
}

}  // namespace quantize
