// Asking, within long work, whether the program is to stop.
#pragma once

namespace quantize {

/// Sets what check_interrupt() calls: a function that throws when the program is to stop, from any thread.
/// nullptr, as at the start: nothing. Not while another thread works.
void set_interrupt_check(void (*check)());

/// Calls what was set. parallel_for asks before each item and parallel_steps before each step; loops that may
/// take more than a tenth of a second without either ask by themselves.
void check_interrupt();

}  // namespace quantize
