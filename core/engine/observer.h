// Listening to a running program.
#pragma once

#include "core/graph.h"

namespace quantize {

/// Told of every kept value as soon as it is computed. The view dies with the call.
class ExecutionObserver {
 public:
  virtual ~ExecutionObserver() = default;
  virtual void on_value(ValueId id, const TensorView& value) = 0;
};

}  // namespace quantize
