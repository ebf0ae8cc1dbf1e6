// The parts of a command. cli/main.cpp lists all commands.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/exit_codes.h"

namespace CLI {
class App;
}

namespace quantize {

class Console;
/// JSON whose keys keep the order in which they were set.
using Json = nlohmann::ordered_json;

/// A figure of a report; null if it is not known.
inline Json or_null(const std::optional<double>& figure) {
  return figure ? Json(*figure) : Json();
}

/// The result of a command: for machines, for people, for scripts.
struct Report {
  Json json = Json::object();  // the command's own keys of the JSON contract
  std::string text;            // the same for people; ends with a newline
  ExitCode exit_code = kExitOk;
  std::vector<std::string> failures = {};  // a sentence for each check that failed: on stderr, --quiet or not
};

/// A command with its options parsed, ready to run.
using CommandBody = std::function<Report(Console&)>;

/// One command of the program.
struct Command {
  const char* name;     // of the first command, which is the default one: that of the program
  const char* summary;  // one line
  const char* example;  // shell lines, each indented by two
  /// Adds the command's own options to `app`; what it returns works with their values once `app` has parsed.
  CommandBody (*define)(CLI::App& app);
  const char* usual = "";  // of the usage line: options that most calls have, although none is required
  const char* topic = "";  // "": none; else the end of --help-all, which `quantize help TOPIC` prints alone
  std::string (*topic_text)() = nullptr;  // required with a topic
  bool is_minor = false;                  // the first screen of help has its name alone
};

}  // namespace quantize
