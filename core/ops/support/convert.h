// Conversion between element types, defined for every value.
#pragma once

#include <cmath>
#include <limits>
#include <type_traits>

namespace quantize {

/// As static_cast, but a float outside an integer's range saturates and NaN becomes 0. Integers wrap around.
template <typename To, typename From>
To convert_element(From x) {
  if constexpr (std::is_same_v<To, bool>) {
    return x != From(0);
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    using Limits = std::numeric_limits<To>;
    if (std::isnan(x)) return To(0);
    // 2^digits is exact in every float type, the maximum itself is not.
    const From end = std::ldexp(From(1), Limits::digits);
    if (x >= end) return Limits::max();
    if (x <= (std::is_signed_v<To> ? -end : From(0))) return Limits::min();
    return static_cast<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

/// -x that wraps around at the lowest integer.
template <typename T>
T negated(T x) {
  if constexpr (std::is_integral_v<T>)
    return static_cast<T>(0 - static_cast<std::make_unsigned_t<T>>(x));
  else
    return -x;
}

/// No T is below or above these: the infinities for floats.
template <typename T>
constexpr T lowest_value() {
  if constexpr (std::is_floating_point_v<T>)
    return -std::numeric_limits<T>::infinity();
  else
    return std::numeric_limits<T>::lowest();
}
template <typename T>
constexpr T highest_value() {
  if constexpr (std::is_floating_point_v<T>)
    return std::numeric_limits<T>::infinity();
  else
    return std::numeric_limits<T>::max();
}

}  // namespace quantize
