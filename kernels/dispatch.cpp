// Which levels there are, what the CPU has, and the table of each.
#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include <cstring>

#include "kernels/kernel_table.h"
#include "kernels/plug.h"

namespace quantize {

namespace {

#if defined(__x86_64__)
bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

bool has_avx512_vnni() {
  return __builtin_cpu_supports("avx512vnni");
}

/// Bit 4 of EAX, leaf 7, subleaf 1; not every compiler's __builtin_cpu_supports knows its name.
bool has_avx_vnni() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax >> 4 & 1) != 0;
}

/// Bits 24 and 25 of EDX, leaf 7, and Linux's leave to use the registers, which it gives to the whole process
/// and may refuse (arch_prctl, ARCH_REQ_XCOMP_PERM of XFEATURE_XTILEDATA; since 5.16).
bool has_amx() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0 || (edx >> 24 & 3) != 3) return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  static const bool may_use = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return may_use;
}
#elif defined(__aarch64__)
bool has_neon() {
  return true;
}

// Bits of Linux's asm/hwcap.h, some of whose versions are too old to have them.
bool has_dot_products() {
  return (getauxval(AT_HWCAP) & 1ul << 20) != 0;
}

bool has_matrix_products() {
  return (getauxval(AT_HWCAP2) & 1ul << 13) != 0;
}
#endif

struct Level {
  Isa isa, base;  // whose table the level plugs into
  const char* name;
  void (*plug)(KernelTable&);
  bool (*detect)();  // what it needs beside its base
};

#define QUANTIZE_LEVEL(isa, base, name, detect, flags) {Isa::isa, Isa::base, #name, plug_##name, detect},
#if defined(__x86_64__)
#define X86_LEVEL QUANTIZE_LEVEL
#define ARM_LEVEL(...)
#elif defined(__aarch64__)
#define X86_LEVEL(...)
#define ARM_LEVEL QUANTIZE_LEVEL
#else
#define X86_LEVEL(...)
#define ARM_LEVEL(...)
#endif

// Ascending; a base stands before what builds on it.
constexpr Level kLevels[] = {
    {Isa::kScalar, Isa::kScalar, "scalar", plug_scalar, [] { return true; }},
#include "kernels/levels.def"
};

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
  for (const Level& level : kLevels)
    if (level.isa == isa) return (level.base == isa || cpu_supports(level.base)) && level.detect();
  return false;
}

std::vector<Isa> supported_isas() {
  std::vector<Isa> result;
  for (const Level& level : kLevels)
    if (cpu_supports(level.isa)) result.push_back(level.isa);
  return result;
}

namespace {

/// Of the levels that this CPU has: a compiler may use a level's instructions in its plug function, too.
std::vector<KernelTable> make_tables(bool fp32_exact) {
  std::vector<KernelTable> list;
  for (const Level& level : kLevels) {
    if (!cpu_supports(level.isa)) continue;
    KernelTable table;
    for (const KernelTable& earlier : list)
      if (earlier.isa == level.base) table = earlier;
    level.plug(table);
    table.isa = level.isa;
    table.fp32_exact = fp32_exact;
    list.push_back(table);
  }
  return list;
}

}  // namespace

const KernelTable& kernels_for(Isa isa, bool fp32_exact) {
  static const auto fast = make_tables(false), exact = make_tables(true);
  for (const KernelTable& table : fp32_exact ? exact : fast)
    if (table.isa == isa) return table;
  return fast.front();
}

const KernelTable& best_kernels() {
  return kernels_for(supported_isas().back());
}

}  // namespace quantize
