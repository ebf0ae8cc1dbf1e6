// Finding samples. Read list_samples() at the end.
#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

#include "calibration/sample_source.h"
#include "core/error.h"

namespace quantize {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorKind::kCalibration, what);
}

std::string extension_of(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return extension;
}

bool is_one_of(const std::string& extension, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), extension) != list.end();
}
bool is_image_name(const fs::path& path) {
  return is_one_of(extension_of(path), {".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".webp"});
}
bool is_tensor_name(const fs::path& path) {
  return is_one_of(extension_of(path), {".npy", ".npz", ".pb"});
}

/// All regular files below a directory but hidden ones, sorted by path.
std::vector<fs::path> files_below(const std::string& directory) {
  std::vector<fs::path> files;
  try {
    for (fs::recursive_directory_iterator at(directory), end; at != end; ++at) {
      const bool hidden = at->path().filename().string().starts_with('.');
      if (hidden && at->is_directory()) at.disable_recursion_pending();
      if (!hidden && at->is_regular_file()) files.push_back(at->path());
    }
  } catch (const fs::filesystem_error& error) {
    throw Error(ErrorKind::kIo, "cannot read '" + error.path1().string() + "': " + error.code().message());
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// The path below `root`, or the file's own name where that is the root.
std::string name_below(const fs::path& root, const fs::path& path) {
  const fs::path below = path.lexically_relative(root);
  return below.empty() || below == "." ? path.filename().string() : below.generic_string();
}

/// The samples of one tensor file or of one directory of them.
class TensorLister {
 public:
  TensorLister(const std::vector<Value>& inputs, const std::string& root) : inputs_(inputs), root_(root) {}

  std::vector<Sample> list(const std::vector<fs::path>& files) {
    std::vector<fs::path> folders;  // of files that hold one input's part each
    for (const fs::path& file : files) {
      if (extension_of(file) == ".npz") {
        add_npz(file);
      } else if (inputs_.size() == 1) {
        add(name_below(root_, file), {open(file)});
      } else if (folders.empty() || folders.back() != file.parent_path()) {
        folders.push_back(file.parent_path());
      }
    }
    for (const fs::path& folder : folders) add_folder(folder);
    return std::move(samples_);
  }

 private:
  Sample::Part open(const fs::path& file) const {
    Sample::Part part{file.string(), nullptr, 0};
    if (extension_of(file) == ".npy") part.array = std::make_shared<NpyArray>(NpyArray::open(part.file));
    return part;
  }

  void add_npz(const fs::path& file) {
    auto arrays = open_npz(file.string());
    std::vector<Sample::Part> parts;
    for (const Value& input : inputs_) {
      auto found = arrays.find(input.name);
      if (found == arrays.end() && inputs_.size() == 1 && arrays.size() == 1) found = arrays.begin();
      if (found == arrays.end()) {
        refuse("the archive '" + file.string() + "' has no array for the model's input '" + input.name + "'");
      }
      parts.push_back({file.string(), std::make_shared<NpyArray>(std::move(found->second)), 0});
    }
    add(name_below(root_, file), parts);
  }

  void add_folder(const fs::path& folder) {
    std::vector<Sample::Part> parts;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const fs::path by_name = folder / npy_file_name(inputs_[i].name);
      const fs::path by_number = folder / ("input_" + std::to_string(i) + ".npy");
      const std::array candidates = {by_name, fs::path(by_name).replace_extension(".pb"), by_number,
                                     fs::path(by_number).replace_extension(".pb")};
      const auto* found = std::find_if(candidates.begin(), candidates.end(),
                                       [](const fs::path& path) { return fs::exists(path); });
      if (found == candidates.end()) {
        refuse("the directory '" + folder.string() + "' has no tensor for the model's input '" +
               inputs_[i].name + "': it would be " + by_name.filename().string() + " or " +
               by_number.filename().string());
      }
      parts.push_back(open(*found));
    }
    add(name_below(root_, folder), parts);
  }

  /// One sample for every batch that each of the arrays holds.
  void add(const std::string& name, const std::vector<Sample::Part>& parts) {
    int64_t count = 1;
    for (size_t i = 0; i < parts.size(); ++i) {
      if (!parts[i].array) continue;
      const int64_t batches = batches_in(parts[i], inputs_[i]);
      if (i > 0 && batches != count) {
        refuse("'" + name + "' holds " + std::to_string(batches) + " samples of the input '" +
               inputs_[i].name + "', but " + std::to_string(count) + " of '" + inputs_[0].name + "'");
      }
      count = batches;
    }
    for (int64_t k = 0; k < count; ++k) {
      Sample sample{count == 1 ? name : name + "[" + std::to_string(k) + "]", parts};
      for (size_t i = 0; i < parts.size(); ++i) {
        if (parts[i].array) sample.parts[i].first_row = k * batch_of(inputs_[i]);
      }
      samples_.push_back(std::move(sample));
    }
  }

  static int64_t batch_of(const Value& input) {
    const bool fixed = input.shape && !input.shape->empty() && input.shape->front() != kUnknownDim;
    return fixed ? input.shape->front() : 1;
  }

  /// Number of batches that the array holds of the input. Errors: Error(kCalibration) if it does not.
  static int64_t batches_in(const Sample::Part& part, const Value& input) {
    if (!input.shape) return 1;
    Shape shape = part.array->shape();
    const int64_t batch = batch_of(input);
    if (shape.size() + 1 == input.shape->size())
      shape.insert(shape.begin(), 1);  // a sample without its batch
    const int64_t batches = shape.empty() ? 1 : shape[0] / batch;
    if (!shape.empty() && shape[0] == batches * batch) shape[0] = batch;
    check_fits(part.file, part.array->dtype(), shape, input);
    return batches;
  }

  const std::vector<Value>& inputs_;
  fs::path root_;
  std::vector<Sample> samples_;
};

/// Keeps the samples that the options ask for.
void select(SampleList& list, const SampleOptions& options) {
  std::vector<Sample>& samples = list.samples;
  list.found = samples.size();
  if (options.samples && *options.samples < samples.size()) samples.resize(*options.samples);
  const size_t begin = samples.size() * options.shard / options.shards;
  const size_t end = samples.size() * (options.shard + 1) / options.shards;
  samples.resize(end);
  samples.erase(samples.begin(), samples.begin() + static_cast<ptrdiff_t>(begin));
}

}  // namespace

void check_fits(const std::string& file, DataType dtype, const Shape& shape, const Value& input) {
  const bool converts = dtype == DataType::kF64 && input.dtype == DataType::kF32;
  bool fits = dtype == input.dtype || converts;
  if (input.shape) {
    fits =
        fits && std::equal(shape.begin(), shape.end(), input.shape->begin(), input.shape->end(),
                           [](int64_t has, int64_t wants) { return wants == kUnknownDim || has == wants; });
  }
  if (!fits) {
    refuse("'" + file + "' makes a tensor of type " + std::string(name_of(dtype)) + " and shape " +
           to_string(shape) + ", but the model's input '" + input.name + "' takes " +
           std::string(name_of(input.dtype)) + " " +
           (input.shape ? to_string(*input.shape) : "of any shape"));
  }
}

SampleList list_samples(const std::vector<Value>& inputs, const SampleOptions& options) {
  std::error_code error;
  const fs::file_status status = fs::status(options.path, error);
  if (!fs::exists(status)) {
    throw Error(ErrorKind::kIo, "cannot read '" + options.path + "': " + error.message());
  }
  const bool directory = fs::is_directory(status);
  std::vector<fs::path> images, tensors;
  for (const fs::path& file : directory ? files_below(options.path) : std::vector<fs::path>{options.path}) {
    if (is_tensor_name(file)) {
      tensors.push_back(file);
    } else if (is_image_name(file) || !directory) {
      images.push_back(file);
    }
  }
  if (images.empty() && tensors.empty()) {
    refuse("there is no image (JPEG, PNG, BMP, PPM, PGM, WebP) and no tensor (.npy, .npz, .pb) in '" +
           options.path + "'");
  }
  if (!images.empty() && !tensors.empty()) {
    refuse("'" + options.path + "' holds both images and tensors, such as '" + images[0].filename().string() +
           "' and '" + tensors[0].filename().string() + "': keep one kind");
  }
  SampleList list;
  list.images = !images.empty();
  if (!list.images) {
    list.samples = TensorLister(inputs, options.path).list(tensors);
  } else if (inputs.size() != 1) {
    refuse("the model has " + std::to_string(inputs.size()) +
           " inputs, so images are not enough: give .npz files with an array for each input");
  }
  for (const fs::path& image : images) {
    list.samples.push_back({name_below(options.path, image), {{image.string(), nullptr, 0}}});
  }
  select(list, options);
  if (list.samples.empty()) {
    refuse("none of the " + std::to_string(list.found) + " samples in '" + options.path +
           "' is left: ask for more samples or fewer shards");
  }
  return list;
}

}  // namespace quantize
