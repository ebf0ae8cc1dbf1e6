// Resizing: Pillow's pixels, and windows that are parts of the whole.
#include "calibration/images/resize.h"

#include <catch2/catch.hpp>
#include <map>

#include "core/error.h"
#include "tests/support/golden_images.h"

using namespace quantize;
using test::max_difference;
using test::read_golden;

namespace {

const std::map<std::string, Interpolation> kFilters = {{"nearest", Interpolation::kNearest},
                                                       {"bilinear", Interpolation::kBilinear},
                                                       {"bicubic", Interpolation::kBicubic},
                                                       {"lanczos", Interpolation::kLanczos}};

Image resize_whole(const Image& image, int64_t width, int64_t height, Interpolation filter,
                   bool antialias = true) {
  return resize(image, width, height, filter, antialias, {0, 0, width, height});
}

Image cut(const Image& image, const Region& region) {
  Image part = make_image(region.width, region.height, image.channels);
  for (int64_t y = 0; y < region.height; ++y) {
    std::copy_n(image.row(region.top + y) + region.left * image.channels, region.width * image.channels,
                part.row(y));
  }
  return part;
}

}  // namespace

TEST_CASE("all filters make Pillow's pixels", "[resize]") {
  const Image picture = read_golden("picture.png");
  const auto expected = open_npz(test::golden_image("resized.npz"));
  REQUIRE(expected.size() == 24);
  for (const auto& [name, pixels] : expected) {
    INFO(name);
    const Image golden = test::to_image(pixels.all());
    const Interpolation filter = kFilters.at(name.substr(0, name.find('_')));
    CHECK(max_difference(resize_whole(picture, golden.width, golden.height, filter), golden) <= 1);
  }
}

TEST_CASE("a grey image resizes as each channel of a colour one", "[resize]") {
  const Image gray = read_golden("gray.png");
  Image color = make_image(gray.width, gray.height, 3);
  for (size_t i = 0; i < color.pixels.size(); ++i) color.pixels[i] = gray.pixels[i / 3];
  for (const auto& [name, filter] : kFilters) {
    INFO(name);
    CHECK(max_difference(to_gray(resize_whole(color, 21, 40, filter)), resize_whole(gray, 21, 40, filter)) ==
          0);
  }
}

TEST_CASE("a region is that part of the whole", "[resize]") {
  const Image picture = read_golden("picture.png");
  for (const auto& [name, filter] : kFilters) {
    for (const bool antialias : {true, false}) {
      for (const auto& [width, height] : {std::pair<int64_t, int64_t>{20, 15}, {50, 70}, {37, 29}}) {
        INFO(name << " to " << width << "x" << height << (antialias ? "" : " without antialiasing"));
        const Region region{3, 2, width - 7, height - 9};
        CHECK(max_difference(resize(picture, width, height, filter, antialias, region),
                             cut(resize_whole(picture, width, height, filter, antialias), region)) == 0);
      }
    }
  }
}

TEST_CASE("without antialiasing a filter only samples", "[resize]") {
  const Image stripes{8, 1, 1, {0, 0, 0, 200, 0, 0, 0, 0}};
  CHECK(resize_whole(stripes, 2, 1, Interpolation::kBilinear, false).pixels == std::vector<uint8_t>{0, 0});
  CHECK(resize_whole(stripes, 2, 1, Interpolation::kBilinear, true).pixels[0] > 0);
  const Image step{2, 1, 1, {0, 100}};
  CHECK(resize_whole(step, 4, 1, Interpolation::kBilinear, false).pixels ==
        std::vector<uint8_t>{0, 25, 75, 100});
}

TEST_CASE("an image of equal pixels stays one, whatever the filter and size", "[resize]") {
  Image flat = make_image(5, 7, 3);
  std::fill(flat.pixels.begin(), flat.pixels.end(), uint8_t{201});
  for (const auto& [name, filter] : kFilters) {
    for (const int64_t side : {1, 3, 64}) {
      const Image result = resize_whole(flat, side, side, filter);
      CHECK(std::all_of(result.pixels.begin(), result.pixels.end(),
                        [](uint8_t pixel) { return pixel == 201; }));
    }
  }
}

TEST_CASE("a small part of an enormous image costs little, and an enormous part is refused", "[resize]") {
  const Image line{200, 1, 1, std::vector<uint8_t>(200, 9)};
  const Region center{100'000'000 - 5, 500'000, 10, 10};
  CHECK(resize(line, 200'000'000, 1'000'000, Interpolation::kBilinear, true, center).pixels ==
        std::vector<uint8_t>(100, 9));
  CHECK_THROWS_AS(resize_whole(line, 200'000'000, 1'000'000, Interpolation::kBilinear), Error);
}
