// RoiAlign and MaxRoiPool: a region of an image, pooled to a grid of bins.
#include <algorithm>
#include <cmath>

#include "core/ops/parts.h"
#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/require.h"

namespace quantize {

namespace {

constexpr int64_t kMostBins = int64_t{1} << 20;  // along an axis
constexpr int64_t kMostSamples = 64;  // along an axis of a bin: all together are computed for each element

int64_t bin_count(int64_t count, const char* name) {
  require(count >= 1 && count <= kMostBins,
          "attribute '" + std::string(name) + "' is " + std::to_string(count));
  return count;
}

bool pools_maximum(const Node& node) {
  const std::string mode = node.string_attribute("mode", "avg");
  require(mode == "avg" || mode == "max", "attribute 'mode' is '" + mode + "', which is neither avg nor max");
  return mode == "max";
}

/// Up to opset 15 a region is not moved by half a pixel.
bool moves_by_half(const Node& node, int64_t opset) {
  const std::string mode = node.string_attribute("coordinate_transformation_mode",
                                                 opset < 16 ? "output_half_pixel" : "half_pixel");
  require(mode == "half_pixel" || mode == "output_half_pixel",
          "attribute 'coordinate_transformation_mode' is '" + mode + "'");
  return mode == "half_pixel";
}

void check_regions(const InferContext& context, int64_t columns) {
  const auto x = context.shape(0), regions = context.shape(1);
  require(!x || x->size() == 4, "the input of " + context.node.op_type + " is no image");
  require(!regions || (regions->size() == 2 && compatible((*regions)[1], columns)),
          "regions of shape " + (regions ? to_string(*regions) : "") + " do not have " +
              std::to_string(columns) + " numbers each");
}

void infer_align(InferContext& context) {
  require_type(context, 0, kF32Only);
  require_type(context, 1, kF32Only);
  require_type(context, 2, kIndexTypes);
  pools_maximum(context.node);
  moves_by_half(context.node, context.opset);
  check_regions(context, 4);
  const int64_t ratio = context.node.int_attribute("sampling_ratio", 0);
  require(ratio >= 0 && ratio <= kMostSamples, "attribute 'sampling_ratio' is " + std::to_string(ratio) +
                                                   ", which is outside [0, " + std::to_string(kMostSamples) +
                                                   "]");
  const auto x = context.shape(0), regions = context.shape(1);
  if (regions) require_vector(context, 2, (*regions)[0]);
  context.set_output(0, context.input(0).dtype,
                     Shape{regions ? (*regions)[0] : kUnknownDim, x ? (*x)[1] : kUnknownDim,
                           bin_count(context.node.int_attribute("output_height", 1), "output_height"),
                           bin_count(context.node.int_attribute("output_width", 1), "output_width")});
}

constexpr int64_t kMostPlaces = int64_t{1} << 24;  // along an axis

/// The two elements around a place on an axis, and the weight of the second; outside there is nothing.
struct Place {
  int64_t low = 0, high = 0;
  float weight = 0;
  bool inside = false;
};

Place place_at(float x, int64_t extent) {
  if (!(x >= -1) || x > static_cast<float>(extent)) return {};
  x = std::max(x, 0.0f);
  const auto low = std::min(static_cast<int64_t>(x), extent - 1);
  if (low == extent - 1) return {low, low, 0, true};
  return {low, low + 1, x - static_cast<float>(low), true};
}

/// One axis of a region: its bins, each with `samples` places.
struct RegionAxis {
  float start, bin;
  int64_t samples, extent;

