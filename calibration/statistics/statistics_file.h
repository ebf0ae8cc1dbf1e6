// Statistics on disk: calibrate once, decide again and again.
#pragma once

#include <string>

#include "calibration/statistics/statistics_table.h"

namespace quantize {

/// Writes the table; `path` is either what it was or the whole new file. The same table gives the same bytes.
/// Errors: Error(kIo) with the path and the system's reason.
void save_statistics(const StatisticsTable& table, const std::string& path);

/// Reads what save_statistics wrote. Never trusts it: sizes are checked before memory is taken, counts and
/// extremes for what always holds. Errors: Error(kIo) if the file cannot be read, Error(kCalibration) if it
/// is no statistics file, of another version, or damaged; each naming the path.
StatisticsTable load_statistics(const std::string& path);

/// The file's bytes, and back. Errors: as load_statistics, without the path.
std::string encode_statistics(const StatisticsTable& table);
StatisticsTable decode_statistics(std::string_view bytes);

}  // namespace quantize
