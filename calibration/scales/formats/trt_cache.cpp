// The cache of TensorRT's INT8 calibrators: a line "name: bits" per tensor, the IEEE 754 bits of its scale, which is the
// largest magnitude over 127, in hexadecimal.
#include <bit>
#include <charconv>
#include <cstdio>
#include <utility>

#include "calibration/scales/scale_format.h"
#include "calibration/scales/text_lines.h"

namespace quantize {

namespace {

// TensorRT reads a cache of its own version only: whoever needs another number writes it there.
constexpr const char* kFirstLine = "TRT-8601-EntropyCalibration2";

std::string write(const KnownScales& scales) {
  std::string text = std::string(kFirstLine) + "\n";
  for (const KnownScale& known : scales.activations) {
    char bits[16];
    std::snprintf(bits, sizeof bits, "%08x", std::bit_cast<uint32_t>(symmetric_scale(known.params, 0)));
    text += known.value + ": " + bits + "\n";
  }
  return text;
}

bool is_cache(const std::string& text) {
  return text.starts_with("TRT-");
}

ScalesByValue read(const std::string& text, const Graph&) {
  ScalesByValue scales;
  bool first = true;
  for_each_line(text, [&](const std::string& line) {
    if (std::exchange(first, false)) return;
    const size_t colon = line.rfind(": ");
    uint32_t bits = 0;
    const char *end = line.data() + line.size(),
               *begin = colon == std::string::npos ? end : line.data() + colon + 2;
    if (std::from_chars(begin, end, bits, 16).ptr != end || begin == end)
      throw Error(ErrorKind::kInvalidArgument, "no 'name: bits' in hexadecimal");
    scales[line.substr(0, colon)] = symmetric_params({std::bit_cast<float>(bits)});
  });
  return scales;
}

}  // namespace

extern const ScaleFormat kTrtCache;
const ScaleFormat kTrtCache = {"trt-cache", "calibration cache of TensorRT up to version 10", write, is_cache,
                               read};

}  // namespace quantize
