// JSON that a user has written.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace quantize {

/// Errors: Error(kInvalidArgument), naming `what` and the byte, for text that is no JSON, a number that is
/// beyond all floating-point numbers, and a key that an object has twice.
nlohmann::json parse_json(const std::string& text, const std::string& what);

}  // namespace quantize