  Place place(int64_t b, int64_t s) const {
    const float step = bin / static_cast<float>(samples);
    return place_at(start + static_cast<float>(b) * bin + (static_cast<float>(s) + 0.5f) * step, extent);
  }
};

struct AlignOptions {
  float scale;
  bool half, maximum;
  int64_t ratio;
};

RegionAxis region_axis(const AlignOptions& options, float begin, float end, int64_t bins, int64_t extent) {
  const float offset = options.half ? 0.5f : 0.0f;
  const float start = begin * options.scale - offset;
  float length = end * options.scale - offset - start;
  if (!options.half) length = std::max(length, 1.0f);
  require(std::isfinite(start) && std::isfinite(length), "a region of RoiAlign is not finite");
  const float bin = length / static_cast<float>(bins);
  // More places than elements there are tell nothing new.
  const auto samples =
      options.ratio > 0
          ? options.ratio
          : static_cast<int64_t>(std::clamp(std::ceil(bin), 0.0f, static_cast<float>(extent) + 2));
  return {start, bin, samples, extent};
}

/// All places of a region on an axis, bin by bin.
struct AxisPlaces {
  explicit AxisPlaces(const RegionAxis& axis, int64_t bins) : samples(axis.samples) {
    require(samples <= kMostPlaces / bins, "a region of RoiAlign has too many places");
    places.reserve(static_cast<size_t>(bins * samples));
    for (int64_t b = 0; b < bins; ++b)
      for (int64_t s = 0; s < samples; ++s) places.push_back(axis.place(b, s));
  }
  std::span<const Place> bin(int64_t b) const {
    return std::span(places).subspan(static_cast<size_t>(b * samples), static_cast<size_t>(samples));
  }

