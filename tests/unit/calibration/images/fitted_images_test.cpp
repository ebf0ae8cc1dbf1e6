// Decoded images that are kept for the next pass.
#include "calibration/images/fitted_images.h"

#include <catch2/catch.hpp>

#include <filesystem>

#include "calibration/images/sample_source.h"
#include "tests/support/golden_images.h"
#include "tests/support/temporary_folder.h"

using namespace quantize;

namespace {

FittedImage image_of(int64_t width) {
  return {make_image(width, 1, 3), 0, 0, {1, width}};
}

}  // namespace

TEST_CASE("FittedImages: the first that fit into the budget are kept") {
  FittedImages images(4, 30);
  CHECK(!images.find(0));
  images.keep(2, image_of(6));  // 18 bytes
  images.keep(0, image_of(5));  // 15: too large for what is left
  images.keep(1, image_of(4));  // 12
  images.keep(3, image_of(1));
  REQUIRE(images.find(2));
  CHECK(images.find(2)->size.width == 6);
  CHECK(!images.find(0));
  REQUIRE(images.find(1));
  CHECK(images.find(1)->size.width == 4);
  CHECK(!images.find(3));
  images.keep(2, image_of(5));  // is there already
  CHECK(images.find(2)->size.width == 6);
}

TEST_CASE("A sample of images is decoded once where images are kept") {
  const test::TemporaryFolder folder;
  std::filesystem::copy_file(test::golden_image("420.jpg"), folder.path() / "a.jpg");
  Value input;
  input.name = "x";
  input.dtype = DataType::kF32;
  input.shape = Shape{1, 3, 8, 8};
  SampleOptions options;
  options.path = folder.path().string();
  options.kept_image_bytes = 1000;
  SampleSource source({input}, options, list_samples({input}, options),
                      {{"x", preset("unit", image_input_of(input))}});
  const auto first = source.load(0);
  REQUIRE(first);
  const HeldSamples held = source.held();
  std::filesystem::remove(folder.path() / "a.jpg");
  const auto again = source.load(0);
  REQUIRE(again);
  CHECK(again->at(0).to_vector<float>() == first->at(0).to_vector<float>());
  CHECK(source.held() == held);
}

TEST_CASE("FittedImages: an image comes back as it was, also one larger than a block") {
  FittedImages images(3, size_t{16} << 20);
  FittedImage large{make_image(2000, 1500, 3), 3, -2, {1400, 1700}}, small = image_of(5);
  for (size_t k = 0; k < large.image.pixels.size(); ++k)
    large.image.pixels[k] = static_cast<uint8_t>(k % 251);
  small.image.pixels[14] = 7;
  images.keep(1, small);
  images.keep(0, large);
  images.keep(2, small);
  for (const auto& [i, image] :
       {std::pair{size_t{0}, large}, std::pair{size_t{1}, small}, std::pair{size_t{2}, small}}) {
    const std::optional<FittedImage> found = images.find(i);
    REQUIRE(found);
    CHECK(found->image.pixels == image.image.pixels);
    CHECK(found->image.width == image.image.width);
    CHECK(found->left == image.left);
    CHECK(found->size.height == image.size.height);
  }
}
