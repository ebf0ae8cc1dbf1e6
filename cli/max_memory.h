// --max-memory: how much of the machine's memory the program may take.
#pragma once

#include <cstdint>
#include <string>

#include "cli/command.h"

namespace quantize {

/// Adds --max-memory; `size` is its text, empty for three quarters of machine_memory().
void add_max_memory(CLI::App& app, std::string& size);

/// "800000", "512M", "1.5G": bytes, or with K, M or G of 1024, 1024^2 or 1024^3 of them.
/// Errors: Error(kInvalidArgument), naming the option, for any other text, zero, and what does not fit into 63 bits.
uint64_t parse_size(const std::string& text, const std::string& option = "--max-memory");

/// The least of the machine's memory, what the control groups of this process allow, and its own limit.
uint64_t machine_memory();

/// The bytes that the option allows. Errors: those of parse_size.
uint64_t max_memory(const std::string& size);

/// Errors: Error(kUnsupported) if work that cannot be left out needs more than is allowed.
void check_needed(uint64_t needed, uint64_t allowed);

}  // namespace quantize
