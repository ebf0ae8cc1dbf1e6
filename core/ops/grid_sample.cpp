// GridSample: an image read at the places that a grid names. AffineGrid: the grid of an affine map.
#include <algorithm>
#include <cmath>

#include "core/ops/parts.h"
#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/require.h"
#include "core/ops/support/strided.h"

namespace quantize {

namespace {

enum class Mode { kNearest, kLinear, kCubic };
enum class Padding { kZeros, kBorder, kReflection };

struct Options {
  Mode mode;
  Padding padding;
  bool align_corners;
};

Options options_of(const Node& node) {
  const std::string mode = node.string_attribute("mode", "linear"),
                    padding = node.string_attribute("padding_mode", "zeros");
  Options options{Mode::kLinear, Padding::kZeros, node.int_attribute("align_corners", 0) != 0};
  if (mode == "nearest")
    options.mode = Mode::kNearest;
  else if (mode == "cubic" || mode == "bicubic")
    options.mode = Mode::kCubic;
  else
    require(mode == "linear" || mode == "bilinear", "attribute 'mode' is '" + mode + "'");
  if (padding == "border")
    options.padding = Padding::kBorder;
  else if (padding == "reflection")
    options.padding = Padding::kReflection;
  else
    require(padding == "zeros", "attribute 'padding_mode' is '" + padding + "'");
  return options;
}

void infer_sample(InferContext& context) {
  require_type(context, 0, kFloatTypes);
  require_type(context, 1, kFloatTypes);
  options_of(context.node);
  const auto x = context.shape(0), grid = context.shape(1);
  std::optional<Shape> y;
  if (x && grid) {
    const size_t rank = x->size();
    require(rank >= 3 && grid->size() == rank && compatible((*x)[0], (*grid)[0]) &&
                compatible(grid->back(), static_cast<int64_t>(rank - 2)),
            "a grid of shape " + to_string(*grid) + " does not fit an input of shape " + to_string(*x));
    y = Shape{(*x)[0], (*x)[1]};
    y->insert(y->end(), grid->begin() + 1, grid->end() - 1);
  }
  context.set_output(0, context.input(0).dtype, std::move(y));
}

/// A place beyond the borders, seen in the mirrors that stand there.
double reflected(double x, double low, double high) {
  const double range = high - low;
  if (range <= 0) return low;
  const double distance = std::fmod(std::abs(x - low), 2 * range);
  return low + std::min(distance, 2 * range - distance);
}

/// One axis of the image: where a coordinate in [-1, 1] lies, and which elements stand beyond the border.
struct Axis {
  int64_t extent, stride;
  Options options;

  double low() const { return options.align_corners ? 0 : -0.5; }
  double high() const { return static_cast<double>(extent) - (options.align_corners ? 1 : 0.5); }

  double place(double coordinate) const {
    const auto n = static_cast<double>(extent);
    const double x = options.align_corners ? (coordinate + 1) / 2 * (n - 1) : ((coordinate + 1) * n - 1) / 2;
    if (std::isnan(x)) return low() - 8;  // beyond all elements
    const double rounded = options.mode == Mode::kNearest ? std::nearbyint(x) : x;
    if (options.padding == Padding::kReflection && (rounded < low() || rounded > high()))
      return std::isinf(rounded) ? low() : reflected(rounded, low(), high());
    // A cubic stays where it is and reads the border on both sides, as PyTorch and ONNX Runtime have it.
    if (options.padding == Padding::kBorder && options.mode != Mode::kCubic)
      return std::clamp(rounded, 0.0, n - 1);
    return std::clamp(rounded, -8.0, n + 8);  // farther away all elements stand beyond the border
  }

