// Codes in bytes, against a reading of the layout that pack_bits.h states.
#include "core/quantization/modes/pack_bits.h"

#include <catch2/catch.hpp>
#include <random>

using namespace quantize;

namespace {

std::vector<uint8_t> bytes_of(const Tensor& tensor) {
  return {tensor.data<uint8_t>(), tensor.data<uint8_t>() + tensor.size()};
}

/// The codes that the parts hold, read bit by bit.
std::vector<uint8_t> unpacked(const std::vector<PackedPart>& parts, int64_t count) {
  std::vector<uint8_t> codes(static_cast<size_t>(count));
  for (const PackedPart& part : parts) {
    const int64_t bytes = part.bytes.size();
    for (int64_t i = 0; i < count; ++i)
      for (int64_t bit = 0; bit < part.bits; ++bit) {
        const int64_t place = i / bytes * part.bits + bit;
        const int set = part.bytes.data<uint8_t>()[i % bytes] >> place & 1;
        codes[static_cast<size_t>(i)] |= static_cast<uint8_t>(set << (part.lowest + bit));
      }
  }
  return codes;
}

}  // namespace

TEST_CASE("pack_bits: codes of any bits and any number come back, in as few bytes as they fill",
          "[pack_bits]") {
  const int64_t bits = GENERATE(range(1, 9));
  const int64_t count = GENERATE(0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 64, 101, 1000);
  CAPTURE(bits, count);
  std::mt19937 random(static_cast<uint32_t>(100 * bits + count));
  Tensor codes(DataType::kU8, {count});
  for (int64_t i = 0; i < count; ++i)
    codes.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(random() % (1U << bits));
  const auto parts = pack_bits(codes, bits);
  CHECK(unpacked(parts, count) == bytes_of(codes));
  uint64_t bytes = 0;
  int64_t width = 0;
  for (const PackedPart& part : parts) {
    CHECK(part.lowest == width);
    width += part.bits;
    bytes += part.bytes.byte_size();
  }
  CHECK(width == bits);
  CHECK(bytes == packed_bytes(static_cast<uint64_t>(count), bits));
  CHECK(bytes <= static_cast<uint64_t>(count * bits) / 8 + parts.size());
}

TEST_CASE("pack_bits: bits that no code has are 0", "[pack_bits]") {
  const auto parts = pack_bits(Tensor::of<uint8_t>({3}, {7, 7, 7}), 3);
  REQUIRE(parts.size() == 2);
  CHECK(bytes_of(parts[0].bytes) == std::vector<uint8_t>{0x3f});
  CHECK(bytes_of(parts[1].bytes) == std::vector<uint8_t>{0x07});
}
