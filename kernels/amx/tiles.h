// The tile registers and their five instructions. Tests build this file with QUANTIZE_AMX_IN_SOFTWARE, for
// CPUs that have none. Source: Intel's Architecture Instruction Set Extensions Programming Reference,
// chapter 3.
#pragma once

#include <cstddef>
#include <cstdint>

namespace quantize {

namespace {

constexpr int kTileRegisters = 8;

/// The shape of every register, as LDTILECFG reads it.
struct alignas(64) TileShapes {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};

  void set(int tile, size_t tile_rows, size_t bytes) {
    rows[tile] = static_cast<uint8_t>(tile_rows);
    row_bytes[tile] = static_cast<uint16_t>(bytes);
  }
};

#ifdef QUANTIZE_AMX_IN_SOFTWARE

struct TileState {
  TileShapes shapes;
  uint8_t bytes[kTileRegisters][16][64];
};
inline thread_local TileState tile_state;

inline void tile_configure(const TileShapes& shapes) {
  tile_state.shapes = shapes;
}
inline void tile_release() {
  tile_state.shapes = TileShapes{};
}
template <int kTile>
void tile_load(const void* from, size_t stride) {
  const auto* bytes = static_cast<const uint8_t*>(from);
  for (size_t r = 0; r < tile_state.shapes.rows[kTile]; ++r)
    __builtin_memcpy(tile_state.bytes[kTile][r], bytes + r * stride, tile_state.shapes.row_bytes[kTile]);
}
template <int kTile>
void tile_store(void* to, size_t stride) {
  auto* bytes = static_cast<uint8_t*>(to);
  for (size_t r = 0; r < tile_state.shapes.rows[kTile]; ++r)
    __builtin_memcpy(bytes + r * stride, tile_state.bytes[kTile][r], tile_state.shapes.row_bytes[kTile]);
}
template <int kSum, int kX, int kW>
void tile_dot() {
  const TileShapes& shapes = tile_state.shapes;
  for (size_t r = 0; r < shapes.rows[kX]; ++r)
    for (size_t column = 0; column < shapes.row_bytes[kW] / 4u; ++column) {
      uint32_t sum;
      __builtin_memcpy(&sum, &tile_state.bytes[kSum][r][4 * column], sizeof sum);
      for (size_t k = 0; k < shapes.row_bytes[kX]; ++k)
        sum += static_cast<uint32_t>(tile_state.bytes[kX][r][k] *
                                     static_cast<int8_t>(tile_state.bytes[kW][k / 4][4 * column + k % 4]));
      __builtin_memcpy(&tile_state.bytes[kSum][r][4 * column], &sum, sizeof sum);
    }
}

#else

/// In asm, as the intrinsics of GCC 12 do not say that they read memory.
[[gnu::always_inline]] inline void tile_configure(const TileShapes& shapes) {
  asm volatile("ldtilecfg %0" : : "m"(shapes));
}
[[gnu::always_inline]] inline void tile_release() {
  asm volatile("tilerelease");
}
template <int kTile>
[[gnu::always_inline]] inline void tile_load(const void* from, size_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(kTile) : "memory");
}
template <int kTile>
[[gnu::always_inline]] inline void tile_store(void* to, size_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride), "i"(kTile) : "memory");
}
/// sum += x * w in s32, wrapping: u8 x [rows][4 k], s8 w [k][columns][4].
template <int kSum, int kX, int kW>
[[gnu::always_inline]] inline void tile_dot() {
  asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kX), "i"(kW));
}

#endif

}  // namespace

}  // namespace quantize
