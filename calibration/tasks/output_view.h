// One output of a network as a task sees it: its numbers in one run, and what computes them.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "core/fusion/output_ending.h"
#include "core/graph.h"

namespace quantize {

/// The form of an output, by its extents and elements.
enum class TensorForm {
  kNothing,   // no element, or no operator
  kIndices,   // whole numbers
  kVector,    // [N, C], also with extents of 1 around C
  kSequence,  // [N, T, C]
  kMap,       // [N, C, H, W], or [N, H, W] of the image's size
};

/// One output of one run of a network, with a batch of 1 where the batch can be chosen.
class OutputView {
 public:
  OutputView(const Graph& graph, const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs,
             size_t number);

  size_t number() const { return number_; }
  const Tensor& tensor() const { return outputs_[number_]; }
  const Shape& shape() const { return tensor().shape(); }
  const OutputEnding& ending() const { return ending_; }
  Ending kind() const { return ending_.ending; }
  TensorForm form() const { return form_; }

  const std::vector<Tensor>& inputs() const { return inputs_; }
  const std::vector<Tensor>& outputs() const { return outputs_; }
  /// The name of an output of the same run.
  const std::string& name(size_t output) const { return graph_.value(graph_.outputs[output]).name; }

  /// " by Conv".
  std::string by() const { return " by " + ending_.op_type; }
  /// The operator that computes another output.
  OutputEnding ending_of_output(size_t output) const;

  bool is_vector() const;
  bool is_float() const;
  /// True for [N, H, W] of the input's own height and width.
  bool covers_image() const;
  /// The axis of classes of a vector or sequence: that of the Softmax where there is one.
  size_t class_axis() const;
  /// The axis of channels of a map.
  size_t channel_axis() const;
  /// First extent of the inputs.
  int64_t batch() const;

 private:
  const Graph& graph_;
  const std::vector<Tensor>& inputs_;
  const std::vector<Tensor>& outputs_;
  size_t number_;
  OutputEnding ending_;
  TensorForm form_;
};

/// True for types of real numbers that networks compute with.
bool is_float(DataType dtype);

/// Height and width of the first input that is an image of few channels.
std::optional<std::array<int64_t, 2>> image_size(const std::vector<Tensor>& inputs);

}  // namespace quantize
