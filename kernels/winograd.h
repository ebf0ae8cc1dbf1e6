// Contracts of the kernels of Winograd's convolution: 3 x 3 taps, stride 1, on tiles of 2 x 2 or 4 x 4 outputs.
// Read WinogradInputF32 first.
#pragma once

#include <cstddef>

namespace quantize {

/// A convolution y = w * x of 3 x 3 taps is, for every tile of T x T outputs,
///
///   y = A^T [sum over channels of (G w G^T) . (B^T x B)] A
///
/// with S = T + 2 points on each axis, S * S products a tile and pair of channels instead of 9 T * T. The points are
/// 0, 1, -1 and infinity for T = 2, and 0, +-sqrt(1/2), +-sqrt(2) and infinity for T = 4.
///
/// Accuracy: an output is off by less than
///
///   winograd_error(T) * (channels + 32) * 2^-24 * (largest |x| of the tile) * (sum of |w| of its output channel)
///
/// with the largest |x| of the tile's inputs. In practice errors hardly add up: see kernels/DECISIONS.md.
/// The same bytes at every level and for any split of rows and channels.

/// B^T x B for all tiles of a band of one channel.
struct WinogradInputF32 {
  int tile = 4;
  const float* x = nullptr;  // [height][width]
  size_t height = 0, width = 0;
  size_t pad_top = 0, pad_left = 0;
  size_t tiles = 0;                    // in a row
  size_t first_row = 0, last_row = 0;  // rows of tiles
  /// Number p of tile t of the band stands at v[p * v_stride + t]. The kWinogradSpare numbers behind those of the last
  /// tile are left undefined.
  float* v = nullptr;
  size_t v_stride = 0;
  float* scratch = nullptr;  // winograd_scratch floats
};

/// A^T m A for all tiles of a band of one output channel, then + bias, + addend, clamp.
struct WinogradOutputF32 {
  int tile = 4;
  const float* m =
      nullptr;  // laid out as WinogradInputF32::v, and readable up to a multiple of kWinogradSpare
  size_t m_stride = 0;
  float* y = nullptr;  // [height][width]
  size_t height = 0, width = 0;
  size_t tiles = 0;
  size_t first_row = 0, last_row = 0;
  float bias = 0;
  const float* addend = nullptr;  // laid out as y, added last; or null
  float low = 0, high = 0;
  float* scratch = nullptr;  // winograd_scratch floats
};

constexpr size_t kWinogradSpare = 16;

/// The square of the largest sum over the points of what a tile of T multiplies there: |A^T| * max |G| * sum |B^T|.
constexpr double winograd_error(int tile) {
  return tile == 2 ? 16 : 189;
}

/// Floats of scratch memory that both kernels need for a band of so many rows of tiles.
size_t winograd_scratch(int tile, size_t tiles, size_t rows) noexcept;
/// Floats of a line of the image with its padding, as far as vectors of tiles may read it.
size_t winograd_line(int tile, size_t tiles) noexcept;

/// u[p * u_stride] = number p of G w G^T of 3 x 3 weights. Computed in double and rounded once.
void winograd_weights(int tile, const float* w, float* u, size_t u_stride) noexcept;

}  // namespace quantize
