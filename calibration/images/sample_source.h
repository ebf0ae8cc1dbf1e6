// Where samples come from: images to preprocess, or tensors that are ready. Read list_samples(), then
// SampleSource.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "calibration/images/choose_samples.h"
#include "calibration/images/fitted_images.h"
#include "calibration/images/hash.h"
#include "calibration/images/held_samples.h"
#include "calibration/images/npy.h"
#include "calibration/images/preprocess.h"
#include "calibration/images/read_file.h"

namespace quantize {

/// The place of the samples, the choice among them, and how many of them may be unusable.
struct SampleOptions : SampleChoice {
  std::string path;                             // a directory, or one file, pipe or device
  std::map<std::string, std::string> by_input;  // a path for each input of the model by its name; else empty
  std::optional<size_t> max_bad_images;         // default: 1 % of the images found, at least 1
  size_t kept_image_bytes = 0;  // of decoded images, for commands that pass over them several times
  bool is_part = false;  // what other shards give is added to it: a shard may have no sample that can be used
  /// Reads a .pb file: calibration does not know protobuf.
  std::function<Tensor(const std::string& path)> load_tensor_proto;
};

/// One inference's worth of input.
struct Sample {
  /// One model input's part: rows of an array, or a file to read.
  struct Part {
    std::string file;
    std::shared_ptr<const NpyArray> array;  // nullptr: `file` is an image or .pb
    int64_t first_row = 0;
    std::shared_ptr<const std::vector<uint8_t>> content;  // of a pipe, which can be read once; else nullptr
    uint64_t file_bytes = 0;

    /// The bytes of the file. Errors: those of read_file.
    std::vector<uint8_t> bytes() const { return content ? *content : read_file(file); }
  };
  std::string name;  // the path below the directory; "batch.npy[3]" for a row of several
  std::vector<Part> parts;
};

/// The samples found at a path, in the order of the paths.
struct SampleList {
  std::vector<bool> images;   // per input: images, else tensors
  std::vector<Sample> whole;  // all that was found: whoever guesses from these guesses alike for every shard
  std::vector<Sample> samples;  // the chosen ones of the shard
  // Of the samples chosen before they were divided among shards: a hash of their names and the sizes of their
  // files, their number, and the position of the first of this shard.
  uint64_t hash = 0, chosen = 0, first = 0;
  std::vector<std::string> warnings;  // what was left out

  bool has_images() const { return std::find(images.begin(), images.end(), true) != images.end(); }
};

/// Lists the samples for a model with these inputs.
///
/// A directory is searched by find_files. Images (see find_kind) are for models with one input; where there
/// are images and tensors, such a model takes the images. Tensors: a .npy holds as many samples as its
/// batches have rows; a .npz holds an array for each input by its name (or just one array for the only
/// input); a .pb is one sample. A model with several inputs takes .npz files, or directories with a file for
/// each input: the input's name (see npy_file_name) or input_<number>, with .npy or .pb. A single path is an
/// image unless its name ends like a tensor's; a pipe or device is read to its end, and is a .npy array or an
/// image. Pictures of formats that are not read and all else that was left out are warned of, with kinds and
/// counts.
///
/// With a path for each input, each is searched as that of a model with this input alone. The samples of a model
/// are made of those with the same names, endings left aside, or else of those in the same places of the sorted
/// lists. A file that is no folder and holds one sample stands for all. A sample is called as its first image.
///
/// Errors: Error(kIo) if a path cannot be read; Error(kCalibration) if there is no sample, saying what there is
/// instead, if a tensor's type or shape is not the input's, naming both, or if inputs have different numbers of
/// samples; Error(kInvalidArgument) if `by_input` lacks an input.
SampleList list_samples(const std::vector<Value>& inputs, const SampleOptions& options);

/// The images among the inputs of a model. Errors: those of image_input_of.
std::vector<ImageInput> image_inputs(const std::vector<Value>& inputs, const SampleList& list);

/// The tensors of a sample, for the inputs that take no images; those of the others are empty.
/// Errors: those of SampleSource::load for tensors.
std::vector<Tensor> load_tensors(const std::vector<Value>& inputs, const SampleOptions& options,
                                 const SampleList& list, const Sample& sample);

/// Errors: Error(kCalibration) naming both if a tensor of this type and shape, made from `file`, cannot be
/// the input. f64 and f16 may stand for f32.
void check_fits(const std::string& file, DataType dtype, const Shape& shape, const Value& input);

/// An image, or sample of tensors, that could not be used.
struct BadImage {
  size_t sample;
  std::string name, reason;
};

/// Loads samples. Thread-safe.
class SampleSource {
 public:
  /// `list` came from list_samples with the same inputs and options. `preprocess`: of every input that takes
  /// images, in their order.
  SampleSource(std::vector<Value> inputs, SampleOptions options, SampleList list,
               std::vector<InputPreprocess> preprocess);

  size_t count() const { return list_.samples.size(); }
  /// The position of the first sample among those of all shards.
  uint64_t first() const { return list_.first; }
  /// All that there are, also those that were not chosen.
  const std::vector<Sample>& found() const { return list_.whole; }
  const std::string& name(size_t i) const { return list_.samples[i].name; }

  /// The tensors of sample i, one for each input of the model; nothing if it is an image that cannot be used,
  /// holds NaN or infinity, or was rejected. Errors: those of reject; Error(kIo) or Error(kCalibration) for
  /// tensors of another kind than the model takes.
  std::optional<std::vector<Tensor>> load(size_t i);

  /// Sample i is not to be used, for this reason; it counts as a bad image. Errors: Error(kCalibration) when
  /// more are bad than the limit allows, or all of them (of a part: of all parts), naming samples and reasons.
  void reject(size_t i, const std::string& reason);

  /// Those met so far, in the order of the samples.
  std::vector<BadImage> bad_images() const;

  SampleRange whole() const { return {0, count(), 1}; }
  bool is_part() const { return options_.is_part; }

  /// Which samples those of the range are. Requires: all of them were loaded.
  HeldSamples held(const SampleRange& range) const;
  HeldSamples held() const { return held(whole()); }
  /// The same piece by piece: of the list, of one sample's name, and of the bytes of its image or the
  /// elements of its tensors, which are read but not decoded. Errors: those of read_file and of tensors.
  uint64_t list_hash() const { return list_.hash; }
  uint64_t name_hash(size_t i) const;
  uint64_t content_hash(size_t i) const;

  /// Says how images become tensors: statistics may be added up if it is equal. Empty for tensors taken as
  /// they are.
  std::string fingerprint() const;

 private:
  std::optional<Tensor> load_image(size_t i, size_t input, Hash& content, bool& hashed);
  bool is_rejected(size_t i) const;

  std::vector<Value> inputs_;
  SampleOptions options_;
  SampleList list_;
  std::vector<InputPreprocess> preprocess_;
  std::vector<const Preprocess*> preprocess_of_;  // per input; nullptr: tensors
  mutable std::mutex mutex_;
  std::vector<BadImage> bad_images_;
  FittedImages fitted_;
  std::vector<uint64_t> contents_;  // hashes of those loaded so far; 0: not yet
};

}  // namespace quantize
