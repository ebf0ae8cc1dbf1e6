// Wording a choice, and keeping it in metadata. Read kept_preprocess().
#include "calibration/images/preprocess_choice.h"

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

std::string describe(const PreprocessChoice& choice) {
  return describe(choice.preprocess) + "  ('" + choice.name + "': " +
         (choice.given  ? "given"
          : choice.sure ? "sure"
                        : "a guess") +
         ")";
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
  metadata[kPreprocessKey] = to_json(choice.preprocess);
  metadata[kPreprocessOriginKey] = origin_json(choice);
}

std::optional<PreprocessChoice> kept_preprocess(const std::map<std::string, std::string>& metadata,
                                                const ImageInput& input) {
  const auto settings = metadata.find(kPreprocessKey);
  if (settings == metadata.end()) return std::nullopt;
  PreprocessChoice choice;
  const char* key = kPreprocessKey;
  try {
    choice.preprocess = resolve(parse_preprocess(settings->second), input);
    choice.name = to_argument(choice.preprocess, input);
    choice.evidence = {"the model's metadata say so"};
    key = kPreprocessOriginKey;
    if (const auto origin = metadata.find(key); origin != metadata.end()) read_guess(origin->second, choice);
  } catch (Error& error) {
    throw error.add_context(std::string("metadata '") + key + "'");
  }
  return choice;
}

}  // namespace quantize
