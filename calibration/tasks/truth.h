// The labels of a sample: what its outputs should say.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "calibration/images/preprocess.h"
#include "calibration/tasks/boxes.h"

namespace quantize {

/// A labelled object, in pixels of its image. The label is a place in the list of categories.
struct TruthBox : Box {
  bool crowd = false;  // many objects: boxes inside it are neither right nor wrong
};

/// Labels of one sample.
struct Truth {
  std::optional<std::vector<TruthBox>> boxes = {};
  std::shared_ptr<const std::vector<int64_t>> categories = {};  // their ids, ascending; set where boxes are
  std::shared_ptr<const Image> mask = {};  // a class for every pixel, kNoClass for none; nullptr: none
  ImagePlacement placement = {};           // of the labelled image in the network's input

  static constexpr uint8_t kNoClass = 255;
};

}  // namespace quantize
