#include "calibration/search/sample_pool.h"

#include <numeric>

namespace quantize {

SamplePool::SamplePool(const SampleSet& set, bool judges, bool searches) : set_(set), fitted_(set.count) {
  std::iota(fitted_.begin(), fitted_.end(), size_t{0});
  if (judges) held_back_ = take_evenly(set.held_back);
  if (searches) confirming_ = take_evenly(set.confirming);
}

/// Takes `count` of the samples that are left: the last of each of as many parts.
std::vector<size_t> SamplePool::take_evenly(size_t count) {
  std::vector<size_t> taken, left;
  for (size_t i = 0; i < fitted_.size(); ++i) {
    const bool ends_part = (i + 1) * count / fitted_.size() > i * count / fitted_.size();
    (ends_part ? taken : left).push_back(fitted_[i]);
  }
  fitted_ = std::move(left);
  return taken;
}

}  // namespace quantize
