// Parsing: CLI11's exceptions end here.
#include "cli/dispatch.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "cli/console.h"
#include "cli/help.h"

namespace quantize {

namespace {

const Command& take_command(std::span<const Command> commands, std::vector<std::string>& arguments) {
  const auto named = [&](const Command& command) {
    return !arguments.empty() && arguments.front() == command.name;
  };
  const auto found = std::find_if(commands.begin(), commands.end(), named);
  if (found == commands.end()) return commands.front();
  arguments.erase(arguments.begin());
  return *found;
}

Error usage_error(std::string message, const std::string& invocation) {
  while (!message.empty() && (message.back() == '\n' || message.back() == '.')) message.pop_back();
  return Error(ErrorKind::kInvalidArgument, message + "; '" + invocation + " --help' shows what there is");
}

}  // namespace

int run_command(std::span<const Command> commands, std::vector<std::string> arguments, Console& console) {
  const Command& command = take_command(commands, arguments);
  console.set_command(command.name);
  const bool is_default = &command == &commands.front();
  const std::string invocation = is_default ? "quantize" : std::string("quantize ") + command.name;

  CLI::App app;
  app.option_defaults()->group(kMainOptions);
  const CommandBody body = command.define(app);
  console.add_options(app);
  app.set_help_flag("-h,--help", "this help")->group("Output");
  app.set_help_all_flag("--help-all", "every option with its meaning")->group("Output");
  app.set_version_flag("--version", "quantize " QUANTIZE_VERSION, "the version")->group("Output");
  try {
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
    app.parse(std::move(arguments));
  } catch (const CLI::CallForVersion& version) {
    std::printf("%s\n", version.what());
    return kExitOk;
  } catch (const CLI::CallForAllHelp&) {
    std::fputs(help_text(app, command, commands, true).c_str(), stdout);
    return kExitOk;
  } catch (const CLI::CallForHelp&) {
    std::fputs(help_text(app, command, commands, false).c_str(), stdout);
    return kExitOk;
  } catch (const CLI::ExtrasError&) {
    throw usage_error("'" + app.remaining().front() + "' was not expected", invocation);
  } catch (const CLI::ParseError& error) {
    throw usage_error(error.what(), invocation);
  }
  console.options_parsed();
  return console.finish(body(console));
}

}  // namespace quantize
