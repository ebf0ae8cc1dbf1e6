// Floats for models that take 8-bit codes (--input-type u8).
#pragma once

#include <optional>
#include <vector>

#include "core/graph.h"
#include "core/quant_params.h"

namespace quantize {

/// How the inputs of a model are made of floats: taken from its graph once, as an engine frees the constants
/// that say so.
class InputCodes {
 public:
  explicit InputCodes(const Graph& graph);

  /// Quantizes the float tensors that the model takes as codes, with the parameters of their first reader;
  /// leaves all others as they are. One tensor per input.
  std::vector<Tensor> quantized(std::vector<Tensor> inputs) const;

  /// True if input i is codes that floats can be made to.
  bool takes_codes(size_t i) const { return params_[i].has_value(); }

 private:
  std::vector<std::optional<QuantParams>> params_;  // nothing: the input is taken as it is
};

}  // namespace quantize
