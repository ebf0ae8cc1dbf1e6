// Labels of boxes and of pixels: COCO files and folders of masks.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "calibration/images/sample_source.h"
#include "calibration/tasks/truth.h"

namespace quantize {

/// Labels, by their kind.
enum class LabelKind { kClasses, kBoxes, kMasks };

/// A directory has masks; a file that begins with '{' is one of COCO; any other, and a pipe, has lines of classes.
/// Errors: Error(kIo) if a file cannot be read.
LabelKind kind_of_labels(const std::string& path);

/// The objects of one image of a COCO file.
struct LabelledImage {
  ImageSize size;
  std::vector<TruthBox> boxes;
};

/// A COCO file.
struct CocoLabels {
  std::shared_ptr<const std::vector<int64_t>> categories;  // their ids, ascending
  std::map<std::string, LabelledImage> images;             // by their file names
};

/// Reads `images` (id, file_name, width, height), `categories` (id) and `annotations` (image_id, category_id, bbox,
/// iscrowd). Errors: Error(kIo); Error(kInvalidArgument), naming what is wrong first.
CocoLabels read_coco(const std::string& path);

/// The labels of boxes or masks at `path`, by the number of the sample; nullptr for a sample that has none. Files of
/// masks are read when they are asked for: NAME.png for the sample NAME.jpg, below the directory at the same
/// place or at its top. `source` must outlive the result, which may be called from any thread.
/// Errors: those of read_coco; Error(kInvalidArgument) if no sample has a label, and later for a mask that cannot
/// be read or has another shape than its image.
std::function<std::shared_ptr<const Truth>(size_t sample)> read_truth(
    const std::string& path, LabelKind kind, const SampleSource& source,
    const std::optional<Preprocess>& preprocess);

}  // namespace quantize
