#include <catch2/catch.hpp>

#include "cli/max_memory.h"
#include "core/error.h"

using namespace quantize;

TEST_CASE("a size is a number of bytes, or of K, M or G of them") {
  CHECK(parse_size("800000") == 800000);
  CHECK(parse_size("1K") == 1024);
  CHECK(parse_size("512M") == 512u << 20);
  CHECK(parse_size("1.5G") == 3u << 29);
  for (const char* wrong :
       {"", "0", "-1", "nan", "inf", "1T", "1 G", "G", "1GB", "0x10", "1e3", "99999999999G"})
    CHECK_THROWS_AS(parse_size(wrong), Error);
}

TEST_CASE("what is needed beyond the limit is refused, the limit itself is not") {
  CHECK_NOTHROW(check_needed(5, 5));
  CHECK_THROWS_WITH(check_needed(3u << 20, 1u << 20),
                    Catch::Contains("3.0 MiB") && Catch::Contains("1.0 MiB of --max-memory"));
  CHECK(max_memory("1G") == 1u << 30);
  CHECK(max_memory("") == machine_memory() / 4 * 3);
  CHECK(machine_memory() > 1u << 20);
}
