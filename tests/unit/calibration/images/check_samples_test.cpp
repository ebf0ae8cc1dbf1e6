// Telling whether statistics hold the samples at hand.
#include "calibration/images/check_samples.h"

#include <catch2/catch.hpp>

#include "calibration/images/preprocess_file.h"
#include "core/error.h"
#include "tests/support/temporary_folder.h"

using namespace quantize;
using Catch::Matchers::Contains;
using test::TemporaryFolder;
using test::write_text;

namespace {

const std::vector<Value> kInput = {{"x", DataType::kF32, Shape{kUnknownDim, 3, 8, 8}, {}, {}, {}}};

/// An image of one pixel.
void write_image(const TemporaryFolder& folder, int i, int level) {
  write_text(folder.file(std::to_string(i) + ".ppm"),
             "P6 1 1 255\n" + std::string(3, static_cast<char>(level)));
}

SampleSource open(const TemporaryFolder& folder, std::optional<size_t> samples = {}, size_t shard = 0,
                  size_t shards = 1) {
  SampleOptions options;
  options.path = folder.path().string();
  options.samples = samples;
  options.shard = shard;
  options.shards = shards;
  return SampleSource(kInput, options, list_samples(kInput, options),
                      {{"x", preset("unit", image_input_of(kInput[0]))}});
}

HeldSamples held_by(SampleSource source) {
  for (size_t i = 0; i < source.count(); ++i) source.load(i);
  return source.held();
}

std::string complaint(const HeldSamples& held, const SampleSource& source) {
  try {
    check_samples(held, source);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kCalibration);
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("statistics of a range hold the samples of this range, as a shard's do", "[held]") {
  const TemporaryFolder folder;
  for (int i = 0; i < 7; ++i) write_image(folder, i, i);
  SampleSource whole = open(folder);
  for (size_t i = 0; i < whole.count(); ++i) whole.load(i);
  for (size_t part = 0; part < 3; ++part) {
    const SampleRange range = range_of_part(7, 1, part, 3);
    CHECK(whole.held(range) == held_by(open(folder, {}, part, 3)));
    CHECK_NOTHROW(check_samples(whole.held(range), whole, range));
    CHECK_THROWS_AS(check_samples(whole.held(range), whole, range_of_part(7, 1, (part + 1) % 3, 3)), Error);
    CHECK_THROWS_AS(check_samples(whole.held(range), whole), Error);
  }
}

TEST_CASE("the same samples are recognized without decoding, wherever they are", "[held]") {
  const TemporaryFolder folder, copy;
  for (int i = 0; i < 6; ++i) {
    write_image(folder, i, i);
    write_image(copy, i, i);
  }
  const HeldSamples held = held_by(open(folder));
  CHECK(complaint(held, open(folder)).empty());
  CHECK(complaint(held, open(copy)).empty());
  HeldSamples merged;
  for (size_t shard = 0; shard < 4; ++shard) add_held(merged, held_by(open(folder, {}, shard, 4)));
  CHECK(merged == held);
  CHECK(complaint(held_by(open(folder, {}, 1, 2)), open(folder, {}, 1, 2)).empty());
}

TEST_CASE("what differs is named", "[held]") {
  const TemporaryFolder folder;
  for (int i = 0; i < 6; ++i) write_image(folder, i, i);
  const HeldSamples held = held_by(open(folder));
  CHECK_THAT(complaint(held, open(folder, 3)), Contains("they hold 6, and 3 are asked for"));
  CHECK_THAT(complaint(held, open(folder, {}, 0, 2)), Contains("they hold 6, and 3 are asked for"));
  CHECK_THAT(complaint(held_by(open(folder, {}, 0, 2)), open(folder)), Contains("'3.ppm' is not among them"));
  CHECK_THAT(complaint({}, open(folder)), Contains("'0.ppm' is not among them"));
  write_image(folder, 4, 40);
  CHECK_THAT(complaint(held, open(folder)), Contains("'4.ppm' has changed since"));
  write_text(folder.file("4.ppm"), "P6 1 1 255\n    ");
  CHECK_THAT(complaint(held, open(folder)), Contains("'4.ppm' has changed since"));
  write_image(folder, 4, 4);
  write_image(folder, 6, 6);
  CHECK_THAT(complaint(held, open(folder)), Contains("'6.ppm' is not among them"));
}

TEST_CASE("statistics of more folders serve each of them", "[held]") {
  const TemporaryFolder one, other;
  for (int i = 0; i < 3; ++i) {
    write_image(one, i, i);
    write_image(other, i + 1, i + 100);
  }
  HeldSamples both = held_by(open(one));
  add_held(both, held_by(open(other)));
  CHECK(complaint(both, open(one)).empty());
  CHECK(complaint(both, open(other)).empty());
}

TEST_CASE("an image that could not be used has no content", "[held]") {
  const TemporaryFolder folder;
  for (int i = 0; i < 3; ++i) write_image(folder, i, i);
  write_text(folder.file("1.ppm"), "no image");
  const HeldSamples held = held_by(open(folder));
  CHECK(held.begin()->second.samples[1].content == 0);
  CHECK(complaint(held, open(folder)).empty());
}
