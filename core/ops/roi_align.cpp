// RoiAlign and MaxRoiPool: a region of an image, pooled to a grid of bins.
#include <algorithm>
#include <cmath>

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

/// One bin of one channel.
float pool_bin(const float* image, const RegionAxis& rows, const RegionAxis& columns, int64_t by, int64_t bx,
               bool maximum) {
  float result = 0;
  bool first = true;
  for (int64_t sy = 0; sy < rows.samples; ++sy)
    for (int64_t sx = 0; sx < columns.samples; ++sx) {
      const Place y = rows.place(by, sy), x = columns.place(bx, sx);
      float parts[4] = {};
      if (y.inside && x.inside) {
        const float *low = image + y.low * columns.extent, *high = image + y.high * columns.extent;
        parts[0] = (1 - y.weight) * (1 - x.weight) * low[x.low];
        parts[1] = (1 - y.weight) * x.weight * low[x.high];
        parts[2] = y.weight * (1 - x.weight) * high[x.low];
        parts[3] = y.weight * x.weight * high[x.high];
      }
      const float largest = *std::max_element(parts, parts + 4);
      if (maximum)
        result = first ? largest : std::max(result, largest);
      else
        result += parts[0] + parts[1] + parts[2] + parts[3];
      first = false;
    }
  return maximum ? result : result / static_cast<float>(std::max<int64_t>(rows.samples * columns.samples, 1));
}

void evaluate_align(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  const MutableTensorView& y = context.outputs[0];
  const AlignOptions options{context.node.float_attribute("spatial_scale", 1),
                             moves_by_half(context.node, context.opset), pools_maximum(context.node),
                             context.node.int_attribute("sampling_ratio", 0)};
  const std::vector<int64_t> samples = to_integers(context.inputs[2]);
  const int64_t channels = x.shape[1], pixels = x.shape[2] * x.shape[3];
  float* to = y.as<float>();
  for (int64_t r = 0; r < y.shape[0]; ++r) {
    const float* region = context.inputs[1].as<float>() + 4 * r;
    const int64_t n = samples[static_cast<size_t>(r)];
    require(n >= 0 && n < x.shape[0], "a region of RoiAlign names sample " + std::to_string(n));
    const RegionAxis columns = region_axis(options, region[0], region[2], y.shape[3], x.shape[3]),
                     rows = region_axis(options, region[1], region[3], y.shape[2], x.shape[2]);
    for (int64_t c = 0; c < channels; ++c) {
      const float* image = x.as<float>() + (n * channels + c) * pixels;
      for (int64_t by = 0; by < y.shape[2]; ++by)
        for (int64_t bx = 0; bx < y.shape[3]; ++bx)
          *to++ = pixels == 0 ? 0 : pool_bin(image, rows, columns, by, bx, options.maximum);
    }
  }
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
    require(std::all_of(region + 1, region + 5, [](float v) { return std::isfinite(v); }),
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
