// Preprocessing settings: the model's input, the presets, and filling in defaults. Read resolve().
#include "calibration/images/preprocess.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "core/error.h"

namespace quantize {
namespace {

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorKind::kInvalidArgument, what);
}

std::string to_string(const ImageSize& size) {
  return std::to_string(size.height) + "x" + std::to_string(size.width);
}

/// The model's own height and width.
ImageSize own_size(const ImageInput& input) {
  if (input.height == kUnknownDim || input.width == kUnknownDim) {
    refuse("the model leaves height or width of its input '" + input.name +
           "' open: fix it with --input-shape, or give the size behind the preset's name, as in 'unit,224'");
  }
  return {input.height, input.width};
}

struct PresetDef {
  const char* name;
  Color color;
  ResizeMode mode;
  double scale;
  std::array<double, 3> mean, std;
};

constexpr PresetDef kPresets[] = {
    {"imagenet",
     Color::kRgb,
     ResizeMode::kShorterSide,
     1 / 255.0,
     {0.485, 0.456, 0.406},
     {0.229, 0.224, 0.225}},
    {"tf", Color::kRgb, ResizeMode::kShorterSide, 1 / 127.5, {1, 1, 1}, {1, 1, 1}},
    {"caffe", Color::kBgr, ResizeMode::kStretch, 1, {104, 117, 123}, {1, 1, 1}},
    {"unit", Color::kRgb, ResizeMode::kStretch, 1 / 255.0, {0, 0, 0}, {1, 1, 1}},
    {"raw", Color::kRgb, ResizeMode::kStretch, 1, {0, 0, 0}, {1, 1, 1}},
    {"yolo", Color::kRgb, ResizeMode::kLetterbox, 1 / 255.0, {0, 0, 0}, {1, 1, 1}},
};
constexpr auto kPresetNames = [] {
  std::array<const char*, std::size(kPresets)> names{};
  std::transform(std::begin(kPresets), std::end(kPresets), names.begin(),
                 [](const auto& p) { return p.name; });
  return names;
}();

struct ModeWord {
  const char* word;
  ResizeMode mode;
};
constexpr ModeWord kModeWords[] = {{"stretch", ResizeMode::kStretch},
                                   {"shorter_side", ResizeMode::kShorterSide},
                                   {"height", ResizeMode::kHeight},
                                   {"letterbox", ResizeMode::kLetterbox},
                                   {"none", ResizeMode::kNone}};

/// The channels come in the other order; each colour keeps its own numbers.
void set_color(Preprocess& preprocess, Color color) {
  if (preprocess.color == Color::kGray)
    refuse("the model's input has one channel: leave out 'rgb' and 'bgr'");
  if (preprocess.color == color) return;
  preprocess.color = color;
  std::reverse(preprocess.mean.begin(), preprocess.mean.end());
  std::reverse(preprocess.std.begin(), preprocess.std.end());
}

/// "224" or "480x640", height first; nothing for any other text.
std::optional<ImageSize> read_size(const std::string& word) {
  ImageSize size;
  const char* const end = word.data() + word.size();
  std::from_chars_result read = std::from_chars(word.data(), end, size.height);
  size.width = size.height;
  if (read.ec == std::errc() && read.ptr != end && *read.ptr == 'x')
    read = std::from_chars(read.ptr + 1, end, size.width);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return size;
}

/// Changes what the word behind a preset's name says; a size closes the extents that the model leaves open.
void vary(Preprocess& preprocess, ImageInput& closed, const std::string& word) {
  if (word == "rgb") return set_color(preprocess, Color::kRgb);
  if (word == "bgr") return set_color(preprocess, Color::kBgr);
  if (word == "top_left") {
    preprocess.resize.anchor = Anchor::kTopLeft;
    return;
  }
  if (const std::optional<ImageSize> size = read_size(word)) {
    closed.height = size->height;
    closed.width = size->width;
    return;
  }
  std::string known = "rgb, bgr, top_left, a size";
  for (const ModeWord& each : kModeWords) {
    if (word == each.word) {
      preprocess.resize.mode = each.mode;
      return;
    }
    known += std::string(", ") + each.word;
  }
  refuse("'" + word + "' cannot stand behind a preset's name: use one of " + known);
}

/// Makes a list of one or `channels` numbers one of `channels`.
template <typename T>
void spread(std::vector<T>& numbers, T fallback, int64_t channels, const char* what) {
  if (numbers.empty()) numbers = {fallback};
  if (numbers.size() == 1) numbers.assign(static_cast<size_t>(channels), numbers[0]);
  if (numbers.size() != static_cast<size_t>(channels)) {
    refuse("the preprocessing has " + std::to_string(numbers.size()) + " numbers as '" + what + "' for " +
           std::to_string(channels) + " channels: give one for each, or one for all");
  }
}

