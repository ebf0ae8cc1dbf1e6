// Scales in JSON that others have written.
#pragma once

#include <cctype>
#include <nlohmann/json.hpp>
#include <string>

#include "calibration/scales/scale_format.h"
#include "core/error.h"

namespace quantize {

/// The text of a file; bytes of names that are no UTF-8 are replaced.
inline std::string text_of(const nlohmann::json& object) {
  return object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

/// True if the text could be a JSON object.
inline bool starts_object(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string::npos && text[first] == '{';
}

/// The element of this key. Errors: Error(kInvalidArgument) if it is missing or of another type.
template <typename T>
T json_at(const nlohmann::json& object, const char* key) {
  try {
    return object.at(key).get<T>();
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorKind::kInvalidArgument, "\"" + std::string(key) + "\" is missing or of another type");
  }
}

/// The scales that read(entry) finds in the entries of an object of values.
/// Errors: Error(kInvalidArgument) naming the value.
template <typename Read>
ScalesByValue scales_in(const nlohmann::json& object, const Read& read) {
  if (!object.is_object()) throw Error(ErrorKind::kInvalidArgument, "no JSON object of value names");
  ScalesByValue scales;
  for (const auto& [name, entry] : object.items())
    with_context([&, &name = name] { return "'" + name + "'"; },
                 [&, &name = name, &entry = entry] { scales[name] = read(entry); });
  return scales;
}

}  // namespace quantize
