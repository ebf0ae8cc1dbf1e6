// Numbers and tables as people read them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/console.h"

namespace quantize {

/// "812 B", "254.1 KiB", "13.4 MiB": binary units.
std::string format_bytes(uint64_t bytes);

/// "812", "56.7 k", "3.5 M", "1.2 G".
std::string format_count(uint64_t count);

/// A number with that many digits after the point.
std::string format_fixed(double value, int digits);
/// The same; "unknown" for nothing.
std::string format_fixed(const std::optional<double>& value, int digits);

/// A number between -1 and 1 with as many digits more as three significant ones take: a small one is not
/// 0.000.
std::string format_figure(double value, int digits);

/// "1 image", "3 images".
std::string format_plural(size_t count, const std::string& noun);

/// As wide as text for people may be.
constexpr size_t kTextWidth = 100;

/// Breaks text at spaces into lines of at most `width` characters (a longer word has a line of its own); all
/// but the first begin with `indent` spaces.
std::string wrapped(const std::string& text, size_t width, size_t indent);

/// The parts in one line, with `separator` between them.
std::string join(const std::vector<std::string>& parts, const std::string& separator);

/// Columns as wide as their widest cell, two spaces apart; a last one of text is broken into lines of
/// kTextWidth.
class Table {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.empty(); }
  /// Every line indented by two; the titles bold.
  std::string text(const Style& style) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace quantize
