// Formatting of numbers and tables.
#include "cli/text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace quantize {

namespace {

// Characters, not bytes: names may be UTF-8.
size_t width_of(const std::string& text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string padded(const std::string& cell, size_t width, Table::Align align) {
  const std::string space(width - width_of(cell), ' ');
  return align == Table::Align::kLeft ? cell + space : space + cell;
}

constexpr size_t kLeastBroken = 20;  // a narrower column is not broken

std::string scaled(double value, double base, const std::vector<const char*>& units) {
  size_t unit = 0;
  while (value >= base && unit + 1 < units.size()) {
    value /= base;
    ++unit;
  }
  return format_fixed(value, unit == 0 ? 0 : 1) + units[unit];
}

}  // namespace

std::string format_bytes(uint64_t bytes) {
  return scaled(static_cast<double>(bytes), 1024, {" B", " KiB", " MiB", " GiB"});
}

std::string format_count(uint64_t count) {
  return scaled(static_cast<double>(count), 1000, {"", " k", " M", " G"});
}

std::string format_fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string format_figure(double value, int digits) {
  constexpr int kSignificant = 3, kMostDigits = 9;
  const double size = std::abs(value);
  if (!(size > 0 && size < 1)) return format_fixed(value, digits);
  const int needed = kSignificant - 1 - static_cast<int>(std::floor(std::log10(size)));
  if (needed <= kMostDigits) return format_fixed(value, std::max(digits, needed));
  char text[32];
  std::snprintf(text, sizeof text, "%.*e", kSignificant - 1, value);
  return text;
}

std::string format_fixed(const std::optional<double>& value, int digits) {
  return value ? format_fixed(*value, digits) : "unknown";
}

std::string format_plural(size_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string wrapped(const std::string& text, size_t width, size_t indent) {
  std::string result, current;
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find(' ', start), text.size());
    const std::string word = text.substr(start, end - start);
    if (!current.empty() && width_of(current) + 1 + width_of(word) > width) {
      result += current + "\n" + std::string(indent, ' ');
      current.clear();
    } else if (start != 0) {
      current += " ";
    }
    current += word;
    start = end + 1;
  }
  return result + current;
}

std::string join(const std::vector<std::string>& parts, const std::string& separator) {
  std::string result;
  for (const std::string& part : parts) result += (result.empty() ? "" : separator) + part;
  return result;
}

std::string Table::text(const Style& style) const {
  std::vector<size_t> widths;
  for (size_t c = 0; c < columns_.size(); ++c) {
    widths.push_back(width_of(columns_[c].title));
    for (const std::vector<std::string>& row : rows_)
      widths[c] = std::max(widths[c], width_of(printable(row[c])));
  }
  const auto line = [&](const auto& cell) {
    std::string result;
    for (size_t c = 0; c + 1 < columns_.size(); ++c)
      result += "  " + padded(cell(c), widths[c], columns_[c].align);
    const size_t last = columns_.size() - 1, used = width_of(result) + 2;
    const bool breaks = columns_[last].align == Align::kLeft && used + kLeastBroken <= kTextWidth;
    result += "  " + (breaks ? wrapped(cell(last), kTextWidth - used, used)
                             : padded(cell(last), widths[last], columns_[last].align));
    result.erase(result.find_last_not_of(' ') + 1);
    return result;
  };
  std::string result = style.bold(line([&](size_t c) { return columns_[c].title; })) + "\n";
  for (const std::vector<std::string>& row : rows_)
    result += line([&](size_t c) { return printable(row[c]); }) + "\n";
  return result;
}

}  // namespace quantize
