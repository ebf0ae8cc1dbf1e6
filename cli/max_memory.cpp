// Sizes as people write them, and where Linux says how much there is.
#include "cli/max_memory.h"

#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "cli/text.h"
#include "core/error.h"

namespace quantize {

namespace fs = std::filesystem;

namespace {

constexpr uint64_t kUnlimited = std::numeric_limits<uint64_t>::max();

// The number in a file of the control groups; "max" and no file are no limit.
uint64_t limit_in(const fs::path& file) {
  std::ifstream stream(file);
  uint64_t bytes = 0;
  return stream >> bytes ? bytes : kUnlimited;
}

// Of the process's group and all those above it: version 2 has lines "0::/path", version 1 "N:memory:/path".
uint64_t control_group_limit() {
  uint64_t least = kUnlimited;
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool memory = controllers.find("memory") != std::string::npos;
    if (!controllers.empty() && !memory) continue;
    const fs::path root = memory ? "/sys/fs/cgroup/memory" : "/sys/fs/cgroup";
    const char* const file = memory ? "memory.limit_in_bytes" : "memory.max";
    least = std::min(least, limit_in(root / file));
    fs::path folder = root;
    for (const fs::path& part : fs::path(line.substr(second + 1)).relative_path()) {
      folder /= part;
      least = std::min(least, limit_in(folder / file));
    }
  }
  return least;
}

}  // namespace

void add_max_memory(CLI::App& app, std::string& size) {
  app.add_option("--max-memory", size,
                 "bytes, or with K, M, G; beyond it optional work is left out, other work refused (default "
                 "three quarters of the machine's)")
      ->type_name("SIZE")
      ->group("Engine");
}

uint64_t parse_size(const std::string& text, const std::string& option) {
  const char* const end = text.data() + text.size();
  double number = 0;
  const auto [unit, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  double factor = unit == end ? 1 : 0;
  if (unit != end && unit + 1 == end)
    factor = *unit == 'K' ? 0x1p10 : *unit == 'M' ? 0x1p20 : *unit == 'G' ? 0x1p30 : 0;
  const double bytes = number * factor;
  if (error != std::errc() || !(bytes >= 1 && bytes < 0x1p63))
    throw Error(ErrorKind::kInvalidArgument,
                option + " '" + text + "' is not a number of bytes, or of K, M or G of them, such as 1.5G");
  return static_cast<uint64_t>(bytes);
}

uint64_t machine_memory() {
  const uint64_t physical =
      static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  rlimit own{};
  const bool limited = getrlimit(RLIMIT_AS, &own) == 0 && own.rlim_cur != RLIM_INFINITY;
  return std::min({physical, control_group_limit(), limited ? uint64_t{own.rlim_cur} : kUnlimited});
}

uint64_t max_memory(const std::string& size) {
  return size.empty() ? machine_memory() / 4 * 3 : parse_size(size);
}

void check_needed(uint64_t needed, uint64_t allowed) {
  if (needed <= allowed) return;
  throw Error(ErrorKind::kUnsupported,
              "the model needs about " + format_bytes(needed) + " of memory, more than the " +
                  format_bytes(allowed) +
                  " of --max-memory; allow more, or use fewer --threads or a smaller --input-shape");
}

}  // namespace quantize
