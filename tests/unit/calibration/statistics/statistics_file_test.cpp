// The statistics file: round trips, and refusals of everything else.
#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "calibration/images/hash.h"
#include "calibration/statistics/statistics_file.h"
#include "core/error.h"
#include "tests/support/graph_builder.h"
#include "tests/unit/calibration/statistics/statistics_support.h"

using namespace quantize;

namespace {

StatisticsTable sample_table() {
  StatisticsTable table;
  table.model = "0123456789abcdef";
  table.preprocessing = "{\"color\": \"rgb\"}";
  table.samples = 3;
  table.held[3] = {20, 7, {{2, 11, 12}, {2, 13, 0}, {19, UINT64_MAX, 1}}};
  table.held[UINT64_MAX] = {1, 1, {{0, 1, 2}}};
  table.held[5] = {4, 1, {}};
  table.values["two-sided"] = test::statistics_of(
      {test::random_tensor({1, 3, 4, 4}, 1, -5, 3), test::random_tensor({1, 3, 4, 4}, 2, -1e-3f, 7)});
  table.values["channels last"] = test::statistics_of({test::random_tensor({1, 4, 4, 3}, 1)}, 3);
  table.values["positive"] = test::statistics_of({test::random_tensor({2, 5}, 3, 0, 1)});
  table.values["zero"] = test::statistics_of({test::row({0, 0})});
  table.values["varying"] =
      test::statistics_of({test::random_tensor({1, 2}, 1), test::random_tensor({1, 3}, 1)});
  table.values["nan"].non_finite = 5;
  table.values["never seen"];
  TapStatistics& taps = table.taps["conv"];
  taps.taps = 2;
  taps.samples = 2;
  taps.mean_sums.resize(4);
  taps.mean_sums[1].add(-1.25);
  taps.mean_sums[3].add(1e6);
  table.taps["unused"];
  return table;
}

/// The bytes with a checksum that fits them: what a hostile file would have.
std::string sealed(std::string bytes) {
  Hash hash;
  hash.add_text(std::string_view(bytes).substr(0, bytes.size() - 8));
  for (size_t i = 0; i < 8; ++i)
    bytes[bytes.size() - 8 + i] = static_cast<char>(hash.value() >> (8 * i) & 255);
  return bytes;
}

std::string temporary_path(const char* name) {
  return (std::filesystem::temp_directory_path() / (std::string("quantize_test_") + name)).string();
}

}  // namespace

TEST_CASE("Statistics come back from the file as they were") {
  const StatisticsTable table = sample_table();
  CHECK(decode_statistics(encode_statistics(table)) == table);
  CHECK(decode_statistics(encode_statistics(StatisticsTable())) == StatisticsTable());
  const std::string path = temporary_path("round_trip.stats");
  save_statistics(table, path);
  CHECK(load_statistics(path) == table);
  std::remove(path.c_str());
}

TEST_CASE("A file that is cut off anywhere is refused") {
  const std::string bytes = encode_statistics(sample_table());
  for (size_t size = 0; size < bytes.size(); ++size)
    CHECK_THROWS_AS(decode_statistics(std::string_view(bytes).substr(0, size)), Error);
}

TEST_CASE("A file with any bit flipped is refused") {
  const std::string bytes = encode_statistics(sample_table());
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << i % 8));
    CHECK_THROWS_AS(decode_statistics(damaged), Error);
  }
}

TEST_CASE("A hostile file is refused or read, but never believed blindly") {
  const std::string bytes = encode_statistics(sample_table());
  std::mt19937 random(1);
  size_t refused = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string damaged = bytes;
    const size_t hits = 1 + random() % 3;
    for (size_t h = 0; h < hits; ++h)
      damaged[24 + random() % (bytes.size() - 32)] = static_cast<char>(random());
    if (random() % 4 == 0) damaged.erase(24 + random() % (bytes.size() - 32), 1 + random() % 7);
    try {
      const StatisticsTable table = decode_statistics(sealed(damaged));
      missing_samples(table.held);
      HeldIndex index;
      index.add(table.held);
      CHECK(index.overlaps(table.held)[0].alike == 0);
      for (const auto& [name, value] : table.values) {
        CHECK((value.samples == 0 || value.histogram.total() >= value.samples));
        CHECK((value.channel_axis == 0 || !value.channels.empty()));
        CHECK(value.channel_axis < 64);
      }
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kCalibration);
      ++refused;
    }
  }
  CHECK(refused > 1000);
}

TEST_CASE("A size beyond the file is refused before memory is taken") {
  std::string bytes = encode_statistics(StatisticsTable());
  bytes.insert(24, "\xff\xff\xff\xff\xff\xff\xff\x7f");
  CHECK_THROWS_WITH(decode_statistics(sealed(bytes)), Catch::Contains("damaged"));
}

TEST_CASE("What is no statistics file is told apart from a damaged one") {
  CHECK_THROWS_WITH(decode_statistics("ONNX"), Catch::Contains("no statistics file"));
  CHECK_THROWS_WITH(decode_statistics(""), Catch::Contains("no statistics file"));
  std::string newer = encode_statistics(sample_table());
  newer[20] = 99;
  CHECK_THROWS_WITH(decode_statistics(newer), Catch::Contains("version 99"));
}

TEST_CASE("A file that cannot be read is an I/O error with its path") {
  for (const std::string path : {"/nonexistent/statistics", "/"}) {
    try {
      load_statistics(path);
      FAIL("read " + path);
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kIo);
      CHECK_THAT(error.what(), Catch::Contains("'" + path + "'"));
    }
  }
}

TEST_CASE("A file that is refused is named") {
  const std::string path = temporary_path("refused.stats");
  std::ofstream(path) << "something else";
  CHECK_THROWS_WITH(load_statistics(path), Catch::StartsWith(path) && Catch::Contains("no statistics file"));
  std::remove(path.c_str());
}
