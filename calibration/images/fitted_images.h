// Decoded images, kept for the next pass over them.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "calibration/images/preprocess.h"

namespace quantize {

/// Keeps images as they were fitted to the model, 3 bytes a pixel, so that each is decoded once however many passes
/// there are: the first ones that come, as many as the budget holds. The others are decoded again. Thread-safe.
class FittedImages {
 public:
  /// `count` samples; `budget` in bytes.
  explicit FittedImages(size_t count, size_t budget = kKeptImageBytes);

  /// Image i, or nullptr.
  std::shared_ptr<const FittedImage> find(size_t i) const;
  /// Keeps image i if there is room for it.
  void keep(size_t i, std::shared_ptr<const FittedImage> image);

  static constexpr size_t kKeptImageBytes = size_t{128} << 20;  // 891 images of 224 x 224 in colour

 private:
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<const FittedImage>> images_;
  size_t left_;  // bytes
};

}  // namespace quantize
