// The names that somebody may have meant who gave an unknown one.
#pragma once

#include <string>
#include <vector>

namespace quantize {

/// The names that `wanted` may have been a slip for, the nearest first, at most `most`: those that hold it or
/// that it holds, then those that differ from it in at most a third of its characters (at least two).
/// Capitals do not count.
std::vector<std::string> near_names(const std::string& wanted, const std::vector<std::string>& names,
                                    size_t most = 3);

/// The end of an error message about an unknown name: "; did you mean 'conv1' or 'conv2'?", or, where nothing
/// is near, "; there are 'a', 'b', 'c' and 12 more" of the names, or nothing where there are none.
std::string near_names_hint(const std::string& wanted, const std::vector<std::string>& names);

}  // namespace quantize
