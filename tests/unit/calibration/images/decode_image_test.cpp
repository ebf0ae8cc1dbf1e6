// Decoding: the pixels that Pillow reads, and errors for everything else.
#include "calibration/images/decode_image.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <random>

#include "calibration/images/image_formats.h"
#include "core/error.h"
#include "tests/support/golden_images.h"

using namespace quantize;
using test::golden_image;
using test::max_difference;
using test::read_golden;

namespace {

std::vector<uint8_t> to_bytes(const std::string& text) {
  return {text.begin(), text.end()};
}

std::string reason_of(std::span<const uint8_t> bytes) {
  try {
    decode_image(bytes);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kCalibration);
    return error.message();
  }
  return "";
}

/// Puts a big-endian number into a file.
void put_u32(std::vector<uint8_t>& bytes, size_t at, uint32_t value) {
  for (size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<uint8_t>(value >> (24 - 8 * i));
}

/// decode_image must return a sound image or throw Error, whatever the bytes.
bool decodes(std::span<const uint8_t> bytes) {
  try {
    const Image image = decode_image(bytes);
    return image.pixels.size() == static_cast<size_t>(image.width * image.height * image.channels);
  } catch (const Error&) {
    return true;
  }
}

}  // namespace

TEST_CASE("every kind of image decodes to Pillow's pixels", "[decode_image]") {
  const auto expected = open_npz(golden_image("decoded.npz"));
  REQUIRE(expected.size() == 33);
  for (const auto& [name, pixels] : expected) {
    INFO(name);
    CHECK(max_difference(read_golden(name), test::to_image(pixels.all())) == 0);
  }
}

TEST_CASE("text PNM reads as the binary form does", "[decode_image]") {
  const Image gray = decode_image(to_bytes("P2 # comment\n3 1\n# another\n10\n0 5 10\n"));
  CHECK(gray.channels == 1);
  CHECK(gray.pixels == std::vector<uint8_t>{0, 128, 255});
  const Image color = decode_image(to_bytes("P3 1 2 255 1 2 3 4 5 6"));
  CHECK(color.pixels == std::vector<uint8_t>{1, 2, 3, 4, 5, 6});
  const Image wide = decode_image(to_bytes(std::string("P5 2 1 65535\n\xff\xff\x80\x80", 17)));
  CHECK(wide.pixels == std::vector<uint8_t>{255, 128});
}

TEST_CASE("a 1x1 image decodes", "[decode_image]") {
  CHECK(decode_image(to_bytes("P6 1 1 255\nabc")).pixels == std::vector<uint8_t>{'a', 'b', 'c'});
}

TEST_CASE("what is no image is refused in one sentence", "[decode_image]") {
  CHECK(reason_of({}) == "the file is empty");
  CHECK(reason_of(to_bytes("a shopping list\n")).find("is no JPEG, PNG, BMP") != std::string::npos);
  CHECK(reason_of(to_bytes("P5 3 x 255\n")).find("no number") != std::string::npos);
  CHECK(reason_of(to_bytes("P5 2 2 70000\nabcd")).find("maxval 70000") != std::string::npos);
  CHECK(reason_of(to_bytes("P5 0 2 255\n")).find("nothing to read") != std::string::npos);
}

TEST_CASE("a header that claims too many pixels is refused before memory is taken", "[decode_image]") {
  std::vector<uint8_t> png = read_file(golden_image("picture.png"));
  put_u32(png, 16, 30000);
  put_u32(png, 20, 30000);
  put_u32(png, 29, 0xe9456fed);  // the CRC of that header
  CHECK(reason_of(png) ==
        "the image has 30000 x 30000 pixels, more than the limit of 100 megapixels: shrink it first");
  CHECK(reason_of(to_bytes("P6 30000 30000 255\n")).find("100 megapixels") != std::string::npos);
  CHECK_THROWS_AS(check_image_size(int64_t{1} << 62, int64_t{1} << 62), Error);
}

