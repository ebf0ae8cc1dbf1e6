// Loading samples. Read SampleSource::load().
#include "calibration/images/sample_source.h"

#include <algorithm>
#include <filesystem>

#include "calibration/images/decode_image.h"
#include "calibration/images/preprocess_file.h"
#include "core/error.h"
#include "core/non_finite.h"
#include "core/ops/support/convert_tensor.h"

namespace quantize {
namespace {

/// 0 says that there is no content.
uint64_t nonzero(const Hash& content) {
  return std::max<uint64_t>(content.value(), 1);
}

Tensor read_array(const Sample::Part& part, const Value& input) {
  const NpyArray& array = *part.array;
  const size_t rank = input.shape ? input.shape->size() : 0;
  if (rank == 0) return array.all();
  if (array.shape().size() < rank) {
    Shape shape = array.shape();
    shape.insert(shape.begin(), 1);
    return array.all().reshaped(shape);
  }
  const int64_t batch = input.shape->front();
  return array.rows(part.first_row, batch == kUnknownDim ? 1 : batch);
}

Tensor read_tensor(const Sample::Part& part, const Value& input, const SampleOptions& options) {
  if (part.array) return read_array(part, input);
  if (!options.load_tensor_proto) throw Error(ErrorKind::kInternal, "no reader of .pb files was given");
  return options.load_tensor_proto(part.file);
}

/// As the input takes it; `content` may be nullptr.
Tensor load_tensor(const Sample::Part& part, const Value& input, const SampleOptions& options,
                   Hash* content) {
  Tensor tensor = read_tensor(part, input, options);
  if (content != nullptr) content->add_bytes(tensor.bytes(), tensor.byte_size());
  check_fits(part.file, tensor.dtype(), tensor.shape(), input);
  return tensor.dtype() == input.dtype ? tensor : converted(tensor, input.dtype);
}

}  // namespace

std::vector<ImageInput> image_inputs(const std::vector<Value>& inputs, const SampleList& list) {
  std::vector<ImageInput> result;
  for (size_t k = 0; k < inputs.size(); ++k)
    if (list.images[k]) {
      result.push_back(image_input_of(inputs[k]));
      result.back().alone = inputs.size() == 1;
    }
  return result;
}

std::vector<Tensor> load_tensors(const std::vector<Value>& inputs, const SampleOptions& options,
                                 const SampleList& list, const Sample& sample) {
  std::vector<Tensor> tensors(inputs.size());
  for (size_t k = 0; k < inputs.size(); ++k)
    if (!list.images[k]) tensors[k] = load_tensor(sample.parts[k], inputs[k], options, nullptr);
  return tensors;
}

SampleSource::SampleSource(std::vector<Value> inputs, SampleOptions options, SampleList list,
                           std::vector<InputPreprocess> preprocess)
    : inputs_(std::move(inputs)),
      options_(std::move(options)),
      list_(std::move(list)),
      preprocess_(std::move(preprocess)),
      preprocess_of_(inputs_.size(), nullptr),
      fitted_(list_.samples.size() * inputs_.size(), options_.kept_image_bytes),
      contents_(list_.samples.size()) {
  size_t next = 0;
  for (size_t k = 0; k < inputs_.size(); ++k) {
    if (!list_.images[k]) continue;
    if (next == preprocess_.size()) throw Error(ErrorKind::kInternal, "images need preprocessing");
    preprocess_of_[k] = &preprocess_[next++].preprocess;
  }
}

std::optional<std::vector<Tensor>> SampleSource::load(size_t i) {
  if (is_rejected(i)) return std::nullopt;
  std::vector<Tensor> tensors;
  Hash content;
  bool hashed = true;  // all of it: not of images that were kept decoded
  for (size_t k = 0; k < inputs_.size(); ++k) {
    std::optional<Tensor> tensor =
        list_.images[k] ? load_image(i, k, content, hashed)
                        : load_tensor(list_.samples[i].parts[k], inputs_[k], options_, &content);
    if (!tensor) return std::nullopt;
    tensors.push_back(*std::move(tensor));
  }
  if (hashed) {
    const std::lock_guard lock(mutex_);
    contents_[i] = nonzero(content);
  }
  for (size_t k = 0; k < inputs_.size(); ++k) {
    if (!has_non_finite(tensors[k])) continue;
    reject(i, "input '" + inputs_[k].name + "' holds NaN or infinity");
    return std::nullopt;
  }
  return tensors;
}

/// Nothing if the image cannot be used, which rejects the sample.
std::optional<Tensor> SampleSource::load_image(size_t i, size_t input, Hash& content, bool& hashed) {
  const Sample::Part& part = list_.samples[i].parts[input];
  const size_t place = i * inputs_.size() + input;
  const Preprocess& preprocess = *preprocess_of_[input];
  try {
    std::optional<FittedImage> fitted = fitted_.find(place);
    if (fitted) {
      hashed = false;
    } else {
      const std::vector<uint8_t> bytes = part.bytes();
      fitted = fit_image(decode_image(bytes), preprocess);
      content.add_bytes(bytes.data(), bytes.size());
      fitted_.keep(place, *fitted);
    }
    const DataType dtype = inputs_[input].dtype;
    Tensor tensor = to_tensor(*fitted, preprocess);
    if (tensor.dtype() != dtype) tensor = converted(tensor, dtype);
    check_fits(part.file, tensor.dtype(), tensor.shape(), inputs_[input]);
    return tensor;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kCalibration && error.kind() != ErrorKind::kIo) throw;
    reject(i, (inputs_.size() == 1 ? "" : "input '" + inputs_[input].name + "': ") + error.what());
    return std::nullopt;
  }
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
    if (list_.images[k]) {
      const std::vector<uint8_t> bytes = part.bytes();
      hash.add_bytes(bytes.data(), bytes.size());
    } else {
      const Tensor tensor = read_tensor(part, inputs_[k], options_);
      hash.add_bytes(tensor.bytes(), tensor.byte_size());
    }
  }
  return nonzero(hash);
}

HeldSamples SampleSource::held(const SampleRange& range) const {
  const std::lock_guard lock(mutex_);
  HeldList list{list_.chosen, options_.shards * range.parts, {}};
  for (size_t i = range.begin; i < range.end; ++i)
    list.samples.push_back({list_.first + i, name_hash(i), contents_[i]});
  for (const BadImage& bad : bad_images_)
    if (bad.sample >= range.begin && bad.sample < range.end)
      list.samples[bad.sample - range.begin].content = 0;
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
  const std::string noun = list_.has_images() ? "image" : "sample";
  const bool none_left = bad == (options_.is_part ? list_.chosen : count());
  if (bad <= limit && !none_left) return;
  std::string reasons;
  for (size_t k = 0; k < std::min(bad, kNamed); ++k) {
    reasons += (k == 0 ? ": " : "; ") + bad_images_[k].name + " (" + bad_images_[k].reason + ")";
  }
  if (bad > kNamed) reasons += "; ...";
  if (none_left) throw Error(ErrorKind::kCalibration, "no " + noun + " can be used" + reasons);
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
  if (!list_.has_images()) return "";
  return inputs_.size() == 1 ? to_json(preprocess_[0].preprocess) : to_json(preprocess_);
}

}  // namespace quantize
