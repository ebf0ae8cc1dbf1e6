#include "calibration/images/batches.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <numeric>

#include "core/error.h"
#include "core/parallel.h"

namespace quantize {

namespace {

/// Part i of `parts` equal ones along an axis of extent `parts`.
Tensor part_of(const Tensor& tensor, size_t axis, size_t i, size_t parts) {
  Shape shape = tensor.shape();
  shape[axis] = 1;
  size_t outer = 1;
  for (size_t a = 0; a < axis; ++a) outer *= static_cast<size_t>(shape[a]);
  Tensor result(tensor.dtype(), shape);
  if (result.size() == 0) return result;
  const size_t bytes = result.byte_size() / outer;
  for (size_t o = 0; o < outer; ++o)
    std::memcpy(static_cast<std::byte*>(result.mutable_bytes()) + o * bytes,
                static_cast<const std::byte*>(tensor.bytes()) + (o * parts + i) * bytes, bytes);
  return result;
}

/// One input of all samples as one tensor; those that are missing are the first that is there.
Tensor stacked(const std::vector<std::optional<std::vector<Tensor>>>& samples, size_t first, size_t input) {
  const Tensor& model = samples[first]->at(input);
  Shape shape = model.shape();
  shape[0] = static_cast<int64_t>(samples.size());
  Tensor result(model.dtype(), shape);
  const size_t bytes = model.byte_size();
  for (size_t r = 0; r < samples.size() && bytes != 0; ++r) {
    const Tensor& row = samples[r] ? samples[r]->at(input) : model;
    if (row.shape() != model.shape() || row.dtype() != model.dtype())
      throw Error(ErrorKind::kCalibration, "samples of shapes " + to_string(model.shape()) + " and " +
                                               to_string(row.shape()) +
                                               " do not go into one batch; give samples of one shape");
    std::memcpy(static_cast<std::byte*>(result.mutable_bytes()) + r * bytes, row.bytes(), bytes);
  }
  return result;
}

}  // namespace

int64_t fixed_batch(const Graph& graph) {
  int64_t batch = kUnknownDim;
  for (const ValueId id : graph.inputs) {
    const std::optional<Shape>& shape = graph.value(id).shape;
    if (!shape || shape->empty() || (id != graph.inputs[0] && shape->front() != batch)) return 1;
    batch = shape->front();
  }
  return batch > 1 ? batch : 1;
}

std::vector<Value> sample_inputs(const Graph& graph) {
  std::vector<Value> inputs;
  for (const ValueId id : graph.inputs) inputs.push_back(graph.value(id));
  if (fixed_batch(graph) > 1)
    for (Value& input : inputs) input.shape->front() = 1;
  return inputs;
}

Batches::Batches(SampleSource& source, int64_t batch)
    : source_(source), batch_(static_cast<size_t>(batch)), chosen_((source.count() + batch_ - 1) / batch_) {
  std::iota(chosen_.begin(), chosen_.end(), size_t{0});
}

Batches Batches::spread(size_t most) const {
  Batches some = *this;
  if (most >= count()) return some;
  some.chosen_.clear();
  for (size_t i = 0; i < most; ++i) some.chosen_.push_back(chosen_[i * count() / most]);
  return some;
}

std::optional<Batches::Batch> Batches::load(size_t i) const {
  Batch batch;
  batch.first = chosen_[i] * batch_;
  std::vector<std::optional<std::vector<Tensor>>> samples(batch_);
  for (size_t row = 0; row < batch_ && batch.first + row < source_.count(); ++row) {
    samples[row] = source_.load(batch.first + row);
    if (samples[row]) batch.rows.push_back(row);
  }
  if (batch.rows.empty()) return std::nullopt;
  if (batch_ == 1) {
    batch.inputs = std::move(*samples[0]);
    return batch;
  }
  const size_t first = batch.rows.front();
  for (size_t input = 0; input < samples[first]->size(); ++input)
    batch.inputs.push_back(stacked(samples, first, input));
  return batch;
}

void Batches::reject(size_t i, const std::string& reason) const {
  const size_t first = chosen_[i] * batch_;
  for (size_t s = first; s < std::min(first + batch_, source_.count()); ++s) source_.reject(s, reason);
}

std::vector<Tensor> row_of(const std::vector<Tensor>& outputs, size_t i, int64_t batch) {
  if (batch == 1) return outputs;
  const auto rows = static_cast<size_t>(batch);
  std::vector<Tensor> result;
  for (const Tensor& output : outputs) {
    const Shape& shape = output.shape();
    if (!shape.empty() && shape[0] == batch)
      result.push_back(part_of(output, 0, i, rows));
    else if (shape.size() > 1 && shape[1] == batch)
      result.push_back(part_of(output, 1, i, rows));
    else
      result.push_back(output);
  }
  return result;
}

void for_each_batch(const Batches& batches, int threads,
                    const std::function<void(size_t i, const Batches::Batch&)>& body,
                    const std::function<void(size_t done, size_t of)>& progress) {
  std::mutex mutex;
  size_t done = 0;
  parallel_for(batches.count(), threads, [&](size_t i, int) {
    if (const std::optional<Batches::Batch> batch = batches.load(i)) body(i, *batch);
    const std::lock_guard lock(mutex);
    if (progress) progress(++done, batches.count());
  });
}

}  // namespace quantize
