// The samples of a search, divided once.
#pragma once

#include <optional>
#include <vector>

#include "calibration/search/validator.h"

namespace quantize {

/// Divides the samples of a set: those that are held back judge every step, the confirming ones judge the
/// result alone, and all others may be looked at to make plans. Each group is spread evenly over the set.
class SamplePool {
 public:
  /// `set` must outlive this object. Its confirming samples are set apart if `searches`; held-back ones if
  /// `judges`.
  SamplePool(const SampleSet& set, bool judges, bool searches);

  const SampleSet& set() const { return set_; }
  /// Numbers of samples in the set, ascending.
  const std::vector<size_t>& held_back() const { return held_back_; }
  const std::vector<size_t>& confirming() const { return confirming_; }
  const std::vector<size_t>& fitted() const { return fitted_; }

  /// The tensors of sample i of the set. Errors and thread safety: those of SampleSet::load.
  std::optional<std::vector<Tensor>> load(size_t i) const { return set_.load(i); }

 private:
  std::vector<size_t> take_evenly(size_t count);

  const SampleSet& set_;
  std::vector<size_t> fitted_, held_back_, confirming_;
};

}  // namespace quantize