void check_size(const ImageSize& size, const char* what) {
  if (size.height < 1 || size.width < 1 || size.width > kMaxPixels / size.height) {
    refuse("the preprocessing asks for a " + std::string(what) + " of " + to_string(size) +
           ": sides must be at least 1, and the area at most " + std::to_string(kMaxPixels) + " pixels");
  }
}

/// Extents of the result that are the same for every image; kUnknownDim where they follow the image.
ImageSize fixed_extents(const Preprocess& preprocess) {
  if (preprocess.crop) return *preprocess.crop;
  switch (preprocess.resize.mode) {
    case ResizeMode::kStretch:
    case ResizeMode::kLetterbox:
      return *preprocess.resize.size;
    case ResizeMode::kHeight:
      return {preprocess.resize.size->height, kUnknownDim};
    case ResizeMode::kShorterSide:
    case ResizeMode::kNone:
      break;
  }
  return {kUnknownDim, kUnknownDim};
}

void resolve_size(Preprocess& preprocess, const ImageInput& input) {
  std::optional<ImageSize>& size = preprocess.resize.size;
  const ResizeMode mode = preprocess.resize.mode;
  const bool one_side = mode == ResizeMode::kShorterSide || mode == ResizeMode::kHeight;
  if (mode == ResizeMode::kNone) {
    size.reset();
    return;
  }
  if (size) {
    if (one_side && size->height != size->width) {
      refuse("the preprocessing gives a size of " + to_string(*size) +
             " where the mode takes one number: the other side follows the image");
    }
  } else if (mode == ResizeMode::kHeight && input.height != kUnknownDim) {
    size = {input.height, input.height};
  } else {
    size = own_size(input);
    if (one_side) size->height = size->width = std::max(size->height, size->width);
  }
  check_size(*size, "size");
}

/// Channels, extents and layout of a batch of images. `fail` ends it with a reason.
template <typename Fail>
ImageInput image_shape(const Value& input, const Shape& dims, const std::string& shape, const Fail& fail) {
  const auto is_channels = [](int64_t extent) { return extent == 1 || extent == 3; };
  if (is_channels(dims[1])) return {input.name, dims[1], dims[2], dims[3], Layout::kNchw, input.dtype};
  if (is_channels(dims[3])) return {input.name, dims[3], dims[1], dims[2], Layout::kNhwc, input.dtype};
  if (dims[1] == kUnknownDim) fail("has " + shape + ": fix its channels with --input-shape");
  fail("has " + shape + ", which has neither 1 nor 3 channels: give tensors (.npy)");
  return {};
}

struct IntegerRange {
  double lowest, highest;
};

/// The integers that a type holds, as far as pixels need them; nothing for types that no image becomes.
std::optional<IntegerRange> integers_of(DataType type) {
  switch (type) {
    case DataType::kU8:
      return IntegerRange{0, 255};
    case DataType::kS8:
      return IntegerRange{-128, 127};
    case DataType::kU16:
    case DataType::kU32:
    case DataType::kU64:
      return IntegerRange{0, 65535};
    case DataType::kS16:
    case DataType::kS32:
    case DataType::kS64:
      return IntegerRange{-32768, 32767};
    default:
      return std::nullopt;
  }
}

/// Integers of the input's type are all that it can be given. Requires: mean and std of every channel.
void check_pixels(const Preprocess& preprocess, const ImageInput& input) {
  if (!input.takes_pixels()) return;
  const IntegerRange range = *integers_of(input.dtype);
  bool fits = preprocess.scale == 1;
  for (size_t c = 0; c < preprocess.mean.size(); ++c) {
    const double mean = preprocess.mean[c];
    fits = fits && preprocess.std[c] == 1 && mean == std::nearbyint(mean) && -mean >= range.lowest &&
           255 - mean <= range.highest;
  }
  if (fits) return;
  refuse("the model's input '" + input.name + "' takes " + std::string(name_of(input.dtype)) +
         (range.lowest < 0 && range.highest < 255
              ? ", which does not hold what the preprocessing makes: use '{\"color\": \"" +
                    std::string(input.channels == 1 ? "gray" : "rgb") + "\", \"mean\": 128}'"
              : ", so that pixels are fed as they are: use 'raw'"));
}

}  // namespace

