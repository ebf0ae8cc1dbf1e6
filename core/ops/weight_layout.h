// Where the weight from input channel i to output channel o stands in the constant of a Conv, ConvTranspose,
// Gemm or MatMul. With it, quantization treats the four alike.
#pragma once

#include <cstddef>
#include <cstdint>

namespace quantize {

/// Weights seen as [groups][outputs][inputs][taps], whatever their order in memory.
///
/// Output channel o of the operator is number o % outputs of group o / outputs; it reads input channels
/// [group * inputs, (group + 1) * inputs).
struct WeightLayout {
  int64_t groups = 1;
  int64_t outputs = 0, inputs = 0;                                // channels of one group
  int64_t taps = 1;                                               // elements of the kernel; their stride is 1
  int64_t group_stride = 0, output_stride = 0, input_stride = 0;  // in elements
  int64_t channel_axis = 0;  // the axis that counts output channels (of one group, if groups share it)
  double uses = 1;           // how often an output position uses each weight, on average, borders aside
  int64_t input_axis = 1;    // of the activation, the axis that counts input channels; -1: its last

  int64_t output_channels() const { return groups * outputs; }
  int64_t input_channels() const { return groups * inputs; }
  int64_t size() const { return groups * outputs * inputs * taps; }
  /// input_axis of an activation of `rank` axes, from the front.
  int64_t input_axis_of(size_t rank) const {
    return input_axis < 0 ? input_axis + static_cast<int64_t>(rank) : input_axis;
  }
  /// The first input channel that output channel o reads.
  int64_t first_input(int64_t o) const { return o / outputs * inputs; }
  /// Place of tap 0 of the weight from the i-th input channel of o's group.
  int64_t offset(int64_t o, int64_t i) const {
    return o / outputs * group_stride + o % outputs * output_stride + i * input_stride;
  }
  /// True if every output channel reads one of several input channels alone. (Of a depthwise convolution
  /// it is the one of its number: is_depthwise.)
  bool keeps_channels_apart() const { return inputs == 1 && groups > 1; }
};

}  // namespace quantize
