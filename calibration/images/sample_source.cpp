// Loading samples. Read SampleSource::load().
#include "calibration/images/sample_source.h"

#include <algorithm>
#include <filesystem>

#include "calibration/images/decode_image.h"
#include "calibration/images/preprocess_file.h"
#include "core/error.h"
#include "core/non_finite.h"

namespace quantize {
namespace {

Tensor to_f32(const Tensor& tensor) {
  Tensor result(DataType::kF32, tensor.shape());
  std::transform(tensor.data<double>(), tensor.data<double>() + tensor.size(), result.mutable_data<float>(),
                 [](double x) { return static_cast<float>(x); });
  return result;
}

/// 0 says that there is no content.
uint64_t nonzero(const Hash& content) {
  return std::max<uint64_t>(content.value(), 1);
}

}  // namespace

SampleSource::SampleSource(std::vector<Value> inputs, SampleOptions options, SampleList list,
                           std::optional<Preprocess> preprocess)
    : inputs_(std::move(inputs)),
      options_(std::move(options)),
      list_(std::move(list)),
      preprocess_(std::move(preprocess)),
      fitted_(list_.samples.size(), options_.kept_image_bytes),
      contents_(list_.samples.size()) {
  if (list_.images && !preprocess_) throw Error(ErrorKind::kInternal, "images need preprocessing");
}

std::optional<std::vector<Tensor>> SampleSource::load(size_t i) {
  if (is_rejected(i)) return std::nullopt;
  std::vector<Tensor> tensors;
  if (list_.images) {
    try {
      tensors.push_back(load_image(i));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kCalibration && error.kind() != ErrorKind::kIo) throw;
      reject(i, error.what());
      return std::nullopt;
    }
  } else {
    Hash content;
    for (size_t k = 0; k < inputs_.size(); ++k)
      tensors.push_back(load_tensor(list_.samples[i].parts[k], inputs_[k], content));
    set_content(i, content);
  }
  for (size_t k = 0; k < inputs_.size(); ++k) {
    if (!has_non_finite(tensors[k])) continue;
    reject(i, "input '" + inputs_[k].name + "' holds NaN or infinity");
    return std::nullopt;
  }
  return tensors;
}

Tensor SampleSource::load_image(size_t i) {
  const Sample::Part& part = list_.samples[i].parts[0];
  std::optional<FittedImage> fitted = fitted_.find(i);
  if (!fitted) {
    const std::vector<uint8_t> bytes = part.bytes();
    fitted = fit_image(decode_image(bytes), *preprocess_);
    Hash content;
    content.add_bytes(bytes.data(), bytes.size());
    set_content(i, content);
    fitted_.keep(i, *fitted);
  }
  Tensor tensor = to_tensor(*fitted, *preprocess_);
  check_fits(part.file, tensor.dtype(), tensor.shape(), inputs_[0]);
  return tensor;
}

Tensor SampleSource::load_tensor(const Sample::Part& part, const Value& input, Hash& content) const {
  Tensor tensor = read_tensor(part, input);
  content.add_bytes(tensor.bytes(), tensor.byte_size());
  check_fits(part.file, tensor.dtype(), tensor.shape(), input);
  return tensor.dtype() == DataType::kF64 && input.dtype == DataType::kF32 ? to_f32(tensor) : tensor;
}

void SampleSource::set_content(size_t i, const Hash& content) {
  const std::lock_guard lock(mutex_);
  contents_[i] = nonzero(content);
}

Tensor SampleSource::read_tensor(const Sample::Part& part, const Value& input) const {
  Tensor tensor;
  if (part.array) {
    const NpyArray& array = *part.array;
    const size_t rank = input.shape ? input.shape->size() : 0;
    if (rank == 0) {
      tensor = array.all();
    } else if (array.shape().size() < rank) {
      Shape shape = array.shape();
      shape.insert(shape.begin(), 1);
      tensor = array.all().reshaped(shape);
    } else {
      const int64_t batch = input.shape->front();
      tensor = array.rows(part.first_row, batch == kUnknownDim ? 1 : batch);
    }
  } else {
    if (!options_.load_tensor_proto) throw Error(ErrorKind::kInternal, "no reader of .pb files was given");
    tensor = options_.load_tensor_proto(part.file);
  }
  return tensor;
}

uint64_t SampleSource::name_hash(size_t i) const {
  Hash hash;
  hash.add_text(name(i));
  return hash.value();
}

uint64_t SampleSource::content_hash(size_t i) const {
  Hash hash;
  for (size_t k = 0; k < inputs_.size(); ++k) {
    const Sample::Part& part = list_.samples[i].parts[k];
    if (list_.images) {
      const std::vector<uint8_t> bytes = part.bytes();
      hash.add_bytes(bytes.data(), bytes.size());
    } else {
      const Tensor tensor = read_tensor(part, inputs_[k]);
      hash.add_bytes(tensor.bytes(), tensor.byte_size());
    }
  }
  return nonzero(hash);
}

HeldSamples SampleSource::held() const {
  const std::lock_guard lock(mutex_);
  HeldList list{list_.chosen, options_.shards, {}};
  for (size_t i = 0; i < count(); ++i) list.samples.push_back({list_.first + i, name_hash(i), contents_[i]});
  for (const BadImage& bad : bad_images_) list.samples[bad.sample].content = 0;
  HeldSamples held;
  add_held(held, {{list_.hash, list}});
  return held;
}

void SampleSource::reject(size_t i, const std::string& reason) {
  constexpr size_t kNamed = 5;
  const std::lock_guard lock(mutex_);
  const auto place = std::lower_bound(bad_images_.begin(), bad_images_.end(), i,
                                      [](const BadImage& bad, size_t sample) { return bad.sample < sample; });
  if (place != bad_images_.end() && place->sample == i) return;
  bad_images_.insert(place, {i, name(i), reason});
  const size_t limit = options_.max_bad_images.value_or(std::max<size_t>(list_.whole.size() / 100, 1));
  const size_t bad = bad_images_.size();
  const std::string noun = list_.images ? "image" : "sample";
  if (bad <= limit && bad < count()) return;
  std::string reasons;
  for (size_t k = 0; k < std::min(bad, kNamed); ++k) {
    reasons += (k == 0 ? ": " : "; ") + bad_images_[k].name + " (" + bad_images_[k].reason + ")";
  }
  if (bad > kNamed) reasons += "; ...";
  if (bad == count()) throw Error(ErrorKind::kCalibration, "no " + noun + " can be used" + reasons);
  throw Error(ErrorKind::kCalibration, "at least " + std::to_string(bad) + " of " + std::to_string(count()) +
                                           " " + noun + "s cannot be used, more than --max-bad-images " +
                                           std::to_string(limit) + " allows" + reasons);
}

bool SampleSource::is_rejected(size_t i) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(bad_images_.begin(), bad_images_.end(),
                     [&](const BadImage& bad) { return bad.sample == i; });
}

std::vector<BadImage> SampleSource::bad_images() const {
  const std::lock_guard lock(mutex_);
  return bad_images_;
}

std::string SampleSource::fingerprint() const {
  return list_.images ? to_json(*preprocess_) : "";
}

}  // namespace quantize
