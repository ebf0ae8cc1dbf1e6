// Col2Im: columns of blocks, added up where the blocks overlap in the image.
#include <algorithm>

#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/require.h"
#include "core/ops/support/strided.h"

namespace quantize {

namespace {

constexpr int64_t kMost = int64_t{1} << 30;

/// One spatial axis: how blocks lie on the image.
struct Axis {
  int64_t image, block, stride, dilation, pad_begin, pad_end;

  int64_t count() const {
    const int64_t room = image + pad_begin + pad_end - (block - 1) * dilation - 1;
    require(room >= 0, "a block of Col2Im does not fit the image");
    return room / stride + 1;
  }
};

std::vector<int64_t> checked(std::vector<int64_t> list, size_t count, int64_t low, const char* name) {
  require(list.size() == count &&
              std::all_of(list.begin(), list.end(), [low](int64_t i) { return i >= low && i <= kMost; }),
          std::string(name) + " of Col2Im does not have " + std::to_string(count) + " elements in [" +
              std::to_string(low) + ", 2^30]");
  return list;
}

std::vector<Axis> axes_of(const Node& node, const std::vector<int64_t>& image,
                          const std::vector<int64_t>& block) {
  const size_t rank = image.size();
  require(rank >= 1 && rank <= 8, "an image of " + std::to_string(rank) + " axes is not supported");
  checked(image, rank, 1, "the image");
  checked(block, rank, 1, "the block");
  const auto strides =
                 checked(node.ints_attribute("strides", std::vector<int64_t>(rank, 1)), rank, 1, "strides"),
             dilations = checked(node.ints_attribute("dilations", std::vector<int64_t>(rank, 1)), rank, 1,
                                 "dilations"),
             pads =
                 checked(node.ints_attribute("pads", std::vector<int64_t>(2 * rank, 0)), 2 * rank, 0, "pads");
  std::vector<Axis> axes;
  for (size_t i = 0; i < rank; ++i)
    axes.push_back({image[i], block[i], strides[i], dilations[i], pads[i], pads[rank + i]});
  return axes;
}

/// Extents of the blocks' positions, and of a block.
Shape counts_of(const std::vector<Axis>& axes) {
  Shape counts;
  for (const Axis& axis : axes) counts.push_back(axis.count());
  return counts;
}

void infer(InferContext& context) {
  require_type(context, 0, kNumberTypes);
  require_type(context, 1, kIndexTypes);
  require_type(context, 2, kIndexTypes);
  const auto x = context.shape(0);
  const auto image = context.all_integers(1), block = context.all_integers(2);
  require(!x || x->size() == 3, "the input of Col2Im has not three axes");
  std::optional<Shape> y;
  if (image && block) {
    const auto axes = axes_of(context.node, *image, *block);
    const int64_t elements = element_count(*block), columns = element_count(counts_of(axes));
    require(!x || !is_static(*x) || ((*x)[1] % elements == 0 && (*x)[2] == columns),
            "columns of shape " + (x ? to_string(*x) : "") + " do not fit blocks of " +
                std::to_string(elements) + " elements at " + std::to_string(columns) + " places");
    y = Shape{x ? (*x)[0] : kUnknownDim, x && (*x)[1] != kUnknownDim ? (*x)[1] / elements : kUnknownDim};
    y->insert(y->end(), image->begin(), image->end());
  }
  context.set_output(0, context.input(0).dtype, std::move(y));
}

/// Where element `tap` of the block at place `column` lies in the image, or -1 outside.
int64_t place_of(const std::vector<Axis>& axes, int64_t tap, int64_t column) {
  int64_t place = 0, step = 1;
  for (size_t i = axes.size(); i-- > 0;) {
    const Axis& axis = axes[i];
    const int64_t count = axis.count();
    const int64_t at = column % count * axis.stride + tap % axis.block * axis.dilation - axis.pad_begin;
    if (at < 0 || at >= axis.image) return -1;
    place += at * step;
    step *= axis.image;
    tap /= axis.block;
    column /= count;
  }
  return place;
}

void evaluate(const EvaluateContext& context) {
  const TensorView& x = context.inputs[0];
  const auto image = to_integers(context.inputs[1]), block = to_integers(context.inputs[2]);
  const auto axes = axes_of(context.node, image, block);
  const int64_t taps = element_count(block), pixels = element_count(image), columns = x.shape[2];
  visit_number(x.dtype, [&]<typename T>() {
    using Wide = std::conditional_t<std::is_floating_point_v<T>, T, uint64_t>;
    T* y = context.outputs[0].as<T>();
    std::fill_n(y, context.outputs[0].size(), T(0));
    for (int64_t row = 0; row < x.shape[0] * x.shape[1]; ++row)
      for (int64_t column = 0; column < columns; ++column) {
        const int64_t place = place_of(axes, row % taps, column);
        if (place < 0) continue;
        T& to = y[row / taps * pixels + place];
        to = static_cast<T>(static_cast<Wide>(to) + static_cast<Wide>(x.as<T>()[row * columns + column]));
      }
  });
}

}  // namespace

void add_col2im(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Col2Im",
                 .domain = "",
                 .min_opset = 18,
                 .max_opset = kNewestOpset,
                 .min_inputs = 3,
                 .max_inputs = 3,
                 .infer = infer,
                 .evaluate = evaluate});
}

}  // namespace quantize
