// Preprocessing in words. Read describe() and preset_name_of().
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "calibration/images/preprocess.h"
#include "calibration/images/preprocess_file.h"
#include "core/error.h"

namespace quantize {
namespace {

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

/// One number where all are the same, else "(0.485, 0.456, 0.406)".
std::string numbers(const std::vector<double>& values) {
  if (std::all_of(values.begin(), values.end(), [&](double each) { return each == values[0]; }))
    return number(values[0]);
  std::string text;
  for (const double each : values) text += (text.empty() ? "(" : ", ") + number(each);
  return text + ")";
}

bool all_are(const std::vector<double>& values, double wanted) {
  return std::all_of(values.begin(), values.end(), [&](double each) { return each == wanted; });
}

std::string size_text(const ImageSize& size) {
  const std::string height = std::to_string(size.height);
  return size.height == size.width ? height : height + "x" + std::to_string(size.width);
}

std::string color_text(Color color) {
  return color == Color::kGray ? "grey" : color == Color::kRgb ? "RGB" : "BGR";
}

std::string resize_text(const Preprocess::Resize& resize) {
  switch (resize.mode) {
    case ResizeMode::kStretch:
      return "stretched to " + std::to_string(resize.size->height) + "x" + std::to_string(resize.size->width);
    case ResizeMode::kShorterSide:
      return "shorter side " + size_text(*resize.size);
    case ResizeMode::kHeight:
      return "height " + size_text(*resize.size);
    case ResizeMode::kLetterbox:
      return "letterbox " + size_text(*resize.size) + (resize.anchor == Anchor::kTopLeft ? " top left" : "");
    case ResizeMode::kNone:
      return "not resized";
  }
  return "";
}

/// (x * scale - mean) / std.
std::string formula(const Preprocess& preprocess) {
  std::string text = "x";
  if (preprocess.scale != 1) {
    const bool divides = preprocess.scale > 0 && preprocess.scale < 1;
    text += divides ? "/" + number(1 / preprocess.scale) : "*" + number(preprocess.scale);
  }
  const bool shifts = !all_are(preprocess.mean, 0);
  if (shifts) {
    const bool adds = all_are(preprocess.mean, preprocess.mean[0]) && preprocess.mean[0] < 0;
    text += adds ? " + " + number(-preprocess.mean[0]) : " - " + numbers(preprocess.mean);
  }
  if (all_are(preprocess.std, 1)) return shifts || preprocess.scale != 1 ? text : "pixels 0 to 255";
  return (shifts ? "(" + text + ")" : text) + " / " + numbers(preprocess.std);
}

bool same(const std::string& name, const Preprocess& preprocess, const ImageInput& input) {
  try {
    return to_json(preset(name, input)) == to_json(preprocess);
  } catch (const Error&) {  // this preset does not suit the input
    return false;
  }
}

/// ",224" where the model leaves a size open that the preprocessing fixes.
std::string open_size(const Preprocess& preprocess, const ImageInput& input) {
  if (input.height != kUnknownDim && input.width != kUnknownDim) return "";
  if (preprocess.resize.mode == ResizeMode::kNone) return "";
  const bool line = preprocess.resize.mode == ResizeMode::kHeight;
  if (line && input.height != kUnknownDim) return "";
  return "," + size_text(preprocess.crop ? *preprocess.crop : *preprocess.resize.size);
}

}  // namespace

std::string describe(const Preprocess& preprocess) {
  std::string text = color_text(preprocess.color) + ", " + resize_text(preprocess.resize);
  if (preprocess.crop) text += ", crop " + size_text(*preprocess.crop);
  return text + ", " + formula(preprocess) + (preprocess.layout == Layout::kNhwc ? ", as NHWC" : "");
}

std::optional<std::string> preset_name_of(const Preprocess& preprocess, const ImageInput& input) {
  constexpr const char* kColors[] = {"", ",rgb", ",bgr"};
  constexpr const char* kGeometries[] = {
      "", ",letterbox", ",stretch", ",shorter_side", ",height", ",top_left", ",letterbox,top_left", ",none"};
  const std::string size = open_size(preprocess, input);
  for (const char* geometry : kGeometries) {
    for (const char* color : kColors) {
      for (const char* name : preset_names()) {
        const std::string candidate = std::string(name) + color + geometry + size;
        if (same(candidate, preprocess, input)) return candidate;
      }
    }
  }
  return std::nullopt;
}

}  // namespace quantize
