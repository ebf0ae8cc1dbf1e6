// Reading, comparing and adding statistics files. Read merge_statistics() at the end.
#include "calibration/statistics/merge_statistics.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

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

void check_overlaps(const std::vector<std::string>& files, size_t i,
                    const std::map<size_t, Overlap>& overlaps, Diagnostics& diagnostics) {
  for (const auto& [earlier, overlap] : overlaps) {
    if (overlap.twice != 0)
      throw Error(ErrorKind::kCalibration, "'" + files[i] + "' brings " + std::to_string(overlap.twice) +
                                               " of its " + plural(overlap.samples) + " again, which '" +
                                               files[earlier] + "' has already; leave one of the two out");
    diagnostics.warn("'" + files[i] + "' has " + plural(overlap.alike) + " with the same content as in '" +
                     files[earlier] + "' under other names, which count twice");
  }
}

/// Adds tables as a binary counter does: each into one of as many, so that none is added to a large sum often.
class TableSum {
 public:
  void add(StatisticsTable table) {
    size_t level = 0;
    for (; level < sums_.size() && sums_[level]; ++level) table.add(*std::exchange(sums_[level], {}));
    if (level == sums_.size()) sums_.emplace_back();
    sums_[level] = std::move(table);
  }

  StatisticsTable take() {
    std::optional<StatisticsTable> all;
    for (std::optional<StatisticsTable>& sum : sums_) {
      if (!sum) continue;
      if (all) sum->add(*all);
      all = std::move(sum);
    }
    return all ? *std::move(all) : StatisticsTable{};
  }

 private:
  std::vector<std::optional<StatisticsTable>> sums_;  // at place k: of 2^k tables
};

}  // namespace

StatisticsTable merge_statistics(const std::vector<std::string>& files, Diagnostics& diagnostics) {
  TableSum tables;
  std::vector<Origin> origins;
  HeldIndex known;
  bool mixed = false;
  for (size_t i = 0; i < files.size(); ++i) {
    check_interrupt();
    StatisticsTable part = load_statistics(files[i]);
    origins.push_back({part.model, part.preprocessing});
    mixed = mixed || origins.back() != origins.front();
    if (mixed) continue;  // the others are read to tell which file is the odd one
    check_overlaps(files, i, known.overlaps(part.held), diagnostics);
    known.add(part.held);
    tables.add(std::move(part));
  }
  if (mixed) refuse_mixture(files, origins);
  StatisticsTable sum = tables.take();
  if (const std::string missing = missing_samples(sum.held); !missing.empty())
    diagnostics.warn(missing + ": merge their statistics too");
  return sum;
}

}  // namespace quantize
