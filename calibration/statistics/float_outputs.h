// The float network's outputs for some samples, kept while it runs for its statistics.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "core/tensor.h"

namespace quantize {

/// The outputs of chosen samples: whoever compares other networks with them need not run the float network again.
class FloatOutputs {
 public:
  /// Keeps the outputs of these samples, each as far as its share of `most_bytes` holds them: which are kept depends
  /// on no order.
  FloatOutputs(const std::vector<size_t>& samples, uint64_t most_bytes);

  /// Notes what sample `i` makes of the network; replaces what was known of it. Thread-safe for different
  /// samples.
  void add(size_t i, const std::vector<Tensor>& outputs);

  /// The outputs of sample `i`; nullptr if they are not kept. Not while any thread adds.
  const std::vector<Tensor>* find(size_t i) const;

 private:
  uint64_t most_bytes_ = 0;                        // of one sample
  std::map<size_t, std::vector<Tensor>> outputs_;  // by sample; empty: not kept
};

}  // namespace quantize
