#include "calibration/statistics/float_outputs.h"

#include <algorithm>

namespace quantize {

FloatOutputs::FloatOutputs(const std::vector<size_t>& samples, uint64_t most_bytes)
    : most_bytes_(most_bytes / std::max<size_t>(samples.size(), 1)) {
  for (const size_t i : samples) outputs_[i];
}

void FloatOutputs::add(size_t i, const std::vector<Tensor>& outputs) {
  uint64_t bytes = 0;
  for (const Tensor& output : outputs) bytes += output.byte_size();
  const auto wanted = outputs_.find(i);
  if (wanted == outputs_.end()) return;
  wanted->second = bytes <= most_bytes_ ? outputs : std::vector<Tensor>{};
}

const std::vector<Tensor>* FloatOutputs::find(size_t i) const {
  const auto found = outputs_.find(i);
  return found == outputs_.end() || found->second.empty() ? nullptr : &found->second;
}

}  // namespace quantize
