// Signal-to-quantization-noise ratio and its sums.
#include "calibration/tasks/deviation.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/ops/support/strided.h"

namespace quantize {

namespace {

/// x with zeros behind it, up to `shape`.
Tensor extended(const Tensor& x, const Shape& shape) {
  Tensor y(x.dtype(), shape);
  if (x.size() != 0)
    copy_strided(x.shape(), x.bytes(), strides_of(x.shape()), y.mutable_bytes(), strides_of(shape),
                 size_of(x.dtype()));
  return y;
}

}  // namespace

void level_lists(Tensor& reference, Tensor& candidate) {
  const Shape a = reference.shape(), b = candidate.shape();
  if (a.size() != b.size() || reference.dtype() != candidate.dtype()) return;
  Shape longer = a;
  size_t different = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    different += a[i] != b[i];
    longer[i] = std::max(a[i], b[i]);
  }
  if (different != 1) return;
  if (a != longer) reference = extended(reference, longer);
  if (b != longer) candidate = extended(candidate, longer);
}

void Deviation::add(const Tensor& of_reference, const Tensor& of_candidate) {
  Tensor reference = of_reference, candidate = of_candidate;
  level_lists(reference, candidate);
  if (reference.size() != candidate.size())
    throw Error(ErrorKind::kInvalidArgument, "the reference computes " + to_string(reference.shape()) +
                                                 ", the candidate " + to_string(candidate.shape()) +
                                                 "; they are not forms of the same model");
  if (reference.dtype() == DataType::kF32 && candidate.dtype() == DataType::kF32)
    return add_all(reference.data<float>(), candidate.data<float>(), reference.size());
  const std::vector<double> a = reference.to_vector<double>(), b = candidate.to_vector<double>();
  add_all(a.data(), b.data(), reference.size());
}

template <typename T>
void Deviation::add_all(const T* reference, const T* candidate, int64_t count) {
  for (int64_t i = 0; i < count; ++i) add(double{reference[i]}, double{candidate[i]});
}

void Deviation::add(double reference, double candidate) {
  if (!std::isfinite(reference) || !std::isfinite(candidate)) {
    ++non_finite;
    return;
  }
  const double difference = std::abs(reference - candidate);
  signal += reference * reference;
  noise += difference * difference;
  max_abs_diff = std::max(max_abs_diff, difference);
}

void Deviation::add(const Deviation& other) {
  signal += other.signal;
  noise += other.noise;
  max_abs_diff = std::max(max_abs_diff, other.max_abs_diff);
  non_finite += other.non_finite;
}

std::optional<double> Deviation::sqnr_db() const {
  if (non_finite != 0 || !std::isfinite(signal) || !std::isfinite(noise)) return std::nullopt;
  if (noise == 0) return kMaxDb;
  if (signal == 0) return -kMaxDb;
  return std::clamp(10 * std::log10(signal / noise), -kMaxDb, kMaxDb);
}

}  // namespace quantize
