// Decoded images that are kept for the next pass.
#include "calibration/images/fitted_images.h"

#include <catch2/catch.hpp>

#include <filesystem>

#include "calibration/images/sample_source.h"
#include "tests/support/golden_images.h"
#include "tests/support/temporary_folder.h"

using namespace quantize;

namespace {

std::shared_ptr<const FittedImage> image_of(int64_t width) {
  return std::make_shared<const FittedImage>(FittedImage{make_image(width, 1, 3), 0, 0, {1, width}});
}

}  // namespace

TEST_CASE("FittedImages: the first that fit into the budget are kept") {
  FittedImages images(4, 30);
  CHECK(images.find(0) == nullptr);
  const auto six = image_of(6), five = image_of(5), four = image_of(4);
  images.keep(2, six);   // 18 bytes
  images.keep(0, five);  // 15: too large for what is left
  images.keep(1, four);  // 12
  images.keep(3, image_of(1));
  CHECK(images.find(2) == six);
  CHECK(images.find(0) == nullptr);
  CHECK(images.find(1) == four);
  CHECK(images.find(3) == nullptr);
  images.keep(2, five);  // is there already
  CHECK(images.find(2) == six);
}

TEST_CASE("A sample of images is decoded once") {
  const test::TemporaryFolder folder;
  std::filesystem::copy_file(test::golden_image("420.jpg"), folder.path() / "a.jpg");
  Value input;
  input.name = "x";
  input.dtype = DataType::kF32;
  input.shape = Shape{1, 3, 8, 8};
  SampleOptions options;
  options.path = folder.path().string();
  SampleSource source({input}, options, list_samples({input}, options),
                      preset("unit", image_input_of(input)));
  const auto first = source.load(0);
  REQUIRE(first);
  const HeldSamples held = source.held();
  std::filesystem::remove(folder.path() / "a.jpg");
  const auto again = source.load(0);
  REQUIRE(again);
  CHECK(again->at(0).to_vector<float>() == first->at(0).to_vector<float>());
  CHECK(source.held() == held);
}
