// The fuzz targets on the inputs that were found to break them once, on inputs of nothing, and on pseudo-random bytes.
#include <catch2/catch.hpp>
#include <filesystem>
#include <random>

#include "tests/fuzz/fuzz_target.h"
#include "tests/support/temporary_folder.h"

using namespace quantize::test;

TEST_CASE("fuzz targets refuse or read what broke them once", "[fuzz]") {
  const std::filesystem::path folder = std::string(QUANTIZE_TEST_DATA) + "/fuzz/regressions";
  for (const FuzzTarget& target : fuzz_targets()) {
    if (!std::filesystem::exists(folder / target.name)) continue;
    for (const auto& entry : std::filesystem::directory_iterator(folder / target.name)) {
      INFO(entry.path().string());
      const std::string bytes = read_text(entry.path().string());
      CHECK_NOTHROW(run_fuzz_target(target, {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}));
    }
  }
}

TEST_CASE("fuzz targets refuse or read random bytes", "[fuzz]") {
  std::mt19937 random(5);
  for (const FuzzTarget& target : fuzz_targets())
    for (size_t length = 0; length < 40; ++length) {
      INFO(target.name << ", " << length << " bytes");
      std::vector<uint8_t> bytes(length);
      for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
      CHECK_NOTHROW(run_fuzz_target(target, bytes));
    }
}
