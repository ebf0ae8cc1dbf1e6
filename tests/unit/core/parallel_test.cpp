#include "core/parallel.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <vector>

#include "core/error.h"

using namespace quantize;

TEST_CASE("parallel_for does every item once and numbers its threads") {
  for (const int threads : {1, 2, 4, 100}) {
    std::vector<std::atomic<int>> done(57);
    std::atomic<int> highest{0};
    parallel_for(done.size(), threads, [&](size_t item, int thread) {
      ++done[item];
      int seen = highest;
      while (thread > seen && !highest.compare_exchange_weak(seen, thread)) {
      }
    });
    for (const auto& count : done) CHECK(count == 1);
    CHECK(highest < threads);
  }
  parallel_for(0, 4, [](size_t, int) { FAIL("there is no item"); });
}

TEST_CASE("an exception in a thread comes out with its message and ends the loop") {
  for (const int threads : {1, 3}) {
    std::atomic<int> begun{0};
    const auto run = [&] {
      parallel_for(100000, threads, [&](size_t item, int) {
        ++begun;
        if (item == 10) throw Error(ErrorKind::kIo, "item ten");
      });
    };
    CHECK_THROWS_WITH(run(), "item ten");
    CHECK(begun < 100000);
  }
}

TEST_CASE("several threads may fail at once") {
  CHECK_THROWS_AS(parallel_for(64, 4, [](size_t, int) { throw Error(ErrorKind::kInternal, "all"); }), Error);
}

TEST_CASE("there is always a thread") {
  CHECK(available_threads() >= 1);
}
