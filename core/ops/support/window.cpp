// Reading and checking the attributes of sliding windows, and the extents that follow from them.
#include "core/ops/support/window.h"

#include <algorithm>
#include <optional>
#include <string>

#include "core/error.h"

namespace quantize {

namespace {

// Larger attributes and extents mean nothing, and below it no sum or product of two of them overflows.
constexpr int64_t kMaxAttribute = int64_t{1} << 30;
constexpr int64_t kMaxExtent = int64_t{1} << 30;

/// Pools ask for every row: the usual strides need no division.
int64_t ceil_divide(int64_t a, int64_t b) {
  if (b == 1) return a;
  if (b == 2) return (a + 1) >> 1;
  return a / b + (a % b > 0 ? 1 : 0);
}

/// One list of integers, of `count` elements in [low, kMaxAttribute]; all `fallback` where the node has none.
std::vector<int64_t> read_list(const Node& node, const char* key, size_t count, int64_t low,
                               int64_t fallback) {
  auto list = node.ints_attribute(key, std::vector<int64_t>(count, fallback));
  if (list.size() != count)
    throw Error(ErrorKind::kInvalidModel, "attribute '" + std::string(key) + "' has " +
                                              std::to_string(list.size()) + " elements where " +
                                              std::to_string(count) + " are needed");
  for (int64_t value : list)
    if (value < low || value > kMaxAttribute)
      throw Error(ErrorKind::kInvalidModel, "attribute '" + std::string(key) + "' is " +
                                                std::to_string(value) + ", which is outside [" +
                                                std::to_string(low) + ", 2^30]");
  return list;
}

size_t spatial_rank(Dims x) {
  if (x.size() < 3)
    throw Error(ErrorKind::kInvalidModel,
                "the input has shape " + to_string(x) + ", but must be at least N x C x one spatial axis");
  if (x.size() > 5)
    throw Error(ErrorKind::kUnsupported,
                "the input has " + std::to_string(x.size() - 2) + " spatial axes; at most 3 are supported");
  return x.size() - 2;
}

/// Everything but kernel, padding and output extents.
Window read_axes(const Node& node, Dims x) {
  Window window;
  window.rank = spatial_rank(x);
  const auto strides = read_list(node, "strides", window.rank, 1, 1);
  const auto dilations = read_list(node, "dilations", window.rank, 1, 1);
  for (size_t i = 0; i < window.rank; ++i) {
    WindowAxis& axis = window.axes[3 - window.rank + i];
    axis.in = x[2 + i];
    axis.out = kUnknownDim;
    axis.stride = strides[i];
    axis.dilation = dilations[i];
    if (axis.in > kMaxExtent)
      throw Error(ErrorKind::kInvalidModel, "an input of shape " + to_string(x) + " is too large");
  }
  return window;
}

/// The kernel's extents: from the attribute, which must agree with the weights where both are known.
void read_kernel(const Node& node, Dims weights, Window& window) {
  if (!weights.empty() && weights.size() != window.rank + 2)
    throw Error(ErrorKind::kInvalidModel, "weights of shape " + to_string(weights) +
                                              " do not fit an input with " + std::to_string(window.rank) +
                                              " spatial axes");
  const bool given = node.has_attribute("kernel_shape");
  if (!given && weights.empty()) throw Error(ErrorKind::kInvalidModel, "attribute 'kernel_shape' is missing");
  const auto kernel = read_list(node, "kernel_shape", window.rank, 1, 1);
  for (size_t i = 0; i < window.rank; ++i) {
    int64_t extent = kernel[i];
    if (!weights.empty() && weights[2 + i] != kUnknownDim) {
      extent = weights[2 + i];
      if (extent < 1 || extent > kMaxAttribute || (given && kernel[i] != extent))
        throw Error(ErrorKind::kInvalidModel,
                    "weights of shape " + to_string(weights) + " do not fit attribute 'kernel_shape'");
    } else if (!given) {
      extent = kUnknownDim;
    }
    window.axes[3 - window.rank + i].kernel = extent;
  }
}

enum class AutoPad { kNotSet, kSameUpper, kSameLower, kValid };

AutoPad read_auto_pad(const Node& node) {
  const std::string text = node.string_attribute("auto_pad", "NOTSET");
  if (text == "NOTSET" || text.empty()) return AutoPad::kNotSet;
  if (text == "SAME_UPPER") return AutoPad::kSameUpper;
  if (text == "SAME_LOWER") return AutoPad::kSameLower;
  if (text == "VALID") return AutoPad::kValid;
  throw Error(ErrorKind::kInvalidModel, "attribute 'auto_pad' is '" + text +
                                            "', which is none of NOTSET, SAME_UPPER, SAME_LOWER and VALID");
}

bool is_same(AutoPad mode) {
  return mode == AutoPad::kSameUpper || mode == AutoPad::kSameLower;
}

/// Explicit pads, where auto_pad leaves them in force.
void read_pads(const Node& node, AutoPad mode, Window& window) {
  const auto pads = read_list(node, "pads", 2 * window.rank, 0, 0);
  if (mode != AutoPad::kNotSet) return;
  for (size_t i = 0; i < window.rank; ++i) {
    WindowAxis& axis = window.axes[3 - window.rank + i];
    axis.pad_begin = pads[i];
    axis.pad_end = pads[window.rank + i];
  }
}

void split_padding(int64_t total, bool more_at_end, WindowAxis& axis) {
  axis.pad_begin = more_at_end ? total / 2 : total - total / 2;
  axis.pad_end = total - axis.pad_begin;
}

/// Sets `out`, and the padding under auto_pad SAME.
void resolve_output(AutoPad mode, bool ceil_mode, WindowAxis& axis) {
  if (axis.in == kUnknownDim) return;
  if (is_same(mode)) {
    axis.out = ceil_divide(axis.in, axis.stride);
    if (axis.kernel == kUnknownDim) return;
    const int64_t needed = (axis.out - 1) * axis.stride + axis.span() - axis.in;
    split_padding(std::max<int64_t>(needed, 0), mode == AutoPad::kSameUpper, axis);
    return;
  }
  if (axis.kernel == kUnknownDim) return;
  const int64_t free = axis.in + axis.pad_begin + axis.pad_end - axis.span();  // how far the window can move
  const int64_t rounded = ceil_mode ? free + axis.stride - 1 : free;
  if (rounded < 0)
    throw Error(ErrorKind::kInvalidModel, "a window of " + std::to_string(axis.span()) +
                                              " does not fit into an input of " + std::to_string(axis.in) +
                                              " with padding " + std::to_string(axis.pad_begin) + " and " +
                                              std::to_string(axis.pad_end));
  axis.out = rounded / axis.stride + 1;
  if (ceil_mode && axis.start(axis.out - 1) >= axis.in) --axis.out;
}

/// Sets `in`, the output extent of a ConvTranspose, and the padding where the extent decides it.
void resolve_transposed(AutoPad mode, int64_t output_padding, std::optional<int64_t> given,
                        WindowAxis& axis) {
  const int64_t full = (axis.out - 1) * axis.stride + axis.span() + output_padding;
  if (given || is_same(mode)) {
    axis.in = given ? *given : std::min(axis.out * axis.stride, full);
    split_padding(std::max<int64_t>(full - axis.in, 0), mode == AutoPad::kSameUpper, axis);
  } else {
    axis.in = full - axis.pad_begin - axis.pad_end;
  }
  if (axis.out < 1 || axis.in < 1 || axis.in > kMaxExtent)
    throw Error(ErrorKind::kInvalidModel, "an output extent would be " + std::to_string(axis.in) +
                                              "; check pads, strides and output_shape");
}

int64_t product(const Window& window, int64_t WindowAxis::*extent) {
  const std::array<int64_t, 3> extents{window.axes[0].*extent, window.axes[1].*extent,
                                       window.axes[2].*extent};
  return element_count(extents);
}

}  // namespace

int64_t WindowAxis::first_tap(int64_t o) const {
  const int64_t before = -start(o);
  return before <= 0 ? 0 : std::min(kernel, ceil_divide(before, dilation));
}

int64_t WindowAxis::last_tap(int64_t o) const {
  const int64_t room = in - start(o);
  return room <= 0 ? 0 : std::min(kernel, ceil_divide(room, dilation));
}

WindowAxis::Outputs WindowAxis::outputs_of(int64_t t) const {
  const auto below = [&](int64_t limit) { return std::clamp<int64_t>(ceil_divide(limit, stride), 0, out); };
  const int64_t shift = pad_begin - t * dilation;  // tap t of output o stands at o * stride - shift
  const int64_t first = below(shift);
  return {first, std::max(first, below(in + shift))};
}

int64_t counted_taps(const WindowAxis& axis, int64_t o, bool with_padding) {
  if (!with_padding) return axis.last_tap(o) - axis.first_tap(o);
  const int64_t room = axis.in + axis.pad_end - axis.start(o);
  return std::min(axis.kernel, (room + axis.dilation - 1) / axis.dilation);
}

int64_t Window::in_size() const {
  return product(*this, &WindowAxis::in);
}
int64_t Window::out_size() const {
  return product(*this, &WindowAxis::out);
}
int64_t Window::kernel_size() const {
  return product(*this, &WindowAxis::kernel);
}

Shape Window::output_shape(int64_t n, int64_t c) const {
  Shape shape{n, c};
  for (size_t i = 3 - rank; i < 3; ++i) shape.push_back(axes[i].out);
  return shape;
}

Window conv_window(const Node& node, Dims x, Dims weights) {
  Window window = read_axes(node, x);
  const AutoPad mode = read_auto_pad(node);
  read_kernel(node, weights, window);
  read_pads(node, mode, window);
  for (size_t i = 3 - window.rank; i < 3; ++i) resolve_output(mode, false, window.axes[i]);
  return window;
}

Window pool_window(const Node& node, Dims x) {
  Window window = read_axes(node, x);
  const AutoPad mode = read_auto_pad(node);
  read_kernel(node, {}, window);
  read_pads(node, mode, window);
  const bool ceil_mode = node.int_attribute("ceil_mode", 0) != 0;
  for (size_t i = 3 - window.rank; i < 3; ++i) {
    WindowAxis& axis = window.axes[i];
    if (axis.pad_begin >= axis.span() || axis.pad_end >= axis.span())
      throw Error(ErrorKind::kInvalidModel, "the padding of a pool must be smaller than its kernel");
    resolve_output(mode, ceil_mode, axis);
  }
  return window;
}

Window conv_transpose_window(const Node& node, Dims x, Dims weights) {
  Window window = read_axes(node, x);
  const AutoPad mode = read_auto_pad(node);
  read_kernel(node, weights, window);
  read_pads(node, mode, window);
  const auto output_padding = read_list(node, "output_padding", window.rank, 0, 0);
  const bool fixed = node.has_attribute("output_shape");
  const auto output_shape = read_list(node, "output_shape", window.rank, fixed ? 1 : 0, 0);
  for (size_t i = 0; i < window.rank; ++i) {
    WindowAxis& axis = window.axes[3 - window.rank + i];
    if (output_padding[i] >= std::max(axis.stride, axis.dilation))
      throw Error(ErrorKind::kInvalidModel,
                  "attribute 'output_padding' must be smaller than stride or dilation");
    axis.out = axis.in;
    axis.in = kUnknownDim;
    const auto given = fixed ? std::optional(output_shape[i]) : std::nullopt;
    if (axis.out == kUnknownDim || axis.kernel == kUnknownDim)
      axis.in = given.value_or(kUnknownDim);
    else
      resolve_transposed(mode, output_padding[i], given, axis);
  }
  return window;
}

}  // namespace quantize
