// Filling borders.
#include "core/engine/storage.h"

#include <cstring>

namespace quantize {

namespace {

/// `count` pixels from `to` on.
void fill_pixels(const Storage& storage, uint8_t* to, int64_t count) {
  const auto channels = static_cast<size_t>(storage.channels);
  if (storage.border.size() > 1) {
    for (int64_t i = 0; i < count; ++i, to += storage.pixel_stride)
      std::memcpy(to, storage.border.data(), channels);
    return;
  }
  const uint8_t code = storage.border.empty() ? 0 : storage.border[0];
  if (storage.pixel_stride == channels) {
    std::memset(to, code, channels * static_cast<size_t>(count));
    return;
  }
  for (int64_t i = 0; i < count; ++i, to += storage.pixel_stride) std::memset(to, code, channels);
}

}  // namespace

void fill_border(const Storage& storage, uint8_t* data, int64_t begin, int64_t end) {
  const Halo& halo = storage.halo;
  if (halo.top + halo.left + halo.bottom + halo.right == 0) return;
  const int64_t whole = halo.left + storage.width + halo.right;
  for (int64_t r = begin; r < end; ++r) {
    uint8_t* row = data + storage.row_offset(r);
    uint8_t* left = row - static_cast<size_t>(halo.left) * storage.pixel_stride;
    fill_pixels(storage, left, halo.left);
    fill_pixels(storage, row + static_cast<size_t>(storage.width) * storage.pixel_stride, halo.right);
    if (r % storage.height == 0)
      for (int64_t i = 1; i <= halo.top; ++i)
        fill_pixels(storage, left - static_cast<size_t>(i) * storage.row_stride, whole);
    if (r % storage.height == storage.height - 1)
      for (int64_t i = 1; i <= halo.bottom; ++i)
        fill_pixels(storage, left + static_cast<size_t>(i) * storage.row_stride, whole);
  }
}

}  // namespace quantize
