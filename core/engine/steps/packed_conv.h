// The constants of an integer convolution or product, per output channel, and their packed form.
#pragma once

#include <optional>
#include <vector>

#include "core/engine/steps/step.h"

namespace quantize {

/// Where they stand among a node's inputs.
struct ConvOperands {
  size_t x_scale, x_zero_point;
  size_t w, w_scale, w_zero_point;
  size_t bias = kAnyNumber;     // s32
  size_t y_scale = kAnyNumber;  // its zero point stands behind it; left out: the results are real
  size_t channels = 0;
  bool channels_last = false;  // the weights' output channels are their last axis, else their first
  /// True if x and y may have one scale and zero point per channel: x where input and output channels are the
  /// same ones.
  bool by_channel = false;
  bool is_real = false;  // the results are real although there is a y_scale
};

/// The constants that the kernels read, without the shape of the image.
struct ConvConstants {
  RequantizeU8 requantize(size_t first_channel) const {
    return {bias.data() + first_channel, multiplier.data() + first_channel, zero_point.data() + first_channel,
            low.data() + first_channel, high.data() + first_channel};
  }

  std::vector<int8_t> weights;  // [channels][all else, in the node's order]
  std::vector<int32_t> bias, zero_point;
  std::vector<float> multiplier;  // for real results, x_scale * w_scale
  std::vector<uint8_t> low, high;
};

/// Nothing if a scale, the weights or the bias are computed, or the weights have a zero point (0 of s8, or
/// 128 of u8, which are read as s8, is none), or a sum could leave s32.
std::optional<ConvConstants> conv_constants(const CompileContext& context, const ConvOperands& operands);

/// True if the function above has a result.
bool has_conv_constants(const Graph& graph, const Node& node, const ConvOperands& operands);

/// The channels [first, first + count) of a convolution, and their weights [count][taps][depth].
struct ConvPart {
  size_t first = 0, count = 0, taps = 1, depth = 0;
  const int8_t* weights = nullptr;
};

/// A part packed for conv_u8s8.
struct PackedConv {
  PackedConv() = default;
  PackedConv(const KernelTable& kernels, const ConvConstants& constants, const ConvPart& part);
  Tensor packed;
};

}  // namespace quantize