ImageInput image_input_of(const Value& input) {
  const auto fail = [&](const std::string& why) {
    throw Error(ErrorKind::kUnsupported, "the model's input '" + input.name + "' " + why);
  };
  const std::string shape = input.shape ? quantize::to_string(*input.shape) : "an unknown shape";
  if (input.dtype != DataType::kF32 && input.dtype != DataType::kF64 && !integers_of(input.dtype))
    fail("is " + std::string(name_of(input.dtype)) +
         ", but images become floats or integers: give tensors (.npy)");
  if (!input.shape || input.shape->size() != 4) {
    fail("has " + shape + ", not the four dimensions of a batch of images: give tensors (.npy)");
  }
  const Shape& dims = *input.shape;
  if (dims[0] != kUnknownDim && dims[0] != 1) {
    fail("has " + shape + ", a fixed batch of " + std::to_string(dims[0]) +
         ": export the model with batch 1 or an open one, or give tensors of this batch (.npy)");
  }
  return image_shape(input, dims, shape, fail);
}

std::span<const char* const> preset_names() {
  return kPresetNames;
}

Preprocess preset(const std::string& text, const ImageInput& input) {
  const std::string name = text.substr(0, text.find(','));
  const auto* def =
      std::find_if(std::begin(kPresets), std::end(kPresets), [&](const auto& p) { return p.name == name; });
  if (def == std::end(kPresets)) {
    std::string known;
    for (const PresetDef& each : kPresets) known += std::string(known.empty() ? "" : ", ") + each.name;
    refuse("there is no preprocessing called '" + name + "': use one of " + known +
           ", a .json file, or the JSON itself");
  }
  Preprocess preprocess;
  preprocess.color = input.channels == 1 ? Color::kGray : def->color;
  preprocess.resize.mode = def->mode;
  preprocess.scale = def->scale;
  for (const auto& [from, to] : {std::pair{&def->mean, &preprocess.mean}, {&def->std, &preprocess.std}}) {
    if (input.channels == 3) {
      to->assign(from->begin(), from->end());
    } else {
      to->assign(1, std::accumulate(from->begin(), from->end(), 0.0) / 3);
    }
  }
  ImageInput closed = input;
  for (size_t comma = name.size(); comma < text.size();) {
    const size_t end = std::min(text.find(',', comma + 1), text.size());
    vary(preprocess, closed, text.substr(comma + 1, end - comma - 1));
    comma = end;
  }
  if (preprocess.resize.mode == ResizeMode::kShorterSide) {
    preprocess.crop = own_size(closed);
    const auto longer = static_cast<double>(std::max(closed.height, closed.width));
    const auto side = static_cast<int64_t>(std::nearbyint(longer * 256 / 224));
    preprocess.resize.size = {side, side};
  }
  return resolve(resolve(std::move(preprocess), closed), input);
}

Preprocess resolve(Preprocess preprocess, const ImageInput& input) {
  const int64_t channels = preprocess.channels();
  if (channels != input.channels) {
    refuse("the preprocessing makes " + std::to_string(channels) + " channels, but the model's input '" +
           input.name + "' has " + std::to_string(input.channels));
  }
  if (preprocess.layout.value_or(input.layout) != input.layout) {
    refuse("the preprocessing's layout is not that of the model's input '" + input.name + "': leave it out");
  }
  preprocess.layout = input.layout;
  resolve_size(preprocess, input);
  if (preprocess.crop) check_size(*preprocess.crop, "crop");

  spread<uint8_t>(preprocess.resize.fill, 114, channels, "fill");
  spread(preprocess.mean, 0.0, channels, "mean");
  spread(preprocess.std, 1.0, channels, "std");
  const auto usable = [](double number) { return std::isfinite(static_cast<float>(number)); };
  const auto divides = [&](double number) { return usable(number) && static_cast<float>(number) != 0; };
  if (!usable(preprocess.scale) || !std::all_of(preprocess.mean.begin(), preprocess.mean.end(), usable) ||
      !std::all_of(preprocess.std.begin(), preprocess.std.end(), divides)) {
    refuse("the preprocessing's scale, mean and std must be finite floats, and std not 0");
  }

  const ImageSize extents = fixed_extents(preprocess);
  const auto differs = [](int64_t made, int64_t wanted) {
    return made != kUnknownDim && wanted != kUnknownDim && made != wanted;
  };
  if (differs(extents.height, input.height) || differs(extents.width, input.width)) {
    refuse("the preprocessing makes images of height x width " +
           quantize::to_string(Shape{extents.height, extents.width}) + ", but the model's input '" +
           input.name + "' takes " + quantize::to_string(Shape{input.height, input.width}));
  }
  check_pixels(preprocess, input);
  return preprocess;
}

}  // namespace quantize
