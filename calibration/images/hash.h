// A checksum for telling files and models apart, not for keeping secrets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace quantize {

/// Hashes what is added to it to 64 bits; where one addition ends and the next begins counts.
///
/// Every 8 bytes (little-endian, the last ones filled with 0) are mixed in by the finalizer of SplitMix64,
/// which is a bijection: two inputs of equal length that differ in one word never collide. Source: Steele,
/// Lea and Flood, Fast Splittable Pseudorandom Number Generators (2014).
class Hash {
 public:
  void add_number(uint64_t number) {
    uint64_t z = (state_ ^ number) + 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    state_ = z ^ (z >> 31);
  }

  void add_bytes(const void* data, size_t size) {
    add_number(size);
    const auto* bytes = static_cast<const unsigned char*>(data);
    for (size_t i = 0; i < size; i += 8) {
      uint64_t word = 0;
      std::memcpy(&word, bytes + i, size - i < 8 ? size - i : 8);
      add_number(word);
    }
  }

  void add_text(std::string_view text) { add_bytes(text.data(), text.size()); }

  uint64_t value() const { return state_; }

  /// value() as 16 digits.
  std::string hexadecimal() const {
    std::string digits;
    for (int shift = 60; shift >= 0; shift -= 4) digits += "0123456789abcdef"[state_ >> shift & 15];
    return digits;
  }

 private:
  uint64_t state_ = 0;
};

}  // namespace quantize
