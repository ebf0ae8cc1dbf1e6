// Finding samples. Read list_samples() at the end.
#include <algorithm>
#include <array>
#include <filesystem>
#include <numeric>
#include <set>
#include <string_view>

#include "calibration/images/file_kind.h"
#include "calibration/images/find_files.h"
#include "calibration/images/sample_source.h"
#include "core/error.h"

namespace quantize {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorKind::kCalibration, what);
}

bool has_ending(const fs::path& path, std::string_view ending) {
  return ending_of(path) == ending;
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

  std::vector<Sample> list(const std::vector<FoundFile>& files) {
    std::vector<fs::path> folders;  // of files that hold one input's part each
    for (const auto& [file, bytes] : files) {
      if (has_ending(file, ".npz")) {
        add_npz(file, bytes);
      } else if (inputs_.size() == 1) {
        add(name_below(root_, file), {open(file)});
      } else if (folders.empty() || folders.back() != file.parent_path()) {
        folders.push_back(file.parent_path());
      }
    }
    for (const fs::path& folder : folders) add_folder(folder);
    return std::move(samples_);
  }

  /// A .npy array that came out of a pipe.
  std::vector<Sample> list(const Sample::Part& stream) {
    Sample::Part part = stream;
    part.array = std::make_shared<NpyArray>(NpyArray::parse(part.file, *part.content));
    add(name_below(root_, part.file), {part});
    return std::move(samples_);
  }

  /// Arrays taken for an input of another name: the first as a warning, or nothing.
  std::optional<std::string> renamed() const { return renamed_; }

 private:
  Sample::Part open(const fs::path& file) const {
    Sample::Part part{file.string(), nullptr, 0, nullptr};
    std::error_code ignored;
    part.file_bytes = fs::file_size(file, ignored);
    if (has_ending(file, ".npy")) part.array = std::make_shared<NpyArray>(NpyArray::open(part.file));
    return part;
  }

  void add_npz(const fs::path& file, uint64_t bytes) {
    auto arrays = open_npz(file.string());
    std::vector<Sample::Part> parts;
    for (const Value& input : inputs_) {
      auto found = arrays.find(input.name);
      if (found == arrays.end() && inputs_.size() == 1 && arrays.size() == 1) {
        found = arrays.begin();
        note_renamed(file, found->first, input.name);
      }
      if (found == arrays.end()) {
        std::string names;
        for (const auto& [name, array] : arrays) names += (names.empty() ? "'" : ", '") + name + "'";
        refuse("the archive '" + file.string() + "' has no array for the model's input '" + input.name +
               "': it has " + (names.empty() ? "none" : names));
      }
      parts.push_back(
          {file.string(), std::make_shared<NpyArray>(std::move(found->second)), 0, nullptr, bytes});
    }
    add(name_below(root_, file), parts);
  }

  /// numpy.savez gives arrays without a name that of kUnnamed, which says nothing.
  void note_renamed(const fs::path& file, const std::string& array, const std::string& input) {
    constexpr const char* kUnnamed = "arr_0";
    if (renamed_ || array == kUnnamed) return;
    renamed_ = "the array '" + array + "' of '" + file.string() + "' is taken for the model's input '" +
               input + "', whose name it does not have";
  }

  void add_folder(const fs::path& folder) {
    std::vector<Sample::Part> parts;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const fs::path by_name = folder / npy_file_name(inputs_[i].name);
      const fs::path by_number = folder / ("input_" + std::to_string(i) + ".npy");
      const std::array candidates = {by_name, fs::path(by_name).replace_extension(".pb"), by_number,
                                     fs::path(by_number).replace_extension(".pb")};
      const auto* found = std::find_if(candidates.begin(), candidates.end(),
                                       [](const fs::path& path) { return fs::is_regular_file(path); });
      if (found == candidates.end()) {
        refuse("the directory '" + (folder.empty() ? "." : folder.string()) +
               "' has no tensor for the model's input '" + inputs_[i].name + "': it would be " +
               by_name.filename().string() + " or " + by_number.filename().string() +
               "; or name a path for each input, such as " + inputs_[i].name + "=FOLDER");
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
  std::optional<std::string> renamed_;
};

/// Takes the samples that the options ask for.
void select(SampleList& list, const SampleOptions& options) {
  const std::vector<size_t> chosen = choose_samples(list.whole.size(), options);
  const SampleRange range = range_of_part(chosen.size(), options.batch, options.shard, options.shards);
  Hash hash;
  for (const size_t i : chosen) {
    hash.add_text(list.whole[i].name);
    for (const Sample::Part& part : list.whole[i].parts) hash.add_number(part.file_bytes);
  }
  list.hash = hash.value();
  list.chosen = chosen.size();
  list.first = range.begin;
  for (size_t i = range.begin; i < range.end; ++i) list.samples.push_back(list.whole[chosen[i]]);
  if (list.samples.empty())
    refuse("none of the " + std::to_string(list.whole.size()) + " samples" +
           (options.path.empty() ? "" : " in '" + options.path + "'") +
           " is left: ask for more samples or fewer shards");
}

/// The samples at the path: the files of a folder, or the path itself. A pipe or device is in neither list.
FoundFiles find(const std::string& path, fs::file_status status) {
  if (fs::is_directory(status)) return find_files(path);
  FoundFiles found;
  if (!fs::is_regular_file(status)) return found;
  const FoundFile file{path, fs::file_size(path)};
  (is_tensor_name(path) ? found.tensors : found.images).push_back(file);
  return found;
}

/// Decides between images and tensors; the others go to what was left out.
void keep_one_kind(FoundFiles& found, size_t inputs) {
  std::vector<FoundFile>& others = found.images.empty() || inputs != 1 ? found.images : found.tensors;
  if (found.images.empty() || found.tensors.empty()) return;
  for (const FoundFile& file : others) {
    LeftOutFiles& left_out = found.left_out[ending_of(file.path)];
    if (left_out.count++ == 0) left_out.first = file.path;
  }
  others.clear();
}

[[noreturn]] void refuse_empty(const FoundFiles& found, const std::string& path) {
  std::string there = left_out_text(found, path);
  if (found.others.count != 0)
    there += (there.empty() ? "" : ", ") + std::to_string(found.others.count) + " of other kinds ('" +
             name_below(path, found.others.first) + "')";
  refuse("there is no image (" + std::string(kReadFormats) + ") and no tensor (.npy, .npz, .pb) in '" + path +
         "', " + (there.empty() ? "which is empty" : "but " + there));
}

std::string left_out_warning(const FoundFiles& found, const std::string& path) {
  size_t count = 0;
  for (const auto& [kind, files] : found.left_out) count += files.count;
  return "in '" + path + "' " + std::to_string(count) + (count == 1 ? " file is" : " files are") +
         " left out, being no " + (found.images.empty() ? ".npy, .npz or .pb" : kReadFormats) + ": " +
         left_out_text(found, path);
}

/// One sample, or as many as a .npy array has, out of a pipe or device.
SampleList list_stream(const std::vector<Value>& inputs, const std::string& path) {
  constexpr std::string_view kNpy = "\x93NUMPY";
  if (has_ending(path, ".npz") || has_ending(path, ".pb"))
    throw Error(ErrorKind::kIo,
                "cannot read '" + path + "': an archive or .pb tensor must be a file on a disk");
  Sample::Part part{path, nullptr, 0, std::make_shared<const std::vector<uint8_t>>(read_file(path))};
  part.file_bytes = part.content->size();
  SampleList list;
  const bool images =
      std::string_view(reinterpret_cast<const char*>(part.content->data()), part.content->size())
          .substr(0, kNpy.size()) != kNpy;
  list.images.assign(inputs.size(), images);
  if (images) {
    list.whole.push_back({name_below(path, path), {part}});
  } else {
    list.whole = TensorLister(inputs, path).list(part);
  }
  return list;
}

SampleList list_files(const std::vector<Value>& inputs, const std::string& path, fs::file_status status) {
  FoundFiles found = find(path, status);
  keep_one_kind(found, inputs.size());
  if (found.images.empty() && found.tensors.empty()) refuse_empty(found, path);
  SampleList list;
  if (!found.left_out.empty()) list.warnings.push_back(left_out_warning(found, path));
  list.images.assign(inputs.size(), !found.images.empty());
  for (const FoundFile& image : found.images)
    list.whole.push_back(
        {name_below(path, image.path), {{image.path.string(), nullptr, 0, nullptr, image.bytes}}});
  if (list.has_images()) return list;
  TensorLister lister(inputs, path);
  list.whole = lister.list(found.tensors);
  if (const auto renamed = lister.renamed()) list.warnings.push_back(*renamed);
  return list;
}

SampleList list_path(const std::vector<Value>& inputs, const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) throw Error(ErrorKind::kIo, "cannot read '" + path + "': " + error.message());
  const bool seekable = fs::is_directory(status) || fs::is_regular_file(status);
  return seekable ? list_files(inputs, path, status) : list_stream(inputs, path);
}

[[noreturn]] void refuse_images(const std::vector<Value>& inputs) {
  refuse("the model has " + std::to_string(inputs.size()) +
         " inputs, so one folder of images is not enough: give each input its own, as in '" + inputs[0].name +
         "=FOLDER', or .npz files with an array for each");
}

/// A sample's name without its ending: "a.png" and "a.npy" are of one pair, as are "a.npy[3]" and "a.npz[3]".
std::string stem_of(const Sample& sample) {
  const size_t row = sample.name.ends_with(']') ? sample.name.rfind('[') : sample.name.size();
  return fs::path(sample.name.substr(0, row)).replace_extension().generic_string() + sample.name.substr(row);
}

/// The samples of one input in the order of the stems of the first input; nothing if the names are not the same.
std::optional<std::vector<size_t>> order_by_name(const std::vector<Sample>& first,
                                                 const std::vector<Sample>& other) {
  std::map<std::string, size_t> places;
  for (size_t i = 0; i < other.size(); ++i)
    if (!places.try_emplace(stem_of(other[i]), i).second) return std::nullopt;
  std::vector<size_t> order;
  for (const Sample& sample : first) {
    const auto found = places.find(stem_of(sample));
    if (found == places.end()) return std::nullopt;
    order.push_back(found->second);
    places.erase(found);
  }
  return places.empty() ? std::optional(order) : std::nullopt;
}

/// The samples of all inputs, each listed on its own, side by side.
class Pairing {
 public:
  Pairing(const std::vector<Value>& inputs, const SampleOptions& options) {
    for (const Value& input : inputs) {
      const auto path = options.by_input.find(input.name);
      if (path == options.by_input.end())
        throw Error(ErrorKind::kInvalidArgument, "no samples are given for the model's input '" + input.name +
                                                     "': add '" + input.name + "=FOLDER'");
      lists_.push_back(with_context([&] { return "input '" + input.name + "'"; },
                                    [&] { return list_path({input}, path->second); }));
      const bool alone = lists_.back().whole.size() == 1 && !fs::is_directory(path->second);
      if (!leader_ && !alone) leader_ = lists_.size() - 1;
      stands_for_all_.push_back(alone);
    }
    check_counts(inputs, options);
  }

  SampleList list() const {
    SampleList result;
    for (const SampleList& each : lists_) {
      result.images.push_back(each.images[0]);
      result.warnings.insert(result.warnings.end(), each.warnings.begin(), each.warnings.end());
    }
    const std::vector<Sample>& first = lists_[leader()].whole;
    const size_t namer = named_by(result.images);
    std::vector<std::vector<size_t>> orders;
    for (const SampleList& each : lists_) orders.push_back(order_of(first, each, result));
    for (size_t i = 0; i < first.size(); ++i) {
      Sample sample{lists_[namer].whole[orders[namer][i]].name, {}};
      for (size_t k = 0; k < lists_.size(); ++k)
        sample.parts.push_back(lists_[k].whole[orders[k][i]].parts[0]);
      result.whole.push_back(std::move(sample));
    }
    return result;
  }

 private:
  size_t leader() const { return leader_.value_or(0); }

  void check_counts(const std::vector<Value>& inputs, const SampleOptions& options) const {
    const size_t count = lists_[leader()].whole.size();
    const auto text = [&](size_t k) {
      return std::to_string(lists_[k].whole.size()) + " for '" + inputs[k].name + "' ('" +
             options.by_input.at(inputs[k].name) + "')";
    };
    for (size_t k = 0; k < lists_.size(); ++k)
      if (!stands_for_all_[k] && lists_[k].whole.size() != count)
        refuse("the inputs have different numbers of samples: " + text(leader()) + " and " + text(k) +
               "; give as many of each");
  }

  /// The first input of images that has the samples' names, or else the first that has.
  size_t named_by(const std::vector<bool>& images) const {
    for (size_t k = 0; k < lists_.size(); ++k)
      if (images[k] && (!stands_for_all_[k] || !leader_)) return k;
    return leader();
  }

  std::vector<size_t> order_of(const std::vector<Sample>& first, const SampleList& list,
                               SampleList& result) const {
    std::vector<size_t> order(first.size(), 0);
    if (list.whole.size() != first.size()) return order;
    if (const auto by_name = order_by_name(first, list.whole)) return *by_name;
    std::iota(order.begin(), order.end(), size_t{0});
    if (first.size() > 1 && !any_of_same_name(first, list.whole)) return order;
    if (first.size() > 1)
      result.warnings.push_back(
          "some samples of two inputs have the same names and others do not, such as '" + first[0].name +
          "' and '" + list.whole[0].name + "': they are paired by their places in the sorted lists");
    return order;
  }

  static bool any_of_same_name(const std::vector<Sample>& first, const std::vector<Sample>& other) {
    std::set<std::string> names;
    for (const Sample& sample : other) names.insert(stem_of(sample));
    return std::any_of(first.begin(), first.end(),
                       [&](const Sample& sample) { return names.contains(stem_of(sample)); });
  }

  std::vector<SampleList> lists_;     // per input
  std::vector<bool> stands_for_all_;  // one sample, which is the same for all
  std::optional<size_t> leader_;      // the first input with samples of its own
};

}  // namespace

void check_fits(const std::string& file, DataType dtype, const Shape& shape, const Value& input) {
  const bool converts = (dtype == DataType::kF64 || dtype == DataType::kF16) && input.dtype == DataType::kF32;
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
  SampleList list =
      options.by_input.empty() ? list_path(inputs, options.path) : Pairing(inputs, options).list();
  if (options.by_input.empty() && list.has_images() && inputs.size() != 1) refuse_images(inputs);
  select(list, options);
  return list;
}

}  // namespace quantize
