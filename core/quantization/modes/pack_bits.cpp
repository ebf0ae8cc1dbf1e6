#include "core/quantization/modes/pack_bits.h"

#include <algorithm>

namespace quantize {

namespace {

/// Widths whose codes fill bytes without a rest, the widest first.
constexpr int64_t kWidths[] = {8, 4, 2, 1};

/// The widest of them in so many bits.
int64_t widest_in(int64_t bits) {
  return *std::find_if(std::begin(kWidths), std::end(kWidths), [&](int64_t width) { return width <= bits; });
}

uint64_t part_bytes(uint64_t codes, int64_t bits) {
  return (codes * static_cast<uint64_t>(bits) + 7) / 8;
}

PackedPart pack_part(const Tensor& codes, int64_t bits, int64_t lowest) {
  const auto bytes = static_cast<int64_t>(part_bytes(static_cast<uint64_t>(codes.size()), bits));
  PackedPart part{bits, lowest, Tensor(DataType::kU8, {bytes})};
  const uint8_t* from = codes.data<uint8_t>();
  auto* to = part.bytes.mutable_data<uint8_t>();
  const unsigned mask = (1U << bits) - 1;
  for (int64_t i = 0; i < codes.size(); ++i)
    to[i % bytes] |= static_cast<uint8_t>(((unsigned{from[i]} >> lowest) & mask) << (i / bytes * bits));
  return part;
}

}  // namespace

std::vector<PackedPart> pack_bits(const Tensor& codes, int64_t bits) {
  std::vector<PackedPart> parts;
  for (int64_t lowest = 0; lowest < bits; lowest += parts.back().bits)
    parts.push_back(pack_part(codes, widest_in(bits - lowest), lowest));
  return parts;
}

Tensor retyped(const Tensor& codes, DataType dtype) {
  Tensor result(dtype, codes.shape());
  std::copy_n(codes.data<int8_t>(), codes.size(), static_cast<int8_t*>(result.mutable_bytes()));
  return result;
}

uint64_t packed_bytes(uint64_t codes, int64_t bits) {
  uint64_t bytes = 0;
  for (int64_t left = bits; left > 0; left -= widest_in(left)) bytes += part_bytes(codes, widest_in(left));
  return bytes;
}

}  // namespace quantize
