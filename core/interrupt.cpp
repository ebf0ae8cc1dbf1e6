#include "core/interrupt.h"

#include <atomic>

namespace quantize {

namespace {
std::atomic<void (*)()> interrupt_check{nullptr};
}  // namespace

void set_interrupt_check(void (*check)()) {
  interrupt_check = check;
}

void check_interrupt() {
  if (const auto check = interrupt_check.load(std::memory_order_relaxed)) check();
}

}  // namespace quantize
