// The instruction set levels and what this CPU has.
#pragma once

#include <vector>

namespace quantize {

/// Levels in ascending order of speed. kAvxVnni and kAvx512 both build on kAvx2, neither on the other; any
/// other level includes those before it of its architecture.
enum class Isa { kScalar, kAvx2, kAvxVnni, kAvx512, kAvx512Vnni, kAmx, kNeon, kNeonDot, kNeonI8mm };

/// "scalar", "avx2", "avxvnni", "avx512", "avx512vnni", "amx", "neon", "neondot", "neoni8mm": the names of
/// --isa.
const char* name_of(Isa isa);

/// The level called `name`; false if there is none.
bool parse_isa(const char* name, Isa& isa);

/// True if the CPU and the operating system support the level. Source: CPUID leaves 1 and 7, XGETBV; for
/// amx also Linux's permission; on Arm, what the kernel says in the auxiliary vector.
bool cpu_supports(Isa isa);

/// All levels that this CPU supports, ascending; never empty.
std::vector<Isa> supported_isas();

}  // namespace quantize
