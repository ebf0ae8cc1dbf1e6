// Edit distance, and the words around what it finds.
#include "core/near_names.h"

#include <algorithm>
#include <numeric>

namespace quantize {

namespace {

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

/// Insertions, deletions and replacements that turn `a` into `b` (Levenshtein), one row of the table at a
/// time.
size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

/// Shorter ones are in too many names to say anything.
bool one_holds_other(const std::string& a, const std::string& b) {
  const std::string& longer = a.size() > b.size() ? a : b;
  const std::string& shorter = a.size() > b.size() ? b : a;
  return shorter.size() >= 3 && longer.find(shorter) != std::string::npos;
}

/// "'a', 'b' or 'c'".
std::string alternatives(const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i)
    text += (i == 0 ? "'" : i + 1 == names.size() ? " or '" : ", '") + names[i] + "'";
  return text;
}

}  // namespace

std::vector<std::string> near_names(const std::string& wanted, const std::vector<std::string>& names,
                                    size_t most) {
  const std::string key = lower(wanted);
  const size_t farthest = std::max<size_t>(2, key.size() / 3);
  std::vector<std::pair<size_t, std::string>> near;  // distance, name
  for (const std::string& name : names) {
    const std::string other = lower(name);
    const size_t distance = one_holds_other(key, other) ? 0 : edit_distance(key, other);
    if (distance <= farthest && distance < key.size()) near.emplace_back(distance, name);
  }
  std::stable_sort(near.begin(), near.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> result;
  for (size_t i = 0; i < std::min(most, near.size()); ++i) result.push_back(near[i].second);
  return result;
}

std::string near_names_hint(const std::string& wanted, const std::vector<std::string>& names) {
  constexpr size_t kMost = 5;
  const std::vector<std::string> near = near_names(wanted, names);
  if (!near.empty()) return "; did you mean " + alternatives(near) + "?";
  if (names.empty()) return "";
  std::string text;
  for (size_t i = 0; i < std::min(kMost, names.size()); ++i) text += (i == 0 ? "'" : ", '") + names[i] + "'";
  const size_t more = names.size() - std::min(kMost, names.size());
  return "; there are " + text + (more == 0 ? "" : " and " + std::to_string(more) + " more");
}

}  // namespace quantize
