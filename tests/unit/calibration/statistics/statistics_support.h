// Statistics made from numbers, for the tests of this folder.
#pragma once

#include <optional>
#include <vector>

#include "calibration/statistics/tensor_statistics.h"

namespace quantize::test {

inline Tensor row(const std::vector<float>& values) {
  return Tensor::of<float>({static_cast<int64_t>(values.size())}, values);
}

/// Of samples at one position: their order does not show.
inline TensorStatistics statistics_of(const std::vector<Tensor>& samples,
                                      std::optional<size_t> axis = std::nullopt) {
  TensorStatistics statistics;
  for (const Tensor& sample : samples)
    statistics.add(summarize(sample.view(), 0, axis, kernels_for(Isa::kScalar)));
  return statistics;
}

/// All values in one sample.
inline TensorStatistics statistics_of_values(const std::vector<float>& values) {
  return statistics_of({row(values)});
}

}  // namespace quantize::test
