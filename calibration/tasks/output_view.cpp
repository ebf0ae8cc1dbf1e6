#include "calibration/tasks/output_view.h"

namespace quantize {

namespace {

constexpr int64_t kColours = 4;  // most channels of an image

TensorForm form_of(const OutputView& output) {
  if (output.tensor().size() == 0 || output.ending().op_type.empty()) return TensorForm::kNothing;
  if (!output.is_float() || output.kind() == Ending::kIndices) return TensorForm::kIndices;
  if (output.is_vector()) return TensorForm::kVector;
  return output.shape().size() == 3 && !output.covers_image() ? TensorForm::kSequence : TensorForm::kMap;
}

}  // namespace

bool is_float(DataType dtype) {
  return dtype == DataType::kF32 || dtype == DataType::kF64 || dtype == DataType::kF16;
}

std::optional<std::array<int64_t, 2>> image_size(const std::vector<Tensor>& inputs) {
  for (const Tensor& input : inputs) {
    const Shape& shape = input.shape();
    if (shape.size() != 4) continue;
    if (shape[1] <= kColours) return std::array{shape[2], shape[3]};
    if (shape[3] <= kColours) return std::array{shape[1], shape[2]};
  }
  return std::nullopt;
}

OutputView::OutputView(const Graph& graph, const std::vector<Tensor>& inputs,
                       const std::vector<Tensor>& outputs, size_t number)
    : graph_(graph),
      inputs_(inputs),
      outputs_(outputs),
      number_(number),
      ending_(ending_of_output(number)),
      form_(form_of(*this)) {}

OutputEnding OutputView::ending_of_output(size_t output) const {
  return ending_of(graph_, graph_.outputs[output], outputs_[output].shape().size());
}

/// Extents of vectors are counted without those of 1: [N, C], [N, C, 1, 1] and [N, 1, 1, C] hold C numbers.
bool OutputView::is_vector() const {
  size_t longer = 0;
  for (size_t i = 1; i < shape().size(); ++i) longer += shape()[i] != 1;
  return shape().size() < 2 || longer <= (shape().size() == 2 || shape()[0] == 1 ? 1 : 0);
}

bool OutputView::is_float() const {
  return quantize::is_float(tensor().dtype());
}

bool OutputView::covers_image() const {
  if (shape().size() != 3 || inputs_.empty() || inputs_[0].shape().size() != 4) return false;
  const Shape& image = inputs_[0].shape();
  return (shape()[1] == image[2] && shape()[2] == image[3]) ||
         (shape()[1] == image[1] && shape()[2] == image[2]);
}

size_t OutputView::class_axis() const {
  if (ending_.axis && *ending_.axis > 0) return static_cast<size_t>(*ending_.axis);
  return shape().size() == 4 ? 1 : shape().size() - 1;
}

size_t OutputView::channel_axis() const {
  if (ending_.axis && *ending_.axis > 0) return static_cast<size_t>(*ending_.axis);
  const bool last = shape().back() <= kColours && shape()[1] > kColours && shape()[2] > kColours;
  return last ? shape().size() - 1 : 1;
}

int64_t OutputView::batch() const {
  return inputs_.empty() || inputs_[0].shape().empty() ? 1 : inputs_[0].shape()[0];
}

}  // namespace quantize
