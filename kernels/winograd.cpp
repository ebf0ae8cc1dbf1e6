// Weights and sizes of Winograd's convolution, for any level.
#include "kernels/winograd.h"

#include <cmath>

namespace quantize {

namespace {

/// G: a row for each point p, [1, p, p * p] divided by the product of its distances to the other points.
struct KernelTransform {
  double rows[6][3];
};

KernelTransform kernel_transform(int tile) {
  if (tile == 2) return {{{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}}};
  const double root = std::sqrt(2.0);
  return {{{1, 0, 0},
           {-2.0 / 3, -root / 3, -1.0 / 3},
           {-2.0 / 3, root / 3, -1.0 / 3},
           {1.0 / 6, root / 6, 1.0 / 3},
           {1.0 / 6, -root / 6, 1.0 / 3},
           {0, 0, 1}}};
}

}  // namespace

size_t winograd_scratch(int tile, size_t tiles, size_t rows) noexcept {
  const auto side = static_cast<size_t>(tile);
  const size_t lines = (side + 2) * winograd_line(tile, tiles);         // of inputs
  const size_t planes = side * side * (rows * tiles + kWinogradSpare);  // of outputs
  return lines > planes ? lines : planes;
}

size_t winograd_line(int tile, size_t tiles) noexcept {
  const size_t vectors = tiles / (kWinogradSpare - 1) + 2;
  return vectors * kWinogradSpare * static_cast<size_t>(tile) + kWinogradSpare;
}

void winograd_weights(int tile, const float* w, float* u, size_t u_stride) noexcept {
  const KernelTransform g = kernel_transform(tile);
  for (int i = 0; i < tile + 2; ++i) {
    double row[3] = {};  // of G w
    for (int b = 0; b < 3; ++b)
      for (int a = 0; a < 3; ++a) row[b] += g.rows[i][a] * static_cast<double>(w[a * 3 + b]);
    for (int j = 0; j < tile + 2; ++j, u += u_stride)
      *u = static_cast<float>(row[0] * g.rows[j][0] + row[1] * g.rows[j][1] + row[2] * g.rows[j][2]);
  }
}

}  // namespace quantize
