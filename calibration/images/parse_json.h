// JSON that a user has written.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace quantize {

/// Whether comments, /* */ and //, count as white space.
enum class JsonComments { kRefused, kIgnored };

/// Errors: Error(kInvalidArgument), naming `what` and the byte, for text that is no JSON, a number that is
/// beyond all floating-point numbers, a key that an object has twice, and more than 64 levels of objects and arrays.
nlohmann::json parse_json(const std::string& text, const std::string& what,
                          JsonComments comments = JsonComments::kRefused);

}  // namespace quantize
