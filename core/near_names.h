// The names that somebody may have meant who gave an unknown one.
#pragma once

#include <string>
#include <vector>

namespace quantize {

/// The names of which `wanted` may be a slip, the nearest first, at most `most`: first names that contain
/// `wanted` or are contained in it, then names that differ from it in at most a third of its characters (at
/// least two). Case does not count.
std::vector<std::string> near_names(const std::string& wanted, const std::vector<std::string>& names,
                                    size_t most = 3);

/// The end of an error message about an unknown name: "; did you mean 'conv1' or 'conv2'?", or, where nothing
/// is near, "; there are 'a', 'b', 'c' and 12 more" of the names, or nothing where there are none.
std::string near_names_hint(const std::string& wanted, const std::vector<std::string>& names);

}  // namespace quantize
