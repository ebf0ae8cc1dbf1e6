// Reading, comparing and adding statistics files. Read merge_statistics() at the end.
#include "calibration/statistics/merge_statistics.h"

#include <algorithm>
#include <map>

#include "calibration/statistics/statistics_file.h"
#include "core/interrupt.h"

namespace quantize {
namespace {

/// Where the statistics of one file come from.
struct Origin {
  std::string model, preprocessing;

  friend auto operator<=>(const Origin&, const Origin&) = default;
};

std::string plural(size_t count) {
  return std::to_string(count) + (count == 1 ? " sample" : " samples");
}

/// Names a file that differs from most, the first ones where there are as many of each.
[[noreturn]] void refuse_mixture(const std::vector<std::string>& files, const std::vector<Origin>& origins) {
  std::map<Origin, size_t> counts;
  for (const Origin& origin : origins) ++counts[origin];
  const auto most = std::max_element(origins.begin(), origins.end(),
                                     [&](const Origin& a, const Origin& b) { return counts[a] < counts[b]; });
  const auto odd = std::find_if(origins.begin(), origins.end(), [&](const Origin& o) { return o != *most; });
  const std::string& usual_file = files[static_cast<size_t>(most - origins.begin())];
  const std::string& odd_file = files[static_cast<size_t>(odd - origins.begin())];
  const bool model = odd->model != most->model;
  throw Error(ErrorKind::kCalibration,
              "'" + odd_file + "' is of another " + (model ? "model" : "preprocessing") + " than '" +
                  usual_file + "'" +
                  (model ? ""
                         : ": " + name_of_preprocessing(odd->preprocessing) + " instead of " +
                               name_of_preprocessing(most->preprocessing)) +
                  "; only statistics of one model and one preprocessing can be added");
}

void check_overlap(const std::string& file, const HeldSamples& held, const std::string& earlier,
                   const HeldSamples& earlier_held, Diagnostics& diagnostics) {
  const Overlap overlap = overlap_of(earlier_held, held);
  if (overlap.twice != 0)
    throw Error(ErrorKind::kCalibration, "'" + file + "' brings " + std::to_string(overlap.twice) +
                                             " of its " + plural(overlap.samples) + " again, which '" +
                                             earlier + "' has already; leave one of the two out");
  if (overlap.alike != 0)
    diagnostics.warn("'" + file + "' has " + plural(overlap.alike) + " with the same content as in '" +
                     earlier + "' under other names, which count twice");
}

}  // namespace

StatisticsTable merge_statistics(const std::vector<std::string>& files, Diagnostics& diagnostics) {
  StatisticsTable sum;
  std::vector<Origin> origins;
  std::vector<HeldSamples> held;
  bool mixed = false;
  for (size_t i = 0; i < files.size(); ++i) {
    check_interrupt();
    StatisticsTable part = load_statistics(files[i]);
    origins.push_back({part.model, part.preprocessing});
    mixed = mixed || origins.back() != origins.front();
    if (mixed) continue;  // the others are read to tell which file is the odd one
    for (size_t k = 0; k < i; ++k) check_overlap(files[i], part.held, files[k], held[k], diagnostics);
    held.push_back(part.held);
    i == 0 ? void(sum = std::move(part)) : sum.add(part);
  }
  if (mixed) refuse_mixture(files, origins);
  if (const std::string missing = missing_samples(sum.held); !missing.empty())
    diagnostics.warn(missing + ": merge their statistics too");
  return sum;
}

}  // namespace quantize
