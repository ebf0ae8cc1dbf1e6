// The JSON form of Preprocess: one table of names per enumeration, one reader and one writer per object.
#include "calibration/images/preprocess_file.h"

#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <nlohmann/json.hpp>

#include "calibration/images/parse_json.h"
#include "calibration/images/read_file.h"
#include "core/error.h"

namespace quantize {
namespace {

using Json = nlohmann::json;

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorKind::kInvalidArgument, what);
}

template <typename Enum>
struct Choice {
  const char* name;
  Enum value;
};

constexpr Choice<Color> kColors[] = {{"rgb", Color::kRgb}, {"bgr", Color::kBgr}, {"gray", Color::kGray}};
constexpr Choice<ResizeMode> kModes[] = {{"stretch", ResizeMode::kStretch},
                                         {"shorter_side", ResizeMode::kShorterSide},
                                         {"height", ResizeMode::kHeight},
                                         {"letterbox", ResizeMode::kLetterbox},
                                         {"none", ResizeMode::kNone}};
constexpr Choice<Interpolation> kInterpolations[] = {{"nearest", Interpolation::kNearest},
                                                     {"bilinear", Interpolation::kBilinear},
                                                     {"bicubic", Interpolation::kBicubic},
                                                     {"lanczos", Interpolation::kLanczos}};
constexpr Choice<Anchor> kAnchors[] = {{"center", Anchor::kCenter}, {"top_left", Anchor::kTopLeft}};
constexpr Choice<Layout> kLayouts[] = {{"nchw", Layout::kNchw}, {"nhwc", Layout::kNhwc}};

/// One JSON object, read key by key.
class ObjectReader {
 public:
  ObjectReader(const Json& object, const std::string& where, std::initializer_list<const char*> keys)
      : object_(object), where_(where) {
    if (!object.is_object()) refuse(where + " must be a JSON object");
    std::string known;
    for (const char* key : keys) known.append(known.empty() ? "" : ", ").append(key);
    for (const auto& item : object.items()) {
      if (std::find(keys.begin(), keys.end(), item.key()) == keys.end()) {
        refuse(where + " has the unknown key '" + item.key() + "': known are " + known);
      }
    }
  }

  const Json* find(const char* key) const { return object_.contains(key) ? &object_.at(key) : nullptr; }

  template <typename Enum, size_t n>
  void choose(const char* key, const Choice<Enum> (&choices)[n], Enum& to) const {
    const Json* value = find(key);
    if (value == nullptr) return;
    std::string known;
    for (const auto& choice : choices) {
      if (*value == choice.name) {
        to = choice.value;
        return;
      }
      known += std::string(known.empty() ? "" : ", ") + choice.name;
    }
    wrong(key, "one of " + known);
  }

  double number(const char* key, double fallback) const {
    const Json* value = find(key);
    if (value == nullptr) return fallback;
    if (!value->is_number()) wrong(key, "a number");
    return value->get<double>();
  }

  bool boolean(const char* key, bool fallback) const {
    const Json* value = find(key);
    if (value == nullptr) return fallback;
    if (!value->is_boolean()) wrong(key, "true or false");
    return value->get<bool>();
  }

  /// A list of numbers, or one number.
  std::vector<double> numbers(const char* key) const {
    const Json* value = find(key);
    if (value == nullptr) return {};
    if (value->is_number()) return {value->get<double>()};
    const auto is_number = [](const Json& element) { return element.is_number(); };
    if (!value->is_array() || value->empty() || !std::all_of(value->begin(), value->end(), is_number)) {
      wrong(key, "a list of numbers");
    }
    return value->get<std::vector<double>>();
  }

  /// Levels of pixels: integers from 0 to 255.
  std::vector<uint8_t> levels(const char* key) const {
    std::vector<uint8_t> levels;
    for (const double number : numbers(key)) {
      if (!(number >= 0 && number <= 255) || number != static_cast<uint8_t>(number)) {
        wrong(key, "integers from 0 to 255");
      }
      levels.push_back(static_cast<uint8_t>(number));
    }
    return levels;
  }

