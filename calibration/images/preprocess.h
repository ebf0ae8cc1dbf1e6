// From an image to the tensor a model takes. Read Preprocess, then resolve() and preprocess_image().
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "calibration/images/resize.h"
#include "core/graph.h"
#include "core/pixel_grid.h"

namespace quantize {

/// The choices of a Preprocess.
enum class Color { kRgb, kBgr, kGray };
enum class ResizeMode { kStretch, kShorterSide, kHeight, kLetterbox, kNone };
enum class Anchor { kCenter, kTopLeft };
enum class Layout { kNchw, kNhwc };

/// Extents of an image in pixels.
struct ImageSize {
  int64_t height = 0, width = 0;
};

/// The way from an image to a tensor, in this order: colour, resize, centre crop, normalization, layout.
///
///   y = (pixel * scale - mean) / std
///
/// Channels of fill, mean and std are in the order of `color`. resolve() fills in all that is left out.
struct Preprocess {
  struct Resize {
    ResizeMode mode = ResizeMode::kStretch;
    std::optional<ImageSize>
        size;  // default: the model's own; height == width where one number means one side
    Interpolation interpolation = Interpolation::kBilinear;
    bool antialias = true;
    std::vector<uint8_t> fill;  // of a letterbox; default 114
    Anchor anchor = Anchor::kCenter;
  };

  Color color = Color::kRgb;
  Resize resize;
  std::optional<ImageSize> crop;
  double scale = 1;
  std::vector<double> mean;      // default 0
  std::vector<double> std;       // default 1
  std::optional<Layout> layout;  // default: the model's own

  int64_t channels() const { return color == Color::kGray ? 1 : 3; }
};

/// The image that a model's input takes: extents are kUnknownDim where the model leaves them open.
struct ImageInput {
  std::string name;
  int64_t channels = 3, height = kUnknownDim, width = kUnknownDim;
  Layout layout = Layout::kNchw;
  DataType dtype = DataType::kF32;  // integers: the network itself normalizes pixels
  bool alone = true;                // the model has no other input

  bool takes_pixels() const { return dtype != DataType::kF32 && dtype != DataType::kF64; }
};

/// The preprocessing of one input of a model, by the input's name.
struct InputPreprocess {
  std::string input;
  Preprocess preprocess;
};

/// Reads it from an input of the graph.
/// Errors: Error(kUnsupported) naming the input and its shape if it is no batch of images with 1 or 3
/// channels, of floats or integers, or if its batch is fixed at more than 1.
ImageInput image_input_of(const Value& input);

/// Names of the presets, for help and messages: imagenet tf caffe unit raw yolo.
std::span<const char* const> preset_names();

/// A preset for this input, resolved. One-channel inputs take grey, with the mean over the channels of the
/// preset's mean and std. Words behind a comma change it: `rgb` `bgr` the order of the channels, each colour
/// keeping its numbers; `stretch` `shorter_side` `height` `letterbox` `none` the geometry, `top_left` the
/// place in a letterbox, `224` or `480x640` (height first) the size where the model leaves it open:
/// "raw,bgr,letterbox,640".
/// Errors: Error(kInvalidArgument) for an unknown name or word; those of resolve.
Preprocess preset(const std::string& name, const ImageInput& input);

/// The shortest name from which preset() makes the same preprocessing; nothing if there is none.
/// Requires: preprocess came from resolve for this input.
std::optional<std::string> preset_name_of(const Preprocess& preprocess, const ImageInput& input);

/// For people: "RGB, shorter side 256, crop 224, x/127.5 - 1", where x is a pixel of 0 to 255.
/// Requires: preprocess came from resolve.
std::string describe(const Preprocess& preprocess);

/// The same preprocessing with everything said: size, fill, mean, std, layout.
/// Errors: Error(kInvalidArgument) if the result cannot be what the input takes (channels, layout, extents
/// known beforehand; integers of its type), if a size is missing and the model leaves it open, or if a number is
/// out of its range.
Preprocess resolve(Preprocess preprocess, const ImageInput& input);

/// The pixels of an image that its tensor shows, resized, and where they stand in it; fill stands around them.
struct FittedImage {
  Image image;
  int64_t left = 0, top = 0;
  ImageSize size;  // of the tensor
};

/// Resizes and crops. shorter_side and height round the other side to the nearest pixel, letterbox down; never
/// below 1. Requires: preprocess came from resolve.
/// Errors: Error(kCalibration) if the image is smaller than the crop, or the result too large.
FittedImage fit_image(const Image& image, const Preprocess& preprocess);

/// The way of a point from an image to its tensor: x * scale_x + left, y * scale_y + top, in pixels.
struct ImagePlacement {
  double scale_x = 1, scale_y = 1, left = 0, top = 0;
  ImageSize size = {};  // of the tensor; 0: not known
};

/// Where fit_image puts an image of this size. Requires: preprocess came from resolve; the size is above 0.
ImagePlacement placement_of(const ImageSize& image, const Preprocess& preprocess);

/// The tensor [1, C, H, W] or [1, H, W, C], f32, also where the input takes integers, which f32 holds exactly.
///
///   y = (pixel * scale - mean) / std, in float from left to right, pixel in 0..255
///
/// Requires: preprocess came from resolve, and is that of fit_image.
Tensor to_tensor(const FittedImage& fitted, const Preprocess& preprocess);

/// Both. Errors: those of fit_image.
Tensor preprocess_image(const Image& image, const Preprocess& preprocess);

/// The same formula the other way round, for channels that are axis 1; nothing for NHWC, and of settings that
/// resolve has not filled in.
std::optional<PixelGrid> pixel_grid(const Preprocess& preprocess);

}  // namespace quantize
