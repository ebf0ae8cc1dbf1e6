#include "calibration/search/sample_pool.h"

#include <numeric>

#include "calibration/images/choose_samples.h"

namespace quantize {

SamplePool::SamplePool(const SampleSet& set, bool judges, bool searches) : set_(set), fitted_(set.count) {
  std::iota(fitted_.begin(), fitted_.end(), size_t{0});
  if (judges) held_back_ = take_evenly(set.held_back);
  if (searches) confirming_ = take_evenly(set.confirming);
}

/// Takes `count` of the samples that are left: the last of each of as many parts.
std::vector<size_t> SamplePool::take_evenly(size_t count) {
  std::vector<size_t> taken, left;
  const std::vector<bool> ends = ends_of_parts(count, fitted_.size());
  for (size_t i = 0; i < fitted_.size(); ++i) (ends[i] ? taken : left).push_back(fitted_[i]);
  fitted_ = std::move(left);
  return taken;
}

}  // namespace quantize
