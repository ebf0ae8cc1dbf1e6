// Text files of one entry per line.
#pragma once

#include <sstream>
#include <string>

#include "core/error.h"

namespace quantize {

/// Calls read(line) for every line that is not empty, without the end of the line; an error says which it is.
template <typename Read>
void for_each_line(const std::string& text, const Read& read) {
  std::istringstream lines(text);
  size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) with_context([&] { return "line " + std::to_string(number); }, [&] { read(line); });
  }
}

}  // namespace quantize
