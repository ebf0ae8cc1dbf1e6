// Decoded images, kept for the next pass over them.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "calibration/images/preprocess.h"

namespace quantize {

/// Keeps images as they were fitted to the model, 3 bytes a pixel, so that several passes decode each once: the
/// first ones that come, as many as the budget holds. The others are decoded again. Thread-safe.
class FittedImages {
 public:
  /// `count` samples; `budget` in bytes.
  FittedImages(size_t count, size_t budget);

  /// A copy of image i, or nothing.
  std::optional<FittedImage> find(size_t i) const;
  /// Keeps a copy of image i if there is room for it.
  void keep(size_t i, const FittedImage& image);

 private:
  struct Kept {
    FittedImage frame;  // without its pixels
    const uint8_t* pixels = nullptr;
    size_t bytes = 0;
  };
  uint8_t* take(size_t bytes);

  mutable std::mutex mutex_;
  std::vector<std::optional<Kept>> images_;
  size_t left_;  // of the budget, in bytes
  /// Pixels lie side by side in blocks. As vectors of their own, between the memory that decoding takes and gives
  /// back, 256 photographs of 224 x 224 took 145 MB (peak of MobileNetV2 with them less that without); in blocks 42.
  std::vector<std::unique_ptr<uint8_t[]>> blocks_;
  size_t left_in_block_ = 0;
};

}  // namespace quantize
