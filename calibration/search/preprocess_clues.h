// The clues of a model's file to its preprocessing, without a run: its metadata, and the arithmetic it begins
// with. Read read_clues().
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "calibration/images/preprocess.h"
#include "core/graph.h"

namespace quantize {

/// The numbers of a preprocessing: y = (pixel * scale - mean) / std, in the order of `color`.
struct PixelNumbers {
  std::string preset;  // whose numbers these are; empty: those below
  double scale = 1;
  std::vector<double> mean, std;
};

/// One clue of the file. Facts that it does not tell are left out.
struct Clue {
  std::string text;                     // for people
  std::optional<PixelNumbers> numbers;  // certain as far as the exporter or the graph is believed
  std::optional<Color> color;
  std::optional<ResizeMode> mode;
  std::optional<ImageSize> size;  // of the input, where the graph leaves it open
};

/// Metadata of Ultralytics (`names` and `stride`): unit, RGB, letterbox, or the shorter side for `task`
/// classify. Metadata with a mean and a std (`mean` `std`, `image_mean` `image_std`, `norm_mean` `norm_std`):
/// these numbers. PaddlePaddle as producer of a text reader: BGR, as OpenCV reads images, and lines of height
/// 48 where height and width are open. Sub, Div, Mul, Add, BatchNormalization and ImageScaler at the start of
/// the graph: `raw`, `unit` or `tf`, by which of them these turn into numbers around 0; a mean per channel
/// shows the order of the colours too.
///
/// `readable` has its constants folded.
std::vector<Clue> read_clues(const Graph& readable, const ImageInput& input);

}  // namespace quantize
