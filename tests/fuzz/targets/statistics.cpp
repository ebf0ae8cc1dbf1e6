// Statistics files: one that is read is written again as it was.
#include "calibration/statistics/statistics_file.h"
#include "core/error.h"
#include "tests/fuzz/fuzz_target.h"

namespace quantize::test {

void fuzz_statistics(std::span<const uint8_t> bytes) {
  const StatisticsTable table =
      decode_statistics({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  const std::string again = encode_statistics(table);
  if (encode_statistics(decode_statistics(again)) != again)
    throw Error(ErrorKind::kInternal, "statistics change when they are written and read");
}

}  // namespace quantize::test
