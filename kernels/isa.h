// The instruction set levels and what this CPU has.
#pragma once

#include <vector>

namespace quantize {

/// Levels in ascending order; each includes those before it.
enum class Isa { kScalar, kAvx2, kAvx512, kAvx512Vnni };

/// "scalar", "avx2", "avx512", "avx512vnni": the names of --isa.
const char* name_of(Isa isa);

/// The level called `name`; false if there is none.
bool parse_isa(const char* name, Isa& isa);

/// True if the CPU and the operating system support the level. Source: CPUID leaves 1 and 7, XGETBV.
bool cpu_supports(Isa isa);

/// All levels that this CPU supports, ascending; never empty.
std::vector<Isa> supported_isas();

}  // namespace quantize
