#include "calibration/tasks/edit_distance.h"

#include <algorithm>
#include <numeric>

namespace quantize {

std::vector<int64_t> decode_greedily(const std::vector<int64_t>& classes, std::optional<int64_t> blank) {
  if (!blank) return classes;
  std::vector<int64_t> text;
  for (size_t i = 0; i < classes.size(); ++i)
    if (classes[i] != *blank && (i == 0 || classes[i] != classes[i - 1])) text.push_back(classes[i]);
  return text;
}

std::optional<int64_t> likely_blank(const std::vector<int64_t>& classes, int64_t count) {
  const auto first = std::count(classes.begin(), classes.end(), 0),
             last = std::count(classes.begin(), classes.end(), count - 1);
  if (first == 0 && last == 0) return std::nullopt;
  return first >= last ? 0 : count - 1;
}

size_t edit_distance(const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
  std::vector<size_t> row(b.size() + 1);  // distances of the part of a that was seen to each part of b
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t k = 0; k < b.size(); ++k) {
      const size_t replaced = diagonal + (a[i] != b[k]);
      diagonal = row[k + 1];
      row[k + 1] = std::min({replaced, row[k] + 1, diagonal + 1});
    }
  }
  return row[b.size()];
}

}  // namespace quantize
