#include "core/parallel.h"

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

#include "core/error.h"
#include "core/interrupt.h"

using namespace quantize;

namespace {

/// Steps of different numbers of chunks that write down who was when.
struct Recorder {
  explicit Recorder(std::vector<size_t> chunks_per_step)
      : sizes(std::move(chunks_per_step)), done(sizes.size()), finished(sizes.size()) {
    for (size_t s = 0; s < sizes.size(); ++s) done[s] = std::vector<std::atomic<int>>(sizes[s]);
  }

  size_t chunks(size_t step) const { return sizes[step]; }
  void run(size_t step, size_t begin, size_t end, int thread) const {
    if (step > 0 && finished[step - 1] != 1) ++out_of_order;
    if (finished[step] != 0 || begin >= end) ++out_of_order;
    int seen = highest;
    while (thread > seen && !highest.compare_exchange_weak(seen, thread)) {
    }
    for (size_t i = begin; i < end; ++i) ++done[step][i];
    if (begin == 0) ++plain[step % plain.size()];
  }
  void finish(size_t step) const {
    for (const auto& count : done[step])
      if (count != 1) ++out_of_order;
    ++finished[step];
  }

  std::vector<size_t> sizes;
  mutable std::vector<std::vector<std::atomic<int>>> done;
  mutable std::vector<std::atomic<int>> finished;
  mutable std::array<int, 3> plain{};  // written without care: the order of the steps makes that right
  mutable std::atomic<int> out_of_order{0}, highest{0};
};

/// Fails in one chunk of a step, or behind the step.
struct Failing {
  size_t chunks(size_t) const { return 5; }
  void run(size_t step, size_t begin, size_t end, int) const {
    begun += end - begin;
    if (!in_finish && step == 7 && begin <= 3 && 3 < end) throw Error(ErrorKind::kIo, "step seven");
  }
  void finish(size_t step) const {
    if (in_finish && step == 7) throw Error(ErrorKind::kIo, "step seven");
  }
  bool in_finish;
  mutable std::atomic<size_t> begun{0};
};

}  // namespace

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
    constexpr size_t kEndless = size_t{1} << 40;  // whoever is put aside, no other thread gets there
    std::atomic<size_t> begun{0};
    const auto run = [&] {
      parallel_for(kEndless, threads, [&](size_t item, int) {
        ++begun;
        if (item == 10) throw Error(ErrorKind::kIo, "item ten");
      });
    };
    CHECK_THROWS_WITH(run(), "item ten");
    CHECK(begun < kEndless);
  }
}

TEST_CASE("loops within loops, and loops of several threads at once, do every item once") {
  std::atomic<size_t> done{0};
  const auto loop = [&] {
    parallel_for(20, 3, [&](size_t, int) { parallel_for(10, 4, [&](size_t, int) { ++done; }); });
  };
  std::thread other(loop);
  loop();
  other.join();
  CHECK(done == 400);
}

TEST_CASE("loops of many and few threads follow each other, also after one that failed") {
  for (const int threads : {5, 2, 1, 7, 3}) {
    std::atomic<size_t> done{0};
    CHECK_THROWS_AS(parallel_for(50, threads,
                                 [&](size_t i, int) {
                                   if (i == 7) throw Error(ErrorKind::kInternal, "7");
                                 }),
                    Error);
    parallel_for(100, threads, [&](size_t, int) { ++done; });
    CHECK(done == 100);
  }
}

TEST_CASE("several threads may fail at once") {
  CHECK_THROWS_AS(parallel_for(64, 4, [](size_t, int) { throw Error(ErrorKind::kInternal, "all"); }), Error);
}

TEST_CASE("parallel_steps does every chunk once, step after step") {
  for (const int threads : {1, 2, 3, 7}) {
    INFO("threads: " << threads);
    for (int repetition = 0; repetition < 200; ++repetition) {
      const Recorder work({1, 5, 1, 1, 64, 2, 1000, 1, 3, 17});
      parallel_steps(work.sizes.size(), threads, work);
      REQUIRE(work.out_of_order == 0);
      REQUIRE(work.highest < threads);
      REQUIRE(std::accumulate(work.plain.begin(), work.plain.end(), 0) ==
              static_cast<int>(work.sizes.size()));
      for (const auto& count : work.finished) REQUIRE(count == 1);
    }
  }
  parallel_steps(0, 3, Recorder({}));
}

TEST_CASE("one thread takes all chunks of a step at once") {
  struct {
    size_t chunks(size_t) const { return 9; }
    void run(size_t, size_t begin, size_t end, int thread) const {
      CHECK((begin == 0 && end == 9 && thread == 0));
    }
    void finish(size_t) const {}
  } work;
  parallel_steps(3, 1, work);
}

TEST_CASE("a thread that waits long for the others goes on with the next step") {
  struct {
    size_t chunks(size_t step) const { return step % 2 == 0 ? 1 : 2; }
    void run(size_t, size_t begin, size_t end, int) const {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      done += end - begin;
    }
    void finish(size_t) const {}
    mutable std::atomic<size_t> done{0};
  } work;
  parallel_steps(20, 3, work);
  CHECK(work.done == 30);
}

TEST_CASE("the first exception in a step comes out and ends the steps") {
  for (const int threads : {1, 2, 3, 7})
    for (const bool in_finish : {false, true})
      for (int repetition = 0; repetition < 50; ++repetition) {
        const Failing work{in_finish};
        CHECK_THROWS_WITH(parallel_steps(1000, threads, work), "step seven");
        CHECK(work.begun > 35);
        CHECK(work.begun <= 40);
      }
}

TEST_CASE("every chunk may fail at once") {
  struct {
    size_t chunks(size_t) const { return 64; }
    void run(size_t, size_t, size_t, int) const { throw Error(ErrorKind::kInternal, "all"); }
    void finish(size_t) const {}
  } work;
  CHECK_THROWS_AS(parallel_steps(3, 4, work), Error);
}

TEST_CASE("there is always a thread") {
  CHECK(available_threads() >= 1);
}

TEST_CASE("An interruption ends loops and teams between items and steps, and is thrown again") {
  static std::atomic<int> asked;
  asked = 0;
  set_interrupt_check([] {
    if (++asked > 10) throw Error(ErrorKind::kInterrupted, "stop");
  });
  const int threads = GENERATE(1, 3);
  std::atomic<size_t> done{0};
  CHECK_THROWS_AS(parallel_for(1000, threads, [&](size_t, int) { ++done; }), Error);
  CHECK(done <= 10);
  asked = 0;
  const Recorder recorder(std::vector<size_t>(1000, 4));
  CHECK_THROWS_AS(parallel_steps(1000, threads, recorder), Error);
  CHECK(recorder.finished[999] == 0);
  set_interrupt_check(nullptr);
  parallel_for(1000, threads, [&](size_t, int) { ++done; });
  CHECK(done >= 1000);
}
