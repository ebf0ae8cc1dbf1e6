// Merging statistics files.
#include "calibration/statistics/merge_statistics.h"

#include <catch2/catch.hpp>

#include "calibration/statistics/statistics_file.h"
#include "tests/support/temporary_folder.h"

using namespace quantize;
using Catch::Matchers::Contains;
using test::TemporaryFolder;

namespace {

/// Where the samples of a file come from.
struct Source {
  std::string model = "m", preprocessing = "p";
  uint64_t list = 1;
};

/// Writes statistics of the samples [begin, end) of a list of ten.
std::string write(const TemporaryFolder& folder, const std::string& name, uint64_t begin, uint64_t end,
                  const Source& source = {}) {
  const uint64_t list = source.list;
  StatisticsTable table;
  table.model = source.model;
  table.preprocessing = source.preprocessing;
  table.samples = end - begin;
  HeldList held{10, 5, {}};
  for (uint64_t p = begin; p < end; ++p) held.samples.push_back({p, 100 * list + p, 1000 * list + p});
  add_held(table.held, {{list, held}});
  save_statistics(table, folder.file(name));
  return folder.file(name);
}

struct Merged {
  StatisticsTable table;
  std::vector<std::string> warnings;
  std::string error;
};

Merged merge(const std::vector<std::string>& files) {
  Merged merged;
  Diagnostics diagnostics;
  try {
    merged.table = merge_statistics(files, diagnostics);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kCalibration);
    merged.error = error.what();
  }
  merged.warnings = diagnostics.warnings;
  return merged;
}

}  // namespace

TEST_CASE("samples that come again are refused, naming both files", "[held]") {
  const TemporaryFolder folder;
  const std::string whole = write(folder, "whole", 0, 10), copy = write(folder, "copy", 0, 10),
                    part = write(folder, "part", 2, 4), rest = write(folder, "rest", 4, 10);
  CHECK_THAT(merge({whole, copy}).error,
             Contains("copy' brings 10 of its 10 samples again") && Contains("whole'"));
  CHECK_THAT(merge({part, rest, whole}).error, Contains("whole' brings 2 of its 10") && Contains("part'"));
  CHECK_THAT(merge({rest, part, part}).error, Contains("part' brings 2 of its 2"));
}

TEST_CASE("an incomplete set of shards is added with a warning, a complete one without", "[held]") {
  const TemporaryFolder folder;
  const std::string a = write(folder, "a", 0, 2), b = write(folder, "b", 2, 4), c = write(folder, "c", 4, 10);
  const Merged two = merge({c, b});
  CHECK(two.table.samples == 8);
  REQUIRE(two.warnings.size() == 1);
  CHECK_THAT(two.warnings[0], Contains("shard 0/5 is missing"));
  const Merged three = merge({c, a, b});
  CHECK(three.warnings.empty());
  CHECK(three.table.samples == 10);
  save_statistics(two.table, folder.file("two"));
  CHECK(merge({folder.file("two"), a}).table == three.table);
  CHECK(three.table == load_statistics(write(folder, "whole", 0, 10)));
}

TEST_CASE("statistics of two folders are added without a word", "[held]") {
  const TemporaryFolder folder;
  const Merged both = merge({write(folder, "a", 0, 10), write(folder, "b", 0, 10, {"m", "p", 2})});
  CHECK(both.warnings.empty());
  CHECK(both.table.samples == 20);
}

TEST_CASE("the file that differs from most is named, whatever its place", "[held]") {
  const TemporaryFolder folder;
  const std::string a = write(folder, "a", 0, 2), b = write(folder, "b", 2, 4), c = write(folder, "c", 4, 6),
                    model = write(folder, "model", 6, 8, {"other", "p", 1}),
                    none = write(folder, "none", 6, 8, {"m", "", 1});
  for (const std::vector<std::string>& files : {std::vector{model, a, b}, std::vector{a, model, b, c},
                                                std::vector{a, b, model}, std::vector{a, model}})
    CHECK_THAT(merge(files).error, Contains("/model' is of another model than '") && Contains("/a'"));
  CHECK_THAT(merge({none, a, b}).error,
             Contains("/none' is of another preprocessing") && Contains("none (tensors)"));
}