  int64_t samples;
  std::vector<Place> places;
};

/// One bin of one channel.
float pool_bin(const float* image, int64_t width, std::span<const Place> rows, std::span<const Place> columns,
               bool maximum) {
  float result = 0;
  bool first = true;
  for (const Place& y : rows) {
    const float *low = image + y.low * width, *high = image + y.high * width;
    for (const Place& x : columns) {
      float parts[4] = {};
      if (y.inside && x.inside) {
        parts[0] = (1 - y.weight) * (1 - x.weight) * low[x.low];
        parts[1] = (1 - y.weight) * x.weight * low[x.high];
        parts[2] = y.weight * (1 - x.weight) * high[x.low];
        parts[3] = y.weight * x.weight * high[x.high];
      }
      if (maximum) {
        const float largest = *std::max_element(parts, parts + 4);
        result = first ? largest : std::max(result, largest);
      } else {
        result += parts[0] + parts[1] + parts[2] + parts[3];
      }
      first = false;
    }
  }
  return maximum ? result : result / static_cast<float>(std::max<size_t>(rows.size() * columns.size(), 1));
}

/// Units are regions.
void align_part(const EvaluateContext& context, int64_t begin, int64_t end) {
  const TensorView& x = context.inputs[0];
  const MutableTensorView& y = context.outputs[0];
  const AlignOptions options{context.node.float_attribute("spatial_scale", 1),
                             moves_by_half(context.node, context.opset), pools_maximum(context.node),
                             context.node.int_attribute("sampling_ratio", 0)};
  const std::vector<int64_t> samples = to_integers(context.inputs[2]);
  const int64_t channels = x.shape[1], height = y.shape[2], width = y.shape[3];
  const int64_t pixels = x.shape[2] * x.shape[3];
  float* to = y.as<float>() + begin * channels * height * width;
  for (int64_t r = begin; r < end; ++r) {
    const float* region = context.inputs[1].as<float>() + 4 * r;
    const int64_t n = samples[static_cast<size_t>(r)];
    require(n >= 0 && n < x.shape[0], "a region of RoiAlign names sample " + std::to_string(n));
    const AxisPlaces columns(region_axis(options, region[0], region[2], width, x.shape[3]), width),
        rows(region_axis(options, region[1], region[3], height, x.shape[2]), height);
    for (int64_t c = 0; c < channels; ++c) {
      const float* image = x.as<float>() + (n * channels + c) * pixels;
      for (int64_t by = 0; by < height; ++by)
        for (int64_t bx = 0; bx < width; ++bx)
          *to++ =
              pixels == 0 ? 0 : pool_bin(image, x.shape[3], rows.bin(by), columns.bin(bx), options.maximum);
    }
  }
}

int64_t align_units(const Node&, std::span<const Shape>, Dims y) {
  return y[0];
}

void evaluate_align(const EvaluateContext& context) {
  align_part(context, 0, context.outputs[0].shape[0]);
}

std::vector<int64_t> pooled_shape(const Node& node) {
  const auto shape = node.ints_attribute("pooled_shape", {});
  require(shape.size() == 2, "attribute 'pooled_shape' does not have two extents");
  return {bin_count(shape[0], "pooled_shape"), bin_count(shape[1], "pooled_shape")};
}

void infer_pool(InferContext& context) {
  require_type(context, 0, kF32Only);
  require_type(context, 1, kF32Only);
  check_regions(context, 5);
  const auto x = context.shape(0), regions = context.shape(1);
  const auto bins = pooled_shape(context.node);
  context.set_output(
      0, context.input(0).dtype,
      Shape{regions ? (*regions)[0] : kUnknownDim, x ? (*x)[1] : kUnknownDim, bins[0], bins[1]});
}

/// The elements [first, last) of bin b of an axis; at least one pixel wide before it is cut off at the image.
struct Bin {
  int64_t first, last;
};

Bin bin_of(float begin, float end, int64_t b, int64_t bins, int64_t extent) {
  const auto limited = [](float value) { return std::clamp(std::round(value), -0x1p30f, 0x1p30f); };
  const float start = limited(begin),
              size = std::max(limited(end) - start + 1, 1.0f) / static_cast<float>(bins);
  const auto cut = [&](float place) {
    return std::clamp(static_cast<int64_t>(place) + static_cast<int64_t>(start), int64_t{0}, extent);
  };
  return {cut(std::floor(static_cast<float>(b) * size)), cut(std::ceil(static_cast<float>(b + 1) * size))};
}

void evaluate_pool(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  const MutableTensorView& y = context.outputs[0];
  const float scale = context.node.float_attribute("spatial_scale", 1);
  const int64_t channels = x.shape[1], height = x.shape[2], width = x.shape[3];
  float* to = y.as<float>();
  for (int64_t r = 0; r < y.shape[0]; ++r) {
    const float* region = context.inputs[1].as<float>() + 5 * r;  // sample, x1, y1, x2, y2
    require(region[0] >= 0 && region[0] < static_cast<float>(x.shape[0]),
            "a region of MaxRoiPool names no sample");
    require(std::all_of(region + 1, region + 5, [&](float v) { return std::isfinite(v * scale); }),
            "a region of MaxRoiPool is not finite");
    for (int64_t c = 0; c < channels; ++c) {
      const float* image = x.as<float>() + (static_cast<int64_t>(region[0]) * channels + c) * height * width;
      for (int64_t by = 0; by < y.shape[2]; ++by)
        for (int64_t bx = 0; bx < y.shape[3]; ++bx) {
          const Bin rows = bin_of(region[2] * scale, region[4] * scale, by, y.shape[2], height),
                    columns = bin_of(region[1] * scale, region[3] * scale, bx, y.shape[3], width);
          const bool empty = rows.first >= rows.last || columns.first >= columns.last;
          float largest = empty ? 0 : -HUGE_VALF;
          for (int64_t i = rows.first; i < rows.last; ++i)
            for (int64_t j = columns.first; j < columns.last; ++j)
              largest = std::max(largest, image[i * width + j]);
          *to++ = largest;
        }
    }
  }
}

}  // namespace

const OpParts kRoiAlignParts{
    .op_type = "RoiAlign", .domain = "", .units = align_units, .run = align_part, .nanoseconds = 20};

void add_roi_align(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "MaxRoiPool",
                 .domain = "",
                 .min_opset = 7,
                 .max_opset = kNewestOpset,
                 .min_inputs = 2,
                 .max_inputs = 2,
                 .infer = infer_pool,
                 .evaluate = evaluate_pool});
  ops.push_back({.op_type = "RoiAlign",
                 .domain = "",
                 .min_opset = 10,
                 .max_opset = kNewestOpset,
                 .min_inputs = 3,
                 .max_inputs = 3,
                 .infer = infer_align,
                 .evaluate = evaluate_align});
}

}  // namespace quantize
