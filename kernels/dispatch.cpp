// Which levels there are, what the CPU has, and the table of each.
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include <cstring>

#include "kernels/kernel_table.h"
#include "kernels/plug.h"

namespace quantize {

namespace {

struct Level {
  Isa isa;
  const char* name;
  void (*plug)(KernelTable&);
};

// Ascending: the table of a level is plugged by every level up to it.
constexpr Level kLevels[] = {
    {Isa::kScalar, "scalar", plug_scalar},
#if defined(__x86_64__)
    {Isa::kAvx2, "avx2", plug_avx2},
    {Isa::kAvx512, "avx512", plug_avx512},
    {Isa::kAvx512Vnni, "avx512vnni", plug_avx512vnni},
#elif defined(__aarch64__)
    {Isa::kNeon, "neon", plug_neon},
    {Isa::kNeonDot, "neondot", plug_neondot},
    {Isa::kNeonI8mm, "neoni8mm", plug_neoni8mm},
#endif
};

#if defined(__aarch64__)
// Of Linux's asm/hwcap.h, some of whose versions are too old to have them.
constexpr unsigned long kDotProducts = 1ul << 20, kMixedDotProducts2 = 1ul << 13;
#endif

}  // namespace

const char* name_of(Isa isa) {
  for (const Level& level : kLevels)
    if (level.isa == isa) return level.name;
  return "unknown";
}

bool parse_isa(const char* name, Isa& isa) {
  for (const Level& level : kLevels) {
    if (std::strcmp(level.name, name) != 0) continue;
    isa = level.isa;
    return true;
  }
  return false;
}

bool cpu_supports(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return true;
#if defined(__x86_64__)
    case Isa::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Isa::kAvx512:
      return cpu_supports(Isa::kAvx2) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl");
    case Isa::kAvx512Vnni:
      return cpu_supports(Isa::kAvx512) && __builtin_cpu_supports("avx512vnni");
#elif defined(__aarch64__)
    case Isa::kNeon:
      return true;
    case Isa::kNeonDot:
      return (getauxval(AT_HWCAP) & kDotProducts) != 0;
    case Isa::kNeonI8mm:
      return cpu_supports(Isa::kNeonDot) && (getauxval(AT_HWCAP2) & kMixedDotProducts2) != 0;
#endif
    default:
      return false;
  }
}

std::vector<Isa> supported_isas() {
  std::vector<Isa> result;
  for (const Level& level : kLevels)
    if (cpu_supports(level.isa)) result.push_back(level.isa);
  return result;
}

const KernelTable& kernels_for(Isa isa) {
  static const auto tables = [] {
    std::vector<KernelTable> list;
    KernelTable table;
    for (const Level& level : kLevels) {
      level.plug(table);
      table.isa = level.isa;
      list.push_back(table);
    }
    return list;
  }();
  for (const KernelTable& table : tables)
    if (table.isa == isa) return table;
  return tables.front();
}

const KernelTable& best_kernels() {
  return kernels_for(supported_isas().back());
}

}  // namespace quantize
