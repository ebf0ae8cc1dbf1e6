// Parsing: CLI11's exceptions end here.
#include "cli/dispatch.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "cli/console.h"
#include "cli/help.h"
#include "cli/interrupt.h"
#include "cli/text.h"
#include "core/near_names.h"

namespace quantize {

namespace {

// The first word is meant as a command if it is no option, no file, and not like the name of one.
void refuse_unknown(std::span<const Command> commands, const std::string& word) {
  std::error_code ignored;
  if (word.starts_with('-') || word.find_first_of("./") != std::string::npos ||
      std::filesystem::exists(word, ignored))
    return;
  std::vector<std::string> names = {"help"};
  for (const Command& command : commands.subspan(1)) names.push_back(command.name);
  const std::vector<std::string> near = near_names(word, names, 1);
  throw Error(ErrorKind::kInvalidArgument, "there is no command and no file '" + word + "'; " +
                                               (near.empty() ? "the commands are " + join(names, ", ")
                                                             : "did you mean 'quantize " + near[0] + "'?"));
}

// The command whose topic "help TOPIC" asks for; nullptr if it asks for none.
const Command* topic_of(std::span<const Command> commands, const std::vector<std::string>& arguments) {
  if (arguments.size() != 2 || arguments[0] != "help") return nullptr;
  for (const Command& command : commands)
    if (command.topic_text != nullptr && arguments[1] == command.topic) return &command;
  return nullptr;
}

// "help" and "help COMMAND" are --help and COMMAND --help.
void take_help(std::vector<std::string>& arguments) {
  if (arguments.empty() || arguments.front() != "help") return;
  arguments.erase(arguments.begin());
  arguments.push_back("--help");
}

const Command& take_command(std::span<const Command> commands, std::vector<std::string>& arguments) {
  take_help(arguments);
  const auto named = [&](const Command& command) {
    return !arguments.empty() && arguments.front() == command.name;
  };
  const auto found = std::find_if(commands.begin(), commands.end(), named);
  if (found == commands.end()) {
    if (!arguments.empty()) refuse_unknown(commands, arguments.front());
    return commands.front();
  }
  arguments.erase(arguments.begin());
  return *found;
}

Error usage_error(std::string message, const std::string& invocation) {
  while (!message.empty() && (message.back() == '\n' || message.back() == '.')) message.pop_back();
  const std::string end = message.ends_with('?') ? " '" : "; '";
  return Error(ErrorKind::kInvalidArgument, message + end + invocation + " --help' shows what there is");
}

// The name of the nearest option, for an argument that was not expected.
std::string option_hint(const CLI::App& app, const std::string& argument) {
  if (!argument.starts_with("--")) return "";
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  const std::vector<std::string> near = near_names(argument.substr(0, argument.find('=')), names, 1);
  return near.empty() ? "" : "; did you mean " + near[0] + "?";
}

// In our words: CLI11's speak of its own types.
std::string sentence_of(const CLI::ParseError& error) {
  const std::string text = error.what();
  const size_t start = std::min(text.find('-'), text.size());
  const std::string name = text.substr(start, text.find_first_of(": =", start) - start);
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr)
    return name + (text.find("missing") != std::string::npos ? " needs a value" : " is given more than once");
  if (dynamic_cast<const CLI::ConversionError*>(&error) != nullptr) return name + " does not take this value";
  return text;
}

// An empty value, as of "$UNSET" in a script, would pass for an option that is not given.
void check_values(const CLI::App& app, const std::string& invocation) {
  for (const CLI::Option* option : app.get_options())
    for (const std::string& value : option->results())
      if (value.empty()) throw usage_error(option->get_name() + " is given an empty value", invocation);
}

}  // namespace

int run_command(std::span<const Command> commands, std::vector<std::string> arguments, Console& console) {
  if (const Command* command = topic_of(commands, arguments)) {
    std::fputs(command->topic_text().c_str(), stdout);
    return kExitOk;
  }
  const Command& command = take_command(commands, arguments);
  console.set_command(command.name);
  catch_interrupts([&](const Error& error) { return console.object_of(error); });
  const bool is_default = &command == &commands.front();
  const std::string program = commands.front().name;
  const std::string invocation = is_default ? program : program + " " + command.name;

  CLI::App app;
  app.option_defaults()->group(kMainOptions);
  const CommandBody body = command.define(app);
  console.add_options(app);
  app.set_help_flag("-h,--help", "this help")->group("Output");
  app.set_help_all_flag("--help-all", "every option with its meaning")->group("Output");
  app.set_version_flag("--version", program + " " QUANTIZE_VERSION, "the version")->group("Output");
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
    const std::string argument = app.remaining().front();
    throw usage_error("'" + argument + "' was not expected" + option_hint(app, argument), invocation);
  } catch (const CLI::ParseError& error) {
    throw usage_error(sentence_of(error), invocation);
  }
  check_values(app, invocation);
  console.options_parsed();
  return console.finish(body(console));
}

}  // namespace quantize
