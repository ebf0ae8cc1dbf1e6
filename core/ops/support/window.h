// The arithmetic of sliding windows: what Conv, ConvTranspose and the pools read from their attributes, once.
// Read conv_window() first.
#pragma once

#include <array>
#include <type_traits>

#include "core/graph.h"

namespace quantize {

/// One spatial axis of a sliding window. Output position o reads, for every tap t in [0, kernel), the input
/// at o * stride + t * dilation - pad_begin, where that lies inside [0, in).
struct WindowAxis {
  int64_t in = 1, out = 1;  // kUnknownDim where not known yet
  int64_t kernel = 1, stride = 1, dilation = 1;
  int64_t pad_begin = 0, pad_end = 0;

  /// How much of the input a window covers, dilation included.
  int64_t span() const { return (kernel - 1) * dilation + 1; }
  /// Where tap 0 of output position `o` stands; may lie before the input.
  int64_t start(int64_t o) const { return o * stride - pad_begin; }
  /// The taps of output position `o` that lie inside the input: [first, last).
  int64_t first_tap(int64_t o) const;
  int64_t last_tap(int64_t o) const;
  /// The output positions whose tap t lies inside the input: [first, last).
  struct Outputs {
    int64_t first, last;
  };
  Outputs outputs_of(int64_t t) const;
};

/// How many taps of output position `o` a mean counts: those inside the input, or inside its padding too.
/// Elements that ceil_mode adds behind the padding never count.
int64_t counted_taps(const WindowAxis& axis, int64_t o, bool with_padding);

/// Calls body(stride) with 1 and 2 as constants of their type, so that the compiler makes vectors of the loop
/// in it.
template <typename Body>
void with_constant_stride(int64_t stride, Body body) {
  if (stride == 1) return body(std::integral_constant<int64_t, 1>{});
  if (stride == 2) return body(std::integral_constant<int64_t, 2>{});
  body(stride);
}

/// Three spatial axes; those a tensor of lower rank does not have come first and are all 1.
struct Window {
  size_t rank = 0;  // 1 to 3
  std::array<WindowAxis, 3> axes;

  const WindowAxis& depth() const { return axes[0]; }
  const WindowAxis& height() const { return axes[1]; }
  const WindowAxis& width() const { return axes[2]; }

  /// Products over the axes. Requires static extents. Errors: Error(kInvalidModel) on overflow.
  int64_t in_size() const;
  int64_t out_size() const;
  int64_t kernel_size() const;

  /// [n, c, spatial output extents].
  Shape output_shape(int64_t n, int64_t c) const;
};

/// The window of a Conv on x [N, C, ...] with weights [M, C / group, kernel...]; extents may be unknown.
///
/// Attributes: kernel_shape, strides, dilations, pads, auto_pad.
/// Errors: Error(kInvalidModel) for values that ONNX forbids (a stride of 0, negative pads, lists of the
/// wrong length, a kernel larger than the padded input), Error(kUnsupported) for more than three spatial
/// axes.
Window conv_window(const Node& node, Dims x, Dims weights);

/// The window of a MaxPool or AveragePool on x [N, C, ...]: as conv_window, and ceil_mode. A window that
/// would start behind the input and its front padding is left out, at every opset, as ONNX Runtime and ONNX
/// 22 do.
Window pool_window(const Node& node, Dims x);

/// The window of a ConvTranspose on x [N, C, ...] with weights [C, M / group, kernel...], seen as that of the
/// Conv whose gradient it is: `in` is the extent of ConvTranspose's output, `out` that of its input.
///
/// Attributes: those of Conv, output_padding, output_shape. Source: ONNX ConvTranspose-11.
Window conv_transpose_window(const Node& node, Dims x, Dims weights);

}  // namespace quantize
