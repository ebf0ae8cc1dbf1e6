// Means of codes: sums of s32, then one multiplication.
#include "core/error.h"
#include "core/integer/codes.h"
#include "core/integer/integer_formulas.h"
#include "core/integer/standard/standard_writer.h"
#include "core/ops/support/pool.h"

namespace quantize {

namespace {

enum : size_t { kX = 0, kYScale = 3 };

/// The shape of the image. Errors: Error(kUnsupported) if its size is not known.
Shape known_image(const StandardWriter& writer) {
  const auto& shape = writer.input(kX).shape;
  if (!shape || shape->size() < 3 || !is_static(Dims(*shape).subspan(1)))
    throw Error(ErrorKind::kUnsupported, "the size of its images is not known; fix it with --input-shape");
  return *shape;
}

/// The multiplier of each output: of as many elements as its window counts.
Tensor multipliers(const Window& window, bool with_padding, const ScalarParams& x, const ScalarParams& y) {
  const auto& [d, h, w] = window.axes;
  std::vector<float> numbers;
  for (int64_t i = 0; i < d.out; ++i)
    for (int64_t j = 0; j < h.out; ++j)
      for (int64_t k = 0; k < w.out; ++k)
        numbers.push_back(
            mean_multiplier(x, y,
                            qlinear_divisor(d, i, with_padding) * qlinear_divisor(h, j, with_padding) *
                                qlinear_divisor(w, k, with_padding)));
  if (std::all_of(numbers.begin(), numbers.end(), [&](float number) { return number == numbers[0]; }))
    return Tensor::scalar(numbers.at(0));
  const Shape places = window.output_shape(1, 1);
  return Tensor::of<float>(places, numbers);
}

/// ConvInteger with ones: the sum of each window, channel by channel.
ValueId window_sums(StandardWriter& writer, const Window& window, int64_t channels) {
  std::vector<int64_t> kernel, strides, begins, ends;
  for (size_t i = 3 - window.rank; i < 3; ++i) {
    const WindowAxis& axis = window.axes[i];
    kernel.push_back(axis.kernel);
    strides.push_back(axis.stride);
    begins.push_back(axis.pad_begin);
    // As far as the last window reaches; what it leaves of the image is cut off by the stride.
    ends.push_back(std::max(axis.start(axis.out - 1) + axis.kernel - axis.in, int64_t{0}));
  }
  std::vector<int64_t> pads = begins;
  pads.insert(pads.end(), ends.begin(), ends.end());
  Shape shape{channels, 1};
  shape.insert(shape.end(), kernel.begin(), kernel.end());
  const std::vector<uint8_t> ones(static_cast<size_t>(element_count(shape)), 1);
  return writer.add("ConvInteger",
                    {writer.node().inputs[kX], writer.constant(Tensor::of<uint8_t>(shape, ones)),
                     writer.node().inputs[kX + 2]},
                    DataType::kS32,
                    {{"group", channels}, {"kernel_shape", kernel}, {"pads", pads}, {"strides", strides}});
}

}  // namespace

void spell_average_pool(StandardWriter& writer) {
  const ScalarParams x = writer.scalar(kX + 1), y = writer.scalar(kYScale);
  const Shape image = known_image(writer);
  const Window window = pool_window(writer.node(), image);
  const bool with_padding = writer.node().int_attribute("count_include_pad", 0) != 0;
  const ValueId sums = writer.cast(window_sums(writer, window, image[1]), DataType::kF32);
  const ValueId steps =
      writer.add("Mul", {sums, writer.constant(multipliers(window, with_padding, x, y))}, DataType::kF32);
  writer.finish_codes(steps, y.zero_point);
}

void spell_global_pool(StandardWriter& writer) {
  const ScalarParams x = writer.scalar(kX + 1), y = writer.scalar(kYScale);
  const Shape image = known_image(writer);
  const ValueId numbers = writer.centred(kX, x.zero_point);
  std::vector<int64_t> axes;
  for (size_t i = 2; i < image.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  const Shape count{static_cast<int64_t>(axes.size())};
  const ValueId sum =
      writer.add("ReduceSum", {numbers, writer.constant(Tensor::of<int64_t>(count, axes))}, DataType::kS32);
  const float multiplier = mean_multiplier(x, y, element_count(Dims(image).subspan(2)));
  const ValueId steps = writer.add(
      "Mul", {writer.cast(sum, DataType::kF32), writer.constant(Tensor::scalar(multiplier))}, DataType::kF32);
  writer.finish_codes(steps, y.zero_point);
}

}  // namespace quantize
