// AMX: the dense integer convolutions with many channels. All else of the level is that of avx512vnni.
#include "kernels/amx/conv.h"
#include "kernels/kernel_table.h"
#include "kernels/plug.h"

namespace quantize {

namespace {

/// Four sums, more than the latency of tdpbusd asks for.
uint64_t probe_u8s8(uint64_t rounds) noexcept {
  configure_tiles({.lines = 1, .length = kTilePixels, .pitch = 0, .rows = kTilePixels, .per_line = 1},
                  kTileGroups);
  alignas(64) static constexpr uint8_t kZeros[kTilePixels][64] = {};
  tile_load<0>(kZeros, 64), tile_load<1>(kZeros, 64), tile_load<2>(kZeros, 64), tile_load<3>(kZeros, 64);
  tile_load<4>(kZeros, 64), tile_load<5>(kZeros, 64), tile_load<6>(kZeros, 64), tile_load<7>(kZeros, 64);
  for (uint64_t r = 0; r < rounds; ++r) {
    tile_dot<0, 4, 6>();
    tile_dot<1, 4, 7>();
    tile_dot<2, 5, 6>();
    tile_dot<3, 5, 7>();
  }
  tile_release();
  return rounds * 4 * kTilePixels * kLanes * 4 * kTileGroups;
}

}  // namespace

void plug_amx(KernelTable& table) {
  table.conv_u8s8_speed = 1000;
  table.conv_u8s8_pixels = 2 * kTilePixels;
  table.conv_u8s8_bytes = conv_bytes_for_tiles;
  table.conv_u8s8_pack = conv_pack_for_tiles;
  table.conv_u8s8 = conv;
  table.probe_u8s8 = probe_u8s8;
}

}  // namespace quantize
