#include <catch2/catch.hpp>
#include <random>

#include "core/engine/program.h"

using namespace quantize;

namespace {

bool alive_together(const BufferRequest& a, const BufferRequest& b) {
  return a.first_step <= b.last_step && b.first_step <= a.last_step;
}

}  // namespace

TEST_CASE("buffers that live at the same time never overlap, whatever the schedule") {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    std::vector<BufferRequest> requests(40);
    for (BufferRequest& request : requests) {
      request.bytes = random() % 1000;
      request.first_step = random() % 30;
      request.last_step = request.first_step + random() % 8;
    }
    const MemoryPlan plan = plan_memory(requests);
    for (size_t i = 0; i < requests.size(); ++i) {
      CHECK(plan.offsets[i] % 64 == 0);
      CHECK(plan.offsets[i] + requests[i].bytes <= plan.total_bytes);
      for (size_t j = 0; j < i; ++j) {
        if (!alive_together(requests[i], requests[j]) || requests[i].bytes == 0 || requests[j].bytes == 0)
          continue;
        const bool apart = plan.offsets[i] + requests[i].bytes <= plan.offsets[j] ||
                           plan.offsets[j] + requests[j].bytes <= plan.offsets[i];
        CHECK(apart);
      }
    }
  }
}

TEST_CASE("a chain needs the memory of two neighbours") {
  std::vector<BufferRequest> requests;
  for (size_t i = 0; i < 10; ++i) requests.push_back({1024, i, i + 1});
  CHECK(plan_memory(requests).total_bytes == 2048);
}

TEST_CASE("no requests need no memory") {
  CHECK(plan_memory({}).total_bytes == 0);
}
