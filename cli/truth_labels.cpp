#include "cli/truth_labels.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "calibration/images/decode_image.h"
#include "calibration/images/parse_json.h"
#include "calibration/images/read_file.h"
#include "cli/labels.h"
#include "core/error.h"

namespace quantize {

namespace fs = std::filesystem;

namespace {

using Json = nlohmann::json;

/// One COCO file while it is read.
class CocoReader {
 public:
  explicit CocoReader(const std::string& path)
      : path_(path), json_(parse_json(read_text(path), "'" + path + "'")) {}

  CocoLabels read() {
    read_categories();
    std::map<int64_t, std::string> names = read_images();
    size_t number = 0;
    for (const Json& annotation : list("annotations")) {
      place_ = "annotation " + std::to_string(number++);
      const auto name = names.find(whole(annotation, "image_id"));
      if (name == names.end()) fail("belongs to no image of the file");
      labels_.images[name->second].boxes.push_back(box(annotation));
    }
    return std::move(labels_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::kInvalidArgument,
                "the labels '" + path_ + "' are no COCO file: " + place_ + " " + what);
  }

  const Json& list(const char* key) {
    place_ = std::string("'") + key + "'";
    if (!json_.is_object() || !json_.contains(key) || !json_[key].is_array()) fail("is missing or no list");
    return json_[key];
  }

  int64_t whole(const Json& object, const char* key) const {
    if (!object.is_object() || !object.contains(key) || !object[key].is_number_integer())
      fail(std::string("has no whole number '") + key + "'");
    return object[key].get<int64_t>();
  }

  void read_categories() {
    std::vector<int64_t> ids;
    for (const Json& category : list("categories")) ids.push_back(whole(category, "id"));
    std::sort(ids.begin(), ids.end());
    if (std::adjacent_find(ids.begin(), ids.end()) != ids.end()) fail("has an id twice");
    if (ids.empty()) fail("is empty");
    labels_.categories = std::make_shared<const std::vector<int64_t>>(std::move(ids));
  }

  /// Names by ids.
  std::map<int64_t, std::string> read_images() {
    std::map<int64_t, std::string> names;
    size_t number = 0;
    for (const Json& image : list("images")) {
      place_ = "image " + std::to_string(number++);
      const int64_t id = whole(image, "id");
      if (!image.contains("file_name") || !image["file_name"].is_string()) fail("has no text 'file_name'");
      LabelledImage labelled{{.height = whole(image, "height"), .width = whole(image, "width")}, {}};
      if (labelled.size.height < 1 || labelled.size.width < 1 || labelled.size.height > kMaxPixels ||
          labelled.size.width > kMaxPixels)
        fail("has a size that no image has");
      const auto name = image["file_name"].get<std::string>();
      if (!names.emplace(id, name).second) fail("has the id of another");
      if (!labels_.images.emplace(name, std::move(labelled)).second) fail("has the name of another");
    }
    return names;
  }

  TruthBox box(const Json& annotation) const {
    TruthBox box;
    const std::vector<int64_t>& ids = *labels_.categories;
    const auto id = std::lower_bound(ids.begin(), ids.end(), whole(annotation, "category_id"));
    if (id == ids.end() || *id != whole(annotation, "category_id")) fail("is of no category of the file");
    box.label = static_cast<size_t>(id - ids.begin());
    box.crowd = annotation.contains("iscrowd") && whole(annotation, "iscrowd") != 0;
    double numbers[4] = {};
    const bool is_box =
        annotation.contains("bbox") && annotation["bbox"].is_array() && annotation["bbox"].size() == 4;
    for (size_t i = 0; is_box && i < 4; ++i)
      numbers[i] = annotation["bbox"][i].is_number() ? annotation["bbox"][i].get<double>() : NAN;
    if (!is_box || !std::all_of(numbers, numbers + 4, [](double x) { return std::isfinite(x); }) ||
        numbers[2] < 0 || numbers[3] < 0)
      fail("has no 'bbox' of x, y, width and height");
    box.x1 = numbers[0];
    box.y1 = numbers[1];
    box.x2 = numbers[0] + numbers[2];
    box.y2 = numbers[1] + numbers[3];
    return box;
  }

  const std::string& path_;
  const Json json_;
  CocoLabels labels_;
  std::string place_ = "the file";
};

/// Samples that are tensors are the labelled images themselves.
ImagePlacement placed(const ImageSize& image, const std::optional<Preprocess>& preprocess) {
  if (preprocess) return placement_of(image, *preprocess);
  return {.size = image};
}

std::shared_ptr<const Image> read_mask(const std::string& path) {
  try {
    return std::make_shared<const Image>(decode_indices(read_file(path)));
  } catch (const Error& error) {
    throw Error(ErrorKind::kInvalidArgument, "the mask '" + path + "' cannot be read: " + error.message());
  }
}

/// The mask of a sample; "" if it has none.
std::string mask_of(const std::string& directory, const std::string& sample) {
  for (const std::string& name : label_names_of(sample))
    if (const fs::path path = (fs::path(directory) / name).replace_extension(".png");
        fs::is_regular_file(path))
      return path.string();
  return "";
}

}  // namespace

LabelKind kind_of_labels(const std::string& path) {
  if (fs::is_directory(path)) return LabelKind::kMasks;
  if (!fs::is_regular_file(path)) return LabelKind::kClasses;  // a pipe is read but once
  const std::string text = read_text(path);
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string::npos && text[first] == '{' ? LabelKind::kBoxes : LabelKind::kClasses;
}

CocoLabels read_coco(const std::string& path) {
  return CocoReader(path).read();
}

std::function<std::shared_ptr<const Truth>(size_t sample)> read_truth(
    const std::string& path, LabelKind kind, const SampleSource& source,
    const std::optional<Preprocess>& preprocess) {
  std::function<std::shared_ptr<const Truth>(size_t)> truth;
  bool any = false;
  if (kind == LabelKind::kBoxes) {
    const auto labels = std::make_shared<const CocoLabels>(read_coco(path));
    const auto image_of = [labels, &source](size_t sample) -> const LabelledImage* {
      for (const std::string& name : label_names_of(source.name(sample)))
        if (const auto found = labels->images.find(name); found != labels->images.end())
          return &found->second;
      return nullptr;
    };
    truth = [=](size_t sample) -> std::shared_ptr<const Truth> {
      const LabelledImage* image = image_of(sample);
      if (image == nullptr) return nullptr;
      return std::make_shared<const Truth>(Truth{.boxes = image->boxes,
                                                 .categories = labels->categories,
                                                 .mask = nullptr,
                                                 .placement = placed(image->size, preprocess)});
    };
    for (size_t s = 0; s < source.count() && !any; ++s) any = image_of(s) != nullptr;
  } else {
    truth = [=, &source](size_t sample) -> std::shared_ptr<const Truth> {
      const std::string file = mask_of(path, source.name(sample));
      if (file.empty()) return nullptr;
      const std::shared_ptr<const Image> mask = read_mask(file);
      return std::make_shared<const Truth>(Truth{
          .mask = mask, .placement = placed({.height = mask->height, .width = mask->width}, preprocess)});
    };
    for (size_t s = 0; s < source.count() && !any; ++s) any = !mask_of(path, source.name(s)).empty();
  }
  if (!any)
    throw Error(ErrorKind::kInvalidArgument,
                "no sample has a label in '" + path + "': " +
                    (kind == LabelKind::kBoxes ? "'file_name' of its images is the name of a sample"
                                               : "it has no NAME.png for a sample of that name"));
  return truth;
}

}  // namespace quantize
