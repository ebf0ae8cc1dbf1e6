// Streams, colours, and the frame that every JSON object shares.
#include "cli/console.h"
#include "cli/option_checks.h"

#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace quantize {

namespace {

// Bytes that are no UTF-8 (names in a hostile model) are replaced: JSON cannot carry them.
std::string serialize(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json as_json(const Error& error) {
  return {{"kind", name_of(error.kind())}, {"message", error.message()}, {"context", error.context()}};
}

// Errors: Error(kIo): a full disk behind a redirection must not look like success.
void write_all(const std::string& text, std::FILE* stream) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stream) == text.size();
  if (!written || std::fflush(stream) != 0)
    throw Error(ErrorKind::kIo,
                std::string("the results cannot be written to standard output: ") + std::strerror(errno));
}

}  // namespace

double peak_rss_mib() {
  struct rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;  // Linux counts KiB
}

std::string printable(const std::string& text) {
  std::string result = text;
  for (char& c : result)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return result;
}

std::string Style::paint(const char* code, const std::string& text) const {
  return color ? std::string("\x1b[") + code + "m" + text + "\x1b[0m" : text;
}

Console::Console(const std::vector<std::string>& arguments)
    : json_(std::find(arguments.begin(), arguments.end(), "--json") != arguments.end()),
      log_(std::make_shared<spdlog::logger>("quantize",
                                            std::make_shared<spdlog::sinks::stderr_color_sink_mt>())) {
  options_parsed();
}

Console::~Console() = default;

void Console::add_options(CLI::App& app) {
  app.add_flag("--json", json_, "print one JSON object on stdout and nothing else there")->group("Output");
  app.add_flag("--quiet", quiet_, "print warnings and errors only")->group("Output");
  app.add_flag("--verbose", verbose_, "explain every step on stderr")->group("Output");
  app.add_flag("--color{always},--no-color{never}", color_,
               "colours: always, never, or auto, on a terminal alone (default); alone: always")
      ->type_name("[=WHEN]")
      ->check(one_of({"always", "never", "auto"}))
      ->group("Output");
}

void Console::options_parsed() {
  auto* sink = static_cast<spdlog::sinks::stderr_color_sink_mt*>(log_->sinks().front().get());
  sink->set_color_mode(colored(STDERR_FILENO) ? spdlog::color_mode::always : spdlog::color_mode::never);
  log_->set_pattern("%^%l%$: %v");
  log_->set_level(verbose_ ? spdlog::level::debug : spdlog::level::warn);
}

// NO_COLOR: see no-color.org.
bool Console::colored(int descriptor) const {
  if (color_ != "auto") return color_ == "always";
  return isatty(descriptor) != 0 && std::getenv("NO_COLOR") == nullptr;
}

void Console::give_up_stdout(const std::string& option) {
  if (json_)
    throw Error(ErrorKind::kInvalidArgument, "--json prints its object on standard output, where " + option +
                                                 " is to write too; give one of them a file");
  has_stdout_ = false;
}

double Console::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

Style Console::style() const {
  return {colored(has_stdout_ ? STDOUT_FILENO : STDERR_FILENO)};
}

Progress Console::progress(const std::string& label) const {
  if (quiet_) return Progress(label, ProgressStyle::kNone);
  if (isatty(STDERR_FILENO) != 0) return Progress(label, ProgressStyle::kTerminal);
  return Progress(label, json_ ? ProgressStyle::kNone : ProgressStyle::kLog);
}

void Console::explain(const std::string& line) {
  log_->debug("{}", printable(line));
}

Json Console::frame() const {
  Json json;
  json["command"] = command_;
  json["version"] = QUANTIZE_VERSION;
  json["warnings"] = diagnostics.warnings;
  json["seconds"] = seconds();
  json["peak_rss_mib"] = peak_rss_mib();
  return json;
}

void Console::print_warnings() {
  for (const std::string& warning : diagnostics.warnings) log_->warn("{}", printable(warning));
}

int Console::finish(const Report& report) {
  if (json_) {
    Json json = frame();
    json.update(report.json);
    write_all(serialize(json), stdout);
  } else if (!quiet_) {
    write_all(report.text, has_stdout_ ? stdout : stderr);
  }
  print_warnings();
  for (const std::string& failure : report.failures) log_->error("{}", printable(failure));
  return report.exit_code;
}

std::string Console::object_of(const Error& error) const {
  if (!json_) return "";
  Json json = frame();
  json["seconds"] = json["peak_rss_mib"] = nullptr;
  json["error"] = as_json(error);
  return serialize(json);
}

int Console::fail(const Error& error) {
  print_warnings();
  log_->error("{}", printable(error.what()));
  if (json_) {
    Json json = frame();
    json["error"] = as_json(error);
    const std::string text = serialize(json);
    std::fwrite(text.data(), 1, text.size(), stdout);
  }
  return exit_code_of(error.kind());
}

}  // namespace quantize
