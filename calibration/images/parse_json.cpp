#include "calibration/images/parse_json.h"

#include <set>
#include <vector>

#include "core/error.h"

namespace quantize {

namespace {

using Json = nlohmann::json;

/// Told of each part of a text as it is read; refuses a key that its object has already, and what is too deep.
class UniqueKeys {
 public:
  explicit UniqueKeys(const std::string& what) : what_(what) {}

  bool operator()(int depth, Json::parse_event_t event, const Json& parsed) {
    constexpr int kDeepest = 64;
    if (depth > kDeepest)
      throw Error(ErrorKind::kInvalidArgument, what_ + ": more than 64 levels of objects and arrays");
    if (event == Json::parse_event_t::object_start) objects_.emplace_back();
    if (event == Json::parse_event_t::object_end) objects_.pop_back();
    if (event == Json::parse_event_t::key && !objects_.back().insert(parsed.get<std::string>()).second)
      throw Error(ErrorKind::kInvalidArgument,
                  what_ + ": key \"" + parsed.get<std::string>() + "\" stands twice in one object");
    return true;
  }

 private:
  const std::string& what_;
  std::vector<std::set<std::string>> objects_;  // the keys of those that are open
};

}  // namespace

Json parse_json(const std::string& text, const std::string& what, JsonComments comments) {
  try {
    return Json::parse(text, UniqueKeys(what), true, comments == JsonComments::kIgnored);
  } catch (const Json::parse_error& error) {
    throw Error(ErrorKind::kInvalidArgument, what + ": no valid JSON at byte " + std::to_string(error.byte));
  } catch (const Json::out_of_range&) {
    throw Error(ErrorKind::kInvalidArgument, what + ": a number is beyond all floating-point numbers");
  }
}

}  // namespace quantize
