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

/// "1 image", "3 images".
std::string format_plural(size_t count, const std::string& noun);

std::string join(const std::vector<std::string>& parts, const std::string& separator);

/// Columns as wide as their widest cell, two spaces apart.
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
