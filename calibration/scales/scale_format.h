// Files in which other tools keep the scales of a model. Read ScaleFormat first.
#pragma once

#include <map>
#include <span>
#include <string>

#include "core/graph.h"
#include "core/integer/known_scales.h"

namespace quantize {

/// Scales by the name of their value.
using ScalesByValue = std::map<std::string, QuantParams>;

/// One kind of file.
struct ScaleFormat {
  const char* name;         // as `quantize export --as` takes it
  const char* description;  // for help texts
  /// The text of the file. A format that knows symmetric scales alone gets those that hold the same reals.
  std::string (*write)(const KnownScales& scales);
  /// True if the text, which is not empty, is of this kind.
  bool (*is)(const std::string& text);
  /// The scales in a text of this kind; `graph` tells the values of layers that it names.
  /// Errors: Error(kInvalidArgument) naming the line or entry.
  ScalesByValue (*read)(const std::string& text, const Graph& graph);
};

/// Every format, in the order in which a file is held against them. Defined in all_formats.cpp: the one line to add.
std::span<const ScaleFormat* const> all_scale_formats();

/// The scale per channel with which symmetric codes of [-127, 127] hold the same reals.
float symmetric_scale(const QuantParams& params, size_t channel);

/// Parameters of symmetric s8 codes of these scales.
QuantParams symmetric_params(std::vector<float> scales);

/// Parameters of codes of so many bits, signed or not. Errors: Error(kInvalidArgument) for other bits than 8 and 16, a
/// scale that is no positive finite number, a zero point that is no code, and numbers of them that differ.
QuantParams checked_params(int bits, bool is_signed, std::vector<float> scales,
                           const std::vector<int64_t>& zero_points);

/// The shortest text that is read as this float again.
std::string exact_text(float number);

}  // namespace quantize
