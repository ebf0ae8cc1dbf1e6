// The reference of the integer convolutions: plain loops over plain copies of the weights.
#include <cstring>

#include "kernels/kernel_table.h"
#include "kernels/plug.h"
#include "kernels/requantize.h"

namespace quantize {

namespace {

/// The header of packed weights; the arrays of RequantizeU8 and the weights follow.
struct PackedHeader {
  size_t channels, taps, depth;  // depthwise: kernel rows and columns
};

constexpr size_t kBytesPerChannel = 2 * sizeof(int32_t) + sizeof(float) + 2;

size_t packed_bytes(size_t channels, size_t weights) {
  return sizeof(PackedHeader) + channels * kBytesPerChannel + weights;
}

uint8_t* append(uint8_t* to, const void* from, size_t bytes) {
  std::memcpy(to, from, bytes);
  return to + bytes;
}

void pack(const PackedHeader& header, const RequantizeU8& r, const int8_t* weights, size_t count,
          void* packed) {
  auto* to = append(static_cast<uint8_t*>(packed), &header, sizeof header);
  to = append(to, r.bias, header.channels * sizeof(int32_t));
  to = append(to, r.multiplier, header.channels * sizeof(float));
  to = append(to, r.zero_point, header.channels * sizeof(int32_t));
  to = append(to, r.low, header.channels);
  to = append(to, r.high, header.channels);
  append(to, weights, count);
}

struct Packed {
  PackedHeader header;
  RequantizeU8 requantize;
  const int8_t* weights;
};

Packed unpack(const void* packed) {
  Packed result;
  std::memcpy(&result.header, packed, sizeof(PackedHeader));
  const size_t channels = result.header.channels;
  const auto* at = static_cast<const uint8_t*>(packed) + sizeof(PackedHeader);
  result.requantize.bias = reinterpret_cast<const int32_t*>(at);
  result.requantize.multiplier = reinterpret_cast<const float*>(at + channels * 4);
  result.requantize.zero_point = reinterpret_cast<const int32_t*>(at + channels * 8);
  result.requantize.low = at + channels * 12;
  result.requantize.high = at + channels * 13;
  result.weights = reinterpret_cast<const int8_t*>(at + channels * 14);
  return result;
}

size_t conv_bytes(const ConvWeightsU8S8& w) noexcept {
  return packed_bytes(w.out_channels, w.out_channels * w.taps * w.depth);
}

void conv_pack(const ConvWeightsU8S8& w, void* packed) noexcept {
  pack({w.out_channels, w.taps, w.depth}, w.requantize, w.weights, w.out_channels * w.taps * w.depth, packed);
}

/// Sums wrap, as unsigned numbers do.
int32_t conv_sum(const Packed& p, const ConvU8S8& call, size_t row, const uint8_t* x, size_t c) {
  const int8_t* w = p.weights + c * p.header.taps * p.header.depth;
  const TapRange taps = call.row_taps == nullptr ? TapRange{0, p.header.taps} : call.row_taps[row];
  auto sum = static_cast<uint32_t>(p.requantize.bias[c]);
  for (size_t t = taps.begin; t < taps.end; ++t)
    for (size_t k = 0; k < p.header.depth; ++k)
      sum += static_cast<uint32_t>(x[call.tap_offsets[t] + k] * w[t * p.header.depth + k]);
  return static_cast<int32_t>(sum);
}

void conv(const ConvU8S8& call) noexcept {
  const Packed p = unpack(call.packed);
  for (size_t r = 0; r < call.rows; ++r)
    for (size_t i = 0; i < call.width; ++i) {
      const uint8_t* x = call.x + r * call.x_row_stride + i * call.x_pixel_stride;
      if (call.real != nullptr) {
        float* real = call.real + r * call.y_row_stride + i * call.y_pixel_stride;
        for (size_t c = call.channel_begin; c < call.channel_end; ++c)
          real[c] = static_cast<float>(conv_sum(p, call, r, x, c)) * p.requantize.multiplier[c];
        continue;
      }
      uint8_t* y = call.y + r * call.y_row_stride + i * call.y_pixel_stride;
      const EpilogueU8& e = call.epilogue;
      const uint8_t* b = e.b == nullptr ? nullptr : e.b + r * e.b_row_stride + i * e.b_pixel_stride;
      for (size_t c = call.channel_begin; c < call.channel_end; ++c)
        y[c] = finish(conv_sum(p, call, r, x, c), p.requantize, c, e, b == nullptr ? b : b + c);
    }
}

size_t depthwise_bytes(const DepthwiseWeightsU8S8& w) noexcept {
  return packed_bytes(w.channels, w.channels * w.kernel_h * w.kernel_w);
}

void depthwise_pack(const DepthwiseWeightsU8S8& w, void* packed) noexcept {
  pack({w.channels, w.kernel_h, w.kernel_w}, w.requantize, w.weights, w.channels * w.kernel_h * w.kernel_w,
       packed);
}

int32_t depthwise_sum(const Packed& p, const DepthwiseU8S8& call, const uint8_t* x, size_t c) {
  const size_t kernel_h = p.header.taps, kernel_w = p.header.depth;
  const int8_t* w = p.weights + c * kernel_h * kernel_w;
  auto sum = static_cast<uint32_t>(p.requantize.bias[c]);
  for (size_t i = 0; i < kernel_h; ++i)
    for (size_t j = 0; j < kernel_w; ++j) {
      const size_t at =
          i * call.dilation_h * call.x_row_stride + j * call.dilation_w * call.x_pixel_stride + c;
      sum += static_cast<uint32_t>(x[at] * w[i * kernel_w + j]);
    }
  return static_cast<int32_t>(sum);
}

void depthwise(const DepthwiseU8S8& call) noexcept {
  const Packed p = unpack(call.packed);
  for (size_t r = 0; r < call.rows; ++r)
    for (size_t i = 0; i < call.width; ++i) {
      const uint8_t* x =
          call.x + r * call.stride_h * call.x_row_stride + i * call.stride_w * call.x_pixel_stride;
      if (call.real != nullptr) {
        float* real = call.real + r * call.y_row_stride + i * call.y_pixel_stride;
        for (size_t c = 0; c < p.header.channels; ++c)
          real[c] = static_cast<float>(depthwise_sum(p, call, x, c)) * p.requantize.multiplier[c];
        continue;
      }
      uint8_t* y = call.y + r * call.y_row_stride + i * call.y_pixel_stride;
      const EpilogueU8& e = call.epilogue;
      const uint8_t* b = e.b == nullptr ? nullptr : e.b + r * e.b_row_stride + i * e.b_pixel_stride;
      for (size_t c = 0; c < p.header.channels; ++c)
        y[c] = finish(depthwise_sum(p, call, x, c), p.requantize, c, e, b == nullptr ? b : b + c);
    }
}

}  // namespace

void plug_scalar_conv(KernelTable& table) {
  table.conv_u8s8_panel = 1;
  table.conv_u8s8_bytes = conv_bytes;
  table.conv_u8s8_pack = conv_pack;
  table.conv_u8s8 = conv;
  table.depthwise_u8s8_bytes = depthwise_bytes;
  table.depthwise_u8s8_pack = depthwise_pack;
  table.depthwise_u8s8 = depthwise;
}

}  // namespace quantize