  /// [height, width], or one integer for both.
  std::optional<ImageSize> size(const char* key) const {
    const Json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (value->is_number_integer()) return ImageSize{side(key, *value), side(key, *value)};
    if (value->is_array() && value->size() == 2)
      return ImageSize{side(key, (*value)[0]), side(key, (*value)[1])};
    wrong(key, "an integer or [height, width]");
  }

 private:
  int64_t side(const char* key, const Json& value) const {
    if (!value.is_number_integer() || value < 1 || value > kMaxPixels)
      wrong(key, "made of integers from 1 on");
    return value.get<int64_t>();
  }

  [[noreturn]] void wrong(const char* key, const std::string& wanted) const {
    refuse(where_ + " has '" + key + "': " + find(key)->dump(-1, ' ', false, Json::error_handler_t::replace) +
           ", which must be " + wanted);
  }

  const Json& object_;
  std::string where_;
};

Preprocess::Resize parse_resize(const Json& json) {
  const ObjectReader object(json, "the preprocessing's \"resize\"",
                            {"mode", "size", "interpolation", "antialias", "fill", "anchor"});
  Preprocess::Resize resize;
  object.choose("mode", kModes, resize.mode);
  resize.size = object.size("size");
  object.choose("interpolation", kInterpolations, resize.interpolation);
  resize.antialias = object.boolean("antialias", resize.antialias);
  resize.fill = object.levels("fill");
  object.choose("anchor", kAnchors, resize.anchor);
  return resize;
}

template <typename Enum, size_t n>
const char* name_in(const Choice<Enum> (&choices)[n], Enum value) {
  return std::find_if(choices, choices + n, [&](const auto& choice) { return choice.value == value; })->name;
}

Json resize_to_json(const Preprocess::Resize& resize) {
  Json json = {{"mode", name_in(kModes, resize.mode)}};
  if (resize.mode == ResizeMode::kNone) return json;
  if (resize.mode == ResizeMode::kShorterSide || resize.mode == ResizeMode::kHeight) {
    json["size"] = resize.size->height;
  } else {
    json["size"] = {resize.size->height, resize.size->width};
  }
  json["interpolation"] = name_in(kInterpolations, resize.interpolation);
  json["antialias"] = resize.antialias;
  if (resize.mode == ResizeMode::kLetterbox) {
    json["fill"] = resize.fill;
    json["anchor"] = name_in(kAnchors, resize.anchor);
  }
  return json;
}

}  // namespace

namespace {

constexpr const char* kInputs = "inputs";  // of the JSON for several

Preprocess read_preprocess(const Json& json) {
  const ObjectReader object(json, "the preprocessing",
                            {"color", "resize", "crop", "scale", "mean", "std", "layout"});
  Preprocess preprocess;
  if (object.find("color") == nullptr) refuse("the preprocessing lacks \"color\": rgb, bgr or gray");
  object.choose("color", kColors, preprocess.color);
  if (const Json* resize = object.find("resize")) preprocess.resize = parse_resize(*resize);
  preprocess.crop = object.size("crop");
  preprocess.scale = object.number("scale", preprocess.scale);
  preprocess.mean = object.numbers("mean");
  preprocess.std = object.numbers("std");
  if (object.find("layout") != nullptr) object.choose("layout", kLayouts, preprocess.layout.emplace());
  return preprocess;
}

/// Settings for each input, or the same for all.
std::vector<InputPreprocess> read_for_inputs(const std::string& text, const std::vector<ImageInput>& inputs) {
  const Json json = parse_json(text, "the preprocessing");
  const bool several = json.is_object() && json.contains(kInputs);
  std::vector<InputPreprocess> result;
  if (!several) {
    for (const ImageInput& input : inputs)
      result.push_back({input.name, resolve(read_preprocess(json), input)});
    return result;
  }
  const ObjectReader outer(json, "the preprocessing", {kInputs});
  const Json& settings = *outer.find(kInputs);
  if (!settings.is_object()) refuse("'inputs' of the preprocessing must be a JSON object");
  for (const ImageInput& input : inputs) {
    if (!settings.contains(input.name))
      refuse("'inputs' of the preprocessing lacks the model's input '" + input.name + "'");
    result.push_back({input.name, resolve(read_preprocess(settings.at(input.name)), input)});
  }
  for (const auto& item : settings.items())
    if (std::none_of(inputs.begin(), inputs.end(),
                     [&](const ImageInput& input) { return input.name == item.key(); }))
      refuse("'inputs' of the preprocessing names '" + item.key() +
             "', which is no input of the model that takes images");
  return result;
}

}  // namespace

