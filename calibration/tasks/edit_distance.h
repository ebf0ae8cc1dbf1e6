// Texts as sequences of classes: how CTC reads them, and how far two of them are apart.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace quantize {

/// The text that the best class of every position says: of equal ones side by side the first, without the blank.
/// Without a blank, no network of CTC has written the sequence, and it is the text as it stands.
std::vector<int64_t> decode_greedily(const std::vector<int64_t>& classes, std::optional<int64_t> blank);

/// The class that CTC uses as blank: the first or the last, whichever is the best at more positions. Nothing if
/// neither is.
std::optional<int64_t> likely_blank(const std::vector<int64_t>& classes, int64_t count);

/// The fewest insertions, deletions and replacements that make one sequence the other.
size_t edit_distance(const std::vector<int64_t>& a, const std::vector<int64_t>& b);

}  // namespace quantize
