#include <catch2/catch.hpp>

#include "cli/option_checks.h"

using namespace quantize;

TEST_CASE("A real number is finite and within its range") {
  const OptionCheck percent = real_number(0, 100);
  for (const char* text : {"0", "100", "99.5", "1e1", "-0"}) CHECK(percent(text).empty());
  for (const char* text :
       {"nan", "-nan", "NaN", "inf", "-inf", "1e400", "-1", "100.1", "", " 1", "1 ", "0x10", "1,5", "ten"})
    CHECK(percent(text) == "'" + std::string(text) + "' is no number from 0 to 100");
}

TEST_CASE("A whole number has digits alone") {
  const OptionCheck check = whole_number(-3, 1000000000);
  for (const char* text : {"-3", "0", "1000000000"}) CHECK(check(text).empty());
  for (const char* text : {"-4", "1000000001", "99999999999999999999", "1.0", "1e3", "", "nan", "two", "3 "})
    CHECK(check(text) == "'" + std::string(text) + "' is no whole number from -3 to 1000000000");
}