Preprocess parse_preprocess(const std::string& text) {
  return read_preprocess(parse_json(text, "the preprocessing"));
}

std::string to_json(const Preprocess& preprocess) {
  Json json = {{"color", name_in(kColors, preprocess.color)},
               {"resize", resize_to_json(preprocess.resize)},
               {"scale", preprocess.scale},
               {"mean", preprocess.mean},
               {"std", preprocess.std},
               {"layout", name_in(kLayouts, *preprocess.layout)}};
  if (preprocess.crop) json["crop"] = {preprocess.crop->height, preprocess.crop->width};
  return json.dump();
}

std::string to_argument(const Preprocess& preprocess, const ImageInput& input) {
  if (const auto name = preset_name_of(preprocess, input)) return *name;
  const std::string full = to_json(preprocess);
  Json json = Json::parse(full);
  const auto is_the_same = [&] {
    try {
      return to_json(resolve(read_preprocess(json), input)) == full;
    } catch (const Error&) {  // what is left does not suit the input
      return false;
    }
  };
  const auto leave_out = [&](Json& object, const char* key) {
    Json kept = object;
    object.erase(key);
    if (!is_the_same()) object = std::move(kept);
  };
  for (const char* key : {"interpolation", "antialias", "fill", "anchor"}) leave_out(json["resize"], key);
  for (const char* key : {"layout", "resize", "mean", "std", "scale"}) leave_out(json, key);
  return json.dump();
}

std::vector<ImageInput> inputs_in(const std::string& text, const std::vector<Value>& inputs) {
  if (inputs.size() == 1) return {image_input_of(inputs[0])};
  const Json json = text.empty() ? Json::object() : parse_json(text, "the preprocessing");
  std::vector<ImageInput> result;
  for (const Value& input : inputs) {
    if (!json.is_object() || !json.contains(kInputs) || !json.at(kInputs).is_object() ||
        !json.at(kInputs).contains(input.name))
      continue;
    result.push_back(image_input_of(input));
    result.back().alone = false;
  }
  return result;
}

std::string to_json(const std::vector<InputPreprocess>& inputs) {
  Json json;
  for (const InputPreprocess& each : inputs)
    json[kInputs][each.input] = Json::parse(to_json(each.preprocess));
  return json.dump();
}

Preprocess load_preprocess(const std::string& argument, const ImageInput& input) {
  return load_preprocess(argument, std::vector<ImageInput>{input})[0].preprocess;
}

std::vector<InputPreprocess> load_preprocess(const std::string& argument,
                                             const std::vector<ImageInput>& inputs) {
  if (argument.starts_with('{')) return read_for_inputs(argument, inputs);
  const auto names = preset_names();
  const bool named = std::find(names.begin(), names.end(), argument) != names.end();
  const bool file =
      std::filesystem::path(argument).extension() == ".json" || std::filesystem::exists(argument);
  if (named || !file) {
    std::vector<InputPreprocess> result;
    for (const ImageInput& input : inputs) result.push_back({input.name, preset(argument, input)});
    return result;
  }
  const std::string text = read_text(argument);
  try {
    return read_for_inputs(text, inputs);
  } catch (Error& error) {
    throw error.add_context(argument);
  }
}

}  // namespace quantize