TEST_CASE("every image is refused when it is cut off anywhere", "[decode_image]") {
  for (const char* name : {"420.jpg", "progressive.jpg", "cmyk.jpg", "picture.png", "palette.png", "rgb.bmp",
                           "palette.bmp", "rgb.ppm", "lossy.webp", "lossless.webp"}) {
    const std::vector<uint8_t> bytes = read_file(golden_image(name));
    // The last chunk of a PNG and the marker at a JPEG's end carry no pixels, but their absence is noticed.
    for (size_t size = 0; size < bytes.size() - 2; size += 1 + bytes.size() / 150) {
      INFO(name << " cut to " << size << " of " << bytes.size() << " bytes");
      CHECK_FALSE(reason_of(std::span(bytes).first(size)).empty());
    }
  }
}

TEST_CASE("random damage never gets past an Error", "[decode_image]") {
  std::mt19937 random(1);
  const auto below = [&](size_t limit) { return random() % limit; };
  for (const char* name :
       {"420.jpg", "progressive.jpg", "cmyk.jpg", "orientation_6.jpg", "picture.png", "palette.png",
        "gray_16_bit.png", "rgb.bmp", "palette.bmp", "rgba.bmp", "rgb.ppm", "lossy.webp"}) {
    const std::vector<uint8_t> bytes = read_file(golden_image(name));
    for (int round = 0; round < 200; ++round) {
      std::vector<uint8_t> damaged = bytes;
      // Half of the damage hits the header, where it does most.
      const size_t reach = round % 2 == 0 ? std::min<size_t>(damaged.size(), 64) : damaged.size();
      for (size_t hits = 1 + below(4); hits > 0; --hits)
        damaged[below(reach)] = static_cast<uint8_t>(random());
      if (round % 5 == 0) damaged.resize(below(damaged.size()));
      INFO(name << ", round " << round);
      CHECK(decodes(damaged));
    }
  }
}

TEST_CASE("an EXIF orientation is read in both byte orders, and only where it is sound", "[decode_image]") {
  const auto block = [](const char* tiff, size_t size) {
    return to_bytes(std::string("Exif\0\0", 6) + std::string(tiff, size));
  };
  const auto little = block("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0", 22);
  const auto big = block("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0", 22);
  CHECK(exif_orientation(little) == 6);
  CHECK(exif_orientation(big) == 8);
  for (size_t size = 0; size < little.size(); ++size)
    CHECK(exif_orientation(std::span(little).first(size)) == 1);
  CHECK(exif_orientation(block("II*\0\xff\xff\xff\xff\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0", 22)) == 1);
  CHECK(exif_orientation(block("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x09\0\0\0", 22)) == 1);
}

TEST_CASE("grey is ITU-R 601 luma in integers", "[image]") {
  const Image rgb{4, 1, 3, {255, 0, 0, 0, 255, 0, 0, 0, 255, 7, 7, 7}};
  CHECK(to_gray(rgb).pixels == std::vector<uint8_t>{76, 150, 29, 7});
}

TEST_CASE("numbers of a PNG stay as they are; colours and other files are refused") {
  const Image indices = decode_indices(read_file(golden_image("palette.png")));
  const Image colours = decode_image(read_file(golden_image("palette.png")));
  CHECK(indices.channels == 1);
  CHECK(indices.width == colours.width);
  // Equal numbers stand for equal colours.
  for (int64_t x = 1; x < indices.width; ++x)
    if (indices.row(0)[x] == indices.row(0)[0])
      CHECK(std::memcmp(colours.row(0) + x * colours.channels, colours.row(0),
                        static_cast<size_t>(colours.channels)) == 0);
  CHECK_THROWS_WITH(decode_indices(read_file(golden_image("picture.png"))), Catch::Contains("colours"));
  CHECK_THROWS_WITH(decode_indices(read_file(golden_image("gray_16_bit.png"))), Catch::Contains("of 8 bits"));
  CHECK_THROWS_WITH(decode_indices(read_file(golden_image("rgb.ppm"))), Catch::Contains("no PNG"));
  const std::vector<uint8_t> whole = read_file(golden_image("palette.png"));
  CHECK_THROWS_AS(decode_indices(std::span(whole).first(whole.size() / 2)), Error);
}
