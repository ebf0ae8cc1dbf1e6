#include "calibration/images/fitted_images.h"

#include <algorithm>

namespace quantize {

namespace {

constexpr size_t kBlockBytes = size_t{8} << 20;

}  // namespace

FittedImages::FittedImages(size_t count, size_t budget) : images_(count), left_(budget) {}

std::optional<FittedImage> FittedImages::find(size_t i) const {
  std::optional<Kept> kept;
  {
    const std::lock_guard lock(mutex_);
    kept = images_[i];
  }
  if (!kept) return std::nullopt;
  kept->frame.image.pixels.assign(kept->pixels, kept->pixels + kept->bytes);
  return std::move(kept->frame);
}

void FittedImages::keep(size_t i, const FittedImage& image) {
  const std::vector<uint8_t>& pixels = image.image.pixels;
  const std::lock_guard lock(mutex_);
  if (images_[i] || pixels.size() > left_) return;
  left_ -= pixels.size();
  uint8_t* place = take(pixels.size());
  std::copy(pixels.begin(), pixels.end(), place);
  FittedImage frame{
      {image.image.width, image.image.height, image.image.channels, {}}, image.left, image.top, image.size};
  images_[i] = Kept{std::move(frame), place, pixels.size()};
}

/// Room in the last block, or in a new one. An image larger than a block gets one of its own.
uint8_t* FittedImages::take(size_t bytes) {
  if (bytes > left_in_block_) {
    left_in_block_ = std::max(bytes, kBlockBytes);
    blocks_.push_back(std::make_unique_for_overwrite<uint8_t[]>(left_in_block_));
  }
  left_in_block_ -= bytes;
  return blocks_.back().get() + left_in_block_;
}

}  // namespace quantize
