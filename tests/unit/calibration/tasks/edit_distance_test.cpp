#include <catch2/catch.hpp>

#include "calibration/tasks/edit_distance.h"

using namespace quantize;

TEST_CASE("Texts of CTC: equal classes collapse, the blank goes") {
  CHECK(decode_greedily({0, 1, 1, 0, 1, 2, 2, 0}, 0) == std::vector<int64_t>{1, 1, 2});
  CHECK(decode_greedily({0, 1, 1}, 2) == std::vector<int64_t>{0, 1});
  CHECK(decode_greedily({1, 1, 2}, std::nullopt) == std::vector<int64_t>{1, 1, 2});
  CHECK(decode_greedily({}, 0).empty());
}

TEST_CASE("The blank is the first or the last class, by what most positions say") {
  CHECK(likely_blank({0, 0, 5, 9}, 10) == 0);
  CHECK(likely_blank({9, 0, 5, 9}, 10) == 9);
  CHECK_FALSE(likely_blank({1, 5}, 10));
}

TEST_CASE("Edit distance: insertions, deletions, replacements") {
  const auto text = [](const std::string& letters) {
    return std::vector<int64_t>(letters.begin(), letters.end());
  };
  CHECK(edit_distance(text("kitten"), text("sitting")) == 3);
  CHECK(edit_distance(text("flaw"), text("lawn")) == 2);
  CHECK(edit_distance(text("abc"), text("")) == 3);
  CHECK(edit_distance(text("abc"), text("abc")) == 0);
}
