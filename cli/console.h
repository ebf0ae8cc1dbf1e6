// Where the program writes: results on stdout, everything else on stderr.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/progress.h"
#include "core/error.h"

namespace spdlog {
class logger;
}

namespace quantize {

/// Emphasis in text for a terminal; plain text where there are no colours.
struct Style {
  bool color = false;
  std::string bold(const std::string& text) const { return paint("1", text); }
  std::string good(const std::string& text) const { return paint("32", text); }
  std::string bad(const std::string& text) const { return paint("31", text); }

 private:
  std::string paint(const char* code, const std::string& text) const;
};

/// Standard output and standard error of one command: the only place that prints.
class Console {
 public:
  /// Errors of the command line itself obey --json too, so that the arguments are looked at before they are
  /// parsed.
  explicit Console(const std::vector<std::string>& arguments);
  ~Console();

  /// --json, --quiet, --verbose and --color.
  void add_options(CLI::App& app);
  /// The options have their values: from now on they count.
  void options_parsed();
  /// The name that goes into the JSON.
  void set_command(const char* name) { command_ = name; }

  /// From now on the text of results goes to stderr: what `option` names is written to stdout.
  /// Errors: Error(kInvalidArgument) with --json, whose object would stand beside it.
  void give_up_stdout(const std::string& option);

  /// Prints the report of a command and the warnings. The result is the exit code.
  int finish(const Report& report);
  /// Prints an error and the warnings that came before it. The result is the exit code.
  int fail(const Error& error);
  /// The JSON object of an error whose time and memory are not known; "" without --json.
  std::string object_of(const Error& error) const;

  /// A line on stderr with --verbose.
  void explain(const std::string& line);
  Progress progress(const std::string& label) const;
  /// For text on stdout.
  Style style() const;
  /// Since the program started.
  double seconds() const;

  Diagnostics diagnostics;  // printed at the end, and in the JSON

 private:
  Json frame() const;
  void print_warnings();
  bool colored(int descriptor) const;

  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::string command_ = "quantize";
  bool has_stdout_ = true;  // for results
  bool json_ = false, quiet_ = false, verbose_ = false;
  std::string color_ = "auto";
  std::shared_ptr<spdlog::logger> log_;
};

/// The most memory that the program has held so far.
double peak_rss_mib();

/// Text that is safe for a terminal: control characters, which may come from a hostile model, become '?'.
std::string printable(const std::string& text);

}  // namespace quantize
