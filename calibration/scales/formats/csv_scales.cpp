// A table for people and spreadsheets: a row per value, or per channel of a value.
#include <sstream>
#include <utility>

#include "calibration/scales/scale_format.h"
#include "calibration/scales/text_lines.h"

namespace quantize {

namespace {

constexpr std::string_view kHeader = "kind,value,type,channel,scale,zero_point,min,max";

std::string quoted(const std::string& name) {
  if (name.find_first_of(",\"\n") == std::string::npos) return name;
  std::string text = "\"";
  for (const char c : name) text += c == '"' ? std::string("\"\"") : std::string(1, c);
  return text + "\"";
}

std::string rows_of(const std::vector<KnownScale>& scales, const char* kind) {
  std::string rows;
  for (const auto& [value, params] : scales)
    for (size_t c = 0; c < params.scale.size(); ++c) {
      const Range range = held_range(params, c);
      rows += std::string(kind) + "," + quoted(value) + "," + std::string(name_of(params.dtype)) + "," +
              (params.per_tensor() ? "" : std::to_string(c)) + "," + exact_text(params.scale[c]) + "," +
              std::to_string(params.zero_point[c]) + "," + exact_text(range.min) + "," +
              exact_text(range.max) + "\n";
    }
  return rows;
}

std::string write(const KnownScales& scales) {
  return std::string(kHeader) + "\n" + rows_of(scales.activations, "activation") +
         rows_of(scales.weights, "weight");
}

bool is_csv(const std::string& text) {
  return text.starts_with(kHeader);
}

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells(1);
  bool inside = false;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"' && inside && i + 1 < line.size() && line[i + 1] == '"')
      cells.back() += line[i++];
    else if (line[i] == '"')
      inside = !inside;
    else if (line[i] == ',' && !inside)
      cells.emplace_back();
    else
      cells.back() += line[i];
  }
  return cells;
}

template <typename T>
T number_in(const std::string& cell) {
  std::istringstream reader(cell);
  T number{};
  if (!(reader >> number) || reader.peek() != std::char_traits<char>::eof())
    throw Error(ErrorKind::kInvalidArgument, "'" + cell + "' is no number");
  return number;
}

/// The rows of one value.
struct Rows {
  DataType dtype = DataType::kU8;
  std::vector<float> scales;
  std::vector<int64_t> zero_points;
};

ScalesByValue read(const std::string& text, const Graph&) {
  std::map<std::string, Rows> rows;
  bool first = true;
  for_each_line(text, [&](const std::string& line) {
    if (std::exchange(first, false)) return;
    const std::vector<std::string> cells = cells_of(line);
    if (cells.size() < 6) throw Error(ErrorKind::kInvalidArgument, "fewer than six columns");
    Rows& row = rows[cells[1]];
    bool known = false;
    for (const DataType dtype : {DataType::kU8, DataType::kS8, DataType::kU16, DataType::kS16})
      if (name_of(dtype) == cells[2]) {
        row.dtype = dtype;
        known = true;
      }
    if (!known) throw Error(ErrorKind::kInvalidArgument, "'" + cells[2] + "' is none of u8, s8, u16 and s16");
    row.scales.push_back(number_in<float>(cells[4]));
    row.zero_points.push_back(number_in<int64_t>(cells[5]));
  });
  ScalesByValue scales;
  for (auto& [value, row] : rows)
    with_context([&, &value = value] { return "value '" + value + "'"; },
                 [&, &value = value, &row = row] {
                   const bool is_signed = row.dtype == DataType::kS8 || row.dtype == DataType::kS16;
                   scales[value] = checked_params(static_cast<int>(8 * size_of(row.dtype)), is_signed,
                                                  std::move(row.scales), row.zero_points);
                 });
  return scales;
}

}  // namespace

extern const ScaleFormat kCsvScales;
const ScaleFormat kCsvScales = {"csv", "a table with a row for each value or channel", write, is_csv, read};

}  // namespace quantize