  /// The element that stands at i, or -1 for a zero.
  int64_t element(int64_t i) const {
    if (i >= 0 && i < extent) return i;
    if (options.padding == Padding::kZeros) return -1;
    if (options.padding == Padding::kBorder) return std::clamp<int64_t>(i, 0, extent - 1);
    return std::clamp<int64_t>(static_cast<int64_t>(reflected(static_cast<double>(i), low(), high())), 0,
                               extent - 1);
  }
};

/// The elements of one axis that a place reads, with their weights. At most four.
struct AxisTaps {
  int count = 0;
  int64_t offset[4] = {};
  double weight[4] = {};
};

/// Source: Keys (1981), with a = -0.75.
double cubic_weight(double distance) {
  constexpr double a = -0.75;
  const double x = std::abs(distance);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

AxisTaps taps_of(const Axis& axis, double place) {
  AxisTaps taps;
  const auto add = [&](int64_t i, double weight) {
    const int64_t element = axis.element(i);
    if (element < 0 || weight == 0) return;
    taps.offset[taps.count] = element * axis.stride;
    taps.weight[taps.count++] = weight;
  };
  const double below = std::floor(place);
  const auto i = static_cast<int64_t>(below);
  if (axis.options.mode == Mode::kNearest) {
    add(static_cast<int64_t>(place), 1);
  } else if (axis.options.mode == Mode::kLinear) {
    add(i, 1 - (place - below));
    add(i + 1, place - below);
  } else {
    for (int64_t k = -1; k <= 2; ++k) add(i + k, cubic_weight(place - below - static_cast<double>(k)));
  }
  return taps;
}

/// Places whose taps are kept, for all channels.
constexpr int64_t kBlock = 64;

/// The elements that some places read over all axes: every combination of the taps of each.
class BlockTaps {
 public:
  void clear() {
    offset_.clear();
    weight_.clear();
    places_.clear();
  }

  void add(const std::vector<AxisTaps>& axes) {
    size_t first = offset_.size();
    offset_.push_back(0);
    weight_.push_back(1);
    for (const AxisTaps& axis : axes) {  // each combination of the axes before with each tap
      const size_t last = offset_.size();
      for (int t = 0; t < axis.count; ++t)
        for (size_t i = first; i < last; ++i) {
          offset_.push_back(offset_[i] + axis.offset[t]);
          weight_.push_back(weight_[i] * axis.weight[t]);
        }
      first = last;
    }
    places_.push_back({first, offset_.size()});
  }

  /// One number of a channel for each place.
  template <typename T>
  void blend(const T* x, T* y) const {
    for (const Range& place : places_) {
      double sum = 0;
      for (size_t i = place.first; i < place.last; ++i)
        sum += weight_[i] * static_cast<double>(x[offset_[i]]);
      *y++ = static_cast<T>(sum);
    }
  }

 private:
  struct Range {
    size_t first, last;
  };
  std::vector<int64_t> offset_;
  std::vector<double> weight_;
  std::vector<Range> places_;
};

int64_t blocks_of(Dims y) {
  return (extent_product(y, 2, y.size()) + kBlock - 1) / kBlock;
}

/// Units are blocks of places of one sample.
template <typename T, typename G>
void sample(const EvaluateContext& context, int64_t begin, int64_t end) {
  const TensorView &x = context.inputs[0], &grid = context.inputs[1];
  const MutableTensorView& y = context.outputs[0];
  const Options options = options_of(context.node);
  const Dims image = x.shape.subspan(2);
  const Shape strides = strides_of(image);
  const int64_t pixels = element_count(image), blocks = blocks_of(y.shape);
  const int64_t places = extent_product(y.shape, 2, y.shape.size());
  std::vector<AxisTaps> taps(image.size());
  BlockTaps block;
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t n = unit / blocks, first = unit % blocks * kBlock, last = std::min(first + kBlock, places);
    block.clear();
    for (int64_t p = first; p < last && pixels != 0; ++p) {
      const G* coordinates = grid.as<G>() + (n * places + p) * static_cast<int64_t>(image.size());
      for (size_t a = 0; a < image.size(); ++a) {  // the grid names the innermost axis first
        const Axis axis{image[a], strides[a], options};
        taps[a] = taps_of(axis, axis.place(static_cast<double>(coordinates[image.size() - 1 - a])));
      }
      block.add(taps);
    }
    for (int64_t channel = n * x.shape[1]; channel < (n + 1) * x.shape[1]; ++channel) {
      T* const to = y.as<T>() + channel * places + first;
      if (pixels == 0) std::fill_n(to, last - first, T(0));
      block.blend(x.as<T>() + channel * pixels, to);
    }
  }
}

void sample_part(const EvaluateContext& context, int64_t begin, int64_t end) {
  visit_float(context.inputs[0].dtype, [&]<typename T>() {
    visit_float(context.inputs[1].dtype, [&]<typename G>() { sample<T, G>(context, begin, end); });
  });
}

int64_t sample_units(const Node&, std::span<const Shape>, Dims y) {
  return y[0] * blocks_of(y);
}

void evaluate_sample(const EvaluateContext& context) {
  sample_part(context, 0, context.outputs[0].shape[0] * blocks_of(context.outputs[0].shape));
}

void infer_affine(InferContext& context) {
  require_type(context, 0, kFloatTypes);
  require_type(context, 1, kIndexTypes);
  const auto theta = context.shape(0);
  const auto size = context.all_integers(1);
  std::optional<Shape> y;
  if (size) {
    require(size->size() == 4 || size->size() == 5, "AffineGrid makes grids of two or three axes");
    const auto rank = static_cast<int64_t>(size->size() - 2);
    require(std::all_of(size->begin(), size->end(), [](int64_t extent) { return extent >= 0; }),
            "a size of AffineGrid is negative");
    require(!theta || (theta->size() == 3 && compatible((*theta)[0], (*size)[0]) &&
                       compatible((*theta)[1], rank) && compatible((*theta)[2], rank + 1)),
            "maps of shape " + (theta ? to_string(*theta) : "") + " do not fit the size");
    y = Shape{(*size)[0]};
    y->insert(y->end(), size->begin() + 2, size->end());
    y->push_back(rank);
  }
  context.set_output(0, context.input(0).dtype, std::move(y));
}

/// The coordinate of element i of n along an axis, -1 to 1.
double grid_coordinate(int64_t i, int64_t n, bool align_corners) {
  const auto place = static_cast<double>(i), extent = static_cast<double>(n);
  if (align_corners) return n > 1 ? -1 + 2 * place / (extent - 1) : 0;
  return -1 + (2 * place + 1) / extent;
}

template <typename T>
void affine(const EvaluateContext& context) {
  const MutableTensorView& y = context.outputs[0];
  const bool align_corners = context.node.int_attribute("align_corners", 0) != 0;
  const Dims image = y.shape.subspan(1, y.shape.size() - 2);
  const int64_t rank = y.shape.back(), places = element_count(image);
  const Shape strides = strides_of(image);
  std::vector<double> point(image.size());
  for (int64_t n = 0; n < y.shape[0]; ++n)
    for (int64_t p = 0; p < places; ++p) {
      for (size_t a = 0; a < image.size(); ++a)
        point[image.size() - 1 - a] = grid_coordinate(p / strides[a] % image[a], image[a], align_corners);
      for (int64_t row = 0; row < rank; ++row) {
        const T* map = context.inputs[0].as<T>() + (n * rank + row) * (rank + 1);
        auto sum = static_cast<double>(map[rank]);
        for (int64_t k = 0; k < rank; ++k) sum += static_cast<double>(map[k]) * point[static_cast<size_t>(k)];
        y.as<T>()[(n * places + p) * rank + row] = static_cast<T>(sum);
      }
    }
}

void evaluate_affine(const EvaluateContext& context) {
  visit_float(context.inputs[0].dtype, [&]<typename T>() { affine<T>(context); });
}

OpDef sampler(const char* op_type, int min_opset, void (*infer)(InferContext&),
              void (*evaluate)(const EvaluateContext&)) {
  return {.op_type = op_type,
          .domain = "",
          .min_opset = min_opset,
          .max_opset = kNewestOpset,
          .min_inputs = 2,
          .max_inputs = 2,
          .infer = infer,
          .evaluate = evaluate};
}

}  // namespace

const OpParts kGridSampleParts{
    .op_type = "GridSample", .domain = "", .units = sample_units, .run = sample_part, .nanoseconds = 4};

void add_grid_sample(std::vector<OpDef>& ops) {
  ops.push_back(sampler("AffineGrid", 20, infer_affine, evaluate_affine));
  ops.push_back(sampler("GridSample", 16, infer_sample, evaluate_sample));
}

}  // namespace quantize
