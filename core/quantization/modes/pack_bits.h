// Codes of 1 to 8 bits in bytes, laid so that a shift and a mask of all bytes at once take them out again.
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor.h"

namespace quantize {

/// A run of bits of all codes.
struct PackedPart {
  int64_t bits;    // 1, 2, 4 or 8
  int64_t lowest;  // the place in a code of its lowest bit
  Tensor bytes;    // u8 [ceil(codes * bits / 8)]
};

/// The bytes of codes, part by part from the lowest bits on: 3 bits are parts of 2 and 1, 6 of 4 and 2, 7 of 4, 2
/// and 1. Of a part of m bytes, byte j holds the bits of the codes j, j + m, j + 2m, ..., the first of them in its
/// lowest bits; bits that no code has are 0.
///
/// Shapes: codes any, also without elements. Types: u8.
/// Requires: 1 <= bits <= 8; codes below 2^bits.
std::vector<PackedPart> pack_bits(const Tensor& codes, int64_t bits);

/// Codes of s8 as those of a type of fewer bits, which has a byte for each in memory, too.
/// Requires: the type has the codes.
Tensor retyped(const Tensor& codes, DataType dtype);

/// The bytes of all parts of so many codes.
uint64_t packed_bytes(uint64_t codes, int64_t bits);

}  // namespace quantize
