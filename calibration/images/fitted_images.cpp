#include "calibration/images/fitted_images.h"

namespace quantize {

FittedImages::FittedImages(size_t count, size_t budget) : images_(count), left_(budget) {}

std::shared_ptr<const FittedImage> FittedImages::find(size_t i) const {
  const std::lock_guard lock(mutex_);
  return images_[i];
}

void FittedImages::keep(size_t i, std::shared_ptr<const FittedImage> image) {
  const std::lock_guard lock(mutex_);
  const size_t bytes = image->image.pixels.size();
  if (images_[i] || bytes > left_) return;
  left_ -= bytes;
  images_[i] = std::move(image);
}

}  // namespace quantize
