// The instruction set levels and what this CPU has.
#pragma once

#include <vector>

namespace quantize {

/// Scalar code, then the levels of levels.def in ascending order of speed. kAvxVnni and kAvx512 both build on kAvx2,
/// neither on the other; any other level includes those before it of its architecture.
enum class Isa {
  kScalar,
#define X86_LEVEL(isa, base, name, detect, flags) isa,
#define ARM_LEVEL X86_LEVEL
#include "kernels/levels.def"
#undef X86_LEVEL
#undef ARM_LEVEL
};

/// "scalar", or the name of the level's folder: the names of --isa.
const char* name_of(Isa isa);

/// The level called `name`; false if there is none.
bool parse_isa(const char* name, Isa& isa);

/// True if the CPU and the operating system support the level. Source: CPUID leaves 1 and 7, XGETBV; for
/// amx also Linux's permission; on Arm, what the kernel says in the auxiliary vector.
bool cpu_supports(Isa isa);

/// All levels that this CPU supports, ascending; never empty.
std::vector<Isa> supported_isas();

}  // namespace quantize
