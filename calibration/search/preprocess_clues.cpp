// Reading metadata and the start of a graph. Read read_clues().
#include "calibration/search/preprocess_clues.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "core/fusion/patterns.h"

namespace quantize {
namespace {

constexpr int64_t kPaddleHeight = 48;  // of lines, since PP-OCRv3

/// All numbers in a text such as "[0.485, 0.456, 0.406]"; nothing if something else stands there.
std::vector<double> read_numbers(const std::string& text) {
  std::vector<double> numbers;
  const char* at = text.c_str();
  while (*at != '\0') {
    if (std::string_view("[](), \t\n").find(*at) != std::string_view::npos) {
      ++at;
      continue;
    }
    char* end = nullptr;
    const double number = std::strtod(at, &end);
    if (end == at || !std::isfinite(number)) return {};
    numbers.push_back(number);
    at = end;
  }
  return numbers;
}

const std::string* find(const Graph& graph, const std::string& key) {
  const auto found = graph.info.metadata.find(key);
  return found == graph.info.metadata.end() ? nullptr : &found->second;
}

std::optional<ImageSize> size_of(const std::string* text) {
  if (text == nullptr) return std::nullopt;
  const std::vector<double> sides = read_numbers(*text);
  if (sides.empty() || sides.size() > 2) return std::nullopt;
  const ImageSize size{static_cast<int64_t>(std::clamp(sides.front(), 0.0, 1e6)),
                       static_cast<int64_t>(std::clamp(sides.back(), 0.0, 1e6))};
  if (size.height < 1 || size.width < 1) return std::nullopt;
  return size;
}

std::optional<Clue> from_ultralytics(const Graph& graph) {
  if (find(graph, "names") == nullptr || find(graph, "stride") == nullptr) return std::nullopt;
  const std::string* task = find(graph, "task");
  const bool classifies = task != nullptr && *task == "classify";
  return Clue{"the metadata 'names' and 'stride' are those of Ultralytics, whose networks take RGB / 255",
              PixelNumbers{"unit", 1, {}, {}}, Color::kRgb,
              classifies ? ResizeMode::kShorterSide : ResizeMode::kLetterbox, size_of(find(graph, "imgsz"))};
}

std::optional<Clue> from_numbers(const Graph& graph, const ImageInput& input) {
  constexpr const char* kKeys[][2] = {
      {"mean", "std"}, {"image_mean", "image_std"}, {"norm_mean", "norm_std"}};
  for (const auto& [mean_key, std_key] : kKeys) {
    const std::string *mean = find(graph, mean_key), *std = find(graph, std_key);
    if (mean == nullptr || std == nullptr) continue;
    PixelNumbers numbers{"", 1, read_numbers(*mean), read_numbers(*std)};
    const auto fits = [&](const std::vector<double>& list) {
      return list.size() == 1 || list.size() == static_cast<size_t>(input.channels);
    };
    const auto positive = [](double each) { return each > 0; };
    if (!fits(numbers.mean) || !fits(numbers.std)) continue;
    if (!std::all_of(numbers.std.begin(), numbers.std.end(), positive)) continue;
    // Means of pixels of 0 to 1, or of 0 to 255.
    const double largest = *std::max_element(numbers.mean.begin(), numbers.mean.end());
    const double widest = *std::max_element(numbers.std.begin(), numbers.std.end());
    if (largest <= 1 && widest <= 1) numbers.scale = 1 / 255.0;
    return Clue{
        std::string("the metadata '") + mean_key + "' and '" + std_key + "' say so", numbers, {}, {}, {}};
  }
  return std::nullopt;
}

bool contains(const std::string& text, const char* word) {
  return text.find(word) != std::string::npos;
}

/// Rows of probabilities of more letters than there are rows, or an open number of them.
bool reads_text(const Graph& graph) {
  const auto& shape = graph.value(graph.outputs[0]).shape;
  constexpr int64_t kFewestLetters = 36;
  return shape && shape->size() == 3 && (*shape)[2] >= kFewestLetters && (*shape)[1] < (*shape)[2];
}

std::optional<Clue> from_paddle(const Graph& graph, const ImageInput& input) {
  const bool paddle = contains(graph.info.producer_name, "PaddlePaddle") || contains(graph.name, "paddle") ||
                      contains(graph.name, "Paddle");
  const bool open_width = input.width == kUnknownDim, open_height = input.height == kUnknownDim;
  const bool reader = (open_width && !open_height) || reads_text(graph);
  if (!paddle || !reader || input.channels != 3) return std::nullopt;
  Clue clue{"text readers of PaddlePaddle, which made the model, take BGR", {}, Color::kBgr, {}, {}};
  if (!open_width || !open_height) return clue;
  clue.text += " of height " + std::to_string(kPaddleHeight);
  clue.mode = ResizeMode::kHeight;
  clue.size = ImageSize{kPaddleHeight, kPaddleHeight};
  return clue;
}

double average(const std::vector<double>& numbers) {
  double sum = 0;
  for (const double each : numbers) sum += each;
  return sum / static_cast<double>(numbers.size());
}

/// Which pixels become numbers around 0 by x * scale + shift.
const char* preset_before(const InputScaling& scaling) {
  std::vector<double> center, width;
  for (size_t c = 0; c < scaling.scale.size(); ++c) {
    if (scaling.scale[c] == 0) return nullptr;
    center.push_back(-scaling.shift[c] / scaling.scale[c]);
    width.push_back(1 / std::abs(scaling.scale[c]));
  }
  const double middle = average(center), deviation = average(width);
  const auto between = [](double x, double low, double high) { return x >= low && x <= high; };
  if (between(middle, 20, 235)) return "raw";
  if (between(middle, 0.02, 0.98) && deviation < 4) return "unit";
  if (between(middle, -1.02, -0.98) && deviation < 4) return "tf";
  if (middle == 0 && between(deviation, 32, 512)) return "raw";
  if (middle == 0 && between(1 / deviation, 32, 512)) return "unit";
  return nullptr;
}

/// ImageNet's pixels are red above all, then green, then blue: so are the means that are subtracted.
std::optional<Color> color_order(const InputScaling& scaling) {
  if (scaling.scale.size() != 3) return std::nullopt;
  std::vector<double> center;
  for (size_t c = 0; c < 3; ++c) center.push_back(-scaling.shift[c] / scaling.scale[c]);
  const double apart = 0.03 * average(center);
  if (center[0] > center[1] + apart && center[1] > center[2] + apart) return Color::kRgb;
  if (center[0] + apart < center[1] && center[1] + apart < center[2]) return Color::kBgr;
  return std::nullopt;
}

std::optional<Clue> from_start(const Graph& readable) {
  const std::optional<InputScaling> scaling = input_scaling(readable);
  if (!scaling) return std::nullopt;
  const char* preset = preset_before(*scaling);
  if (preset == nullptr) return std::nullopt;
  const std::string pixels = std::string(preset) == "raw"    ? "0 to 255"
                             : std::string(preset) == "unit" ? "0 to 1"
                                                             : "-1 to 1";
  return Clue{"the graph itself begins with a scale and mean for pixels of " + pixels,
              PixelNumbers{preset, 1, {}, {}},
              color_order(*scaling),
              {},
              {}};
}

}  // namespace

std::vector<Clue> read_clues(const Graph& readable, const ImageInput& input) {
  std::vector<Clue> clues;
  const auto add = [&](std::optional<Clue> clue) {
    if (clue) clues.push_back(*std::move(clue));
  };
  add(from_start(readable));
  add(from_ultralytics(readable));
  add(from_numbers(readable, input));
  add(from_paddle(readable, input));
  return clues;
}

}  // namespace quantize
