// One screen of help, made from the options themselves.
#include "cli/help.h"

#include <CLI/CLI.hpp>

#include "cli/text.h"

namespace quantize {

namespace {

constexpr size_t kNameColumn = 26;

bool is_default(const Command& command, std::span<const Command> commands) {
  return command.name == commands.front().name;
}

// Without the texts of its checks, which CLI11 adds behind a colon.
std::string type_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  return type.substr(0, type.find(':'));
}

std::string names_of(const CLI::Option& option) {
  std::string names;
  for (const std::string& name : option.get_snames()) names += (names.empty() ? "-" : ", -") + name;
  for (const std::string& name : option.get_lnames()) names += (names.empty() ? "--" : ", --") + name;
  return option.get_type_size() == 0 ? names : names + " " + type_of(option);
}

std::string option_line(const CLI::Option& option) {
  std::string line = "  " + (option.get_positional() ? option.get_name(true) : names_of(option));
  line.resize(std::max(line.size() + 2, kNameColumn), ' ');
  return line + wrapped(option.get_description(), kTextWidth - line.size(), kNameColumn) + "\n";
}

std::string usage_line(const CLI::App& app, const Command& command, std::span<const Command> commands) {
  std::string line = std::string("Usage: ") + commands.front().name;
  if (!is_default(command, commands)) line += std::string(" ") + command.name;
  for (const CLI::Option* option : app.get_options())
    if (option->get_positional())
      line += " " + option->get_name(true) + (option->get_items_expected_max() > 1 ? "..." : "");
  for (const CLI::Option* option : app.get_options())
    if (!option->get_positional() && option->get_required())
      line += (option->get_snames().empty() ? " --" + option->get_lnames().front()
                                            : " -" + option->get_snames().front()) +
              " " + type_of(*option);
  return line + command.usual + " [options; --help-all lists all]\n";
}

bool is_in_example(const CLI::Option& option, const Command& command) {
  const std::string example = command.example + std::string(" ");
  for (const std::string& name : option.get_lnames())
    if (example.find(" --" + name + " ") != std::string::npos) return true;
  return false;
}

bool is_on_first_screen(const CLI::Option& option, const Command& command) {
  return option.get_positional() || option.get_group() == kMainOptions || is_in_example(option, command);
}

// "More: --a --b ...", broken into lines.
std::string remaining_names(const CLI::App& app, const Command& command) {
  std::string text, line = "More:";
  for (const CLI::Option* option : app.get_options()) {
    if (is_on_first_screen(*option, command)) continue;
    if (option == app.get_help_ptr() || option == app.get_help_all_ptr()) continue;
    const std::string name = " --" + option->get_lnames().front();
    if (line.size() + name.size() > kTextWidth) {
      text += line + "\n";
      line.clear();
    }
    line += name;
  }
  return text + line + "\n";
}

// The options that are not of the first screen, under the name of their group.
std::string other_groups(const CLI::App& app, const Command& command) {
  std::string text;
  for (const std::string& group : app.get_groups()) {
    std::string lines;
    for (const CLI::Option* option : app.get_options())
      if (option->get_group() == group && !is_on_first_screen(*option, command))
        lines += option_line(*option);
    if (!lines.empty()) text += "\n" + group + ":\n" + lines;
  }
  return text;
}

std::string command_line(std::string name, const std::string& summary) {
  name = "  " + name;
  name.resize(14, ' ');
  return name + summary + "\n";
}

std::string command_lines(std::span<const Command> commands, bool everything) {
  std::string text = "Commands, each with its own --help:\n";
  std::vector<std::string> minor;
  for (const Command& command : commands)
    if (command.is_minor && !everything)
      minor.push_back(command.name);
    else
      text += command_line(command.name, command.summary);
  return minor.empty() ? text : text + command_line("further", join(minor, ", "));
}

}  // namespace

std::string help_text(const CLI::App& app, const Command& command, std::span<const Command> commands,
                      bool everything) {
  std::string text =
      std::string(command.summary) + "\n" + command.example + usage_line(app, command, commands);
  for (const CLI::Option* option : app.get_options())
    if (is_on_first_screen(*option, command)) text += option_line(*option);
  text += everything ? other_groups(app, command) : remaining_names(app, command);
  if (everything && command.topic_text != nullptr) text += "\n" + command.topic_text() + "\n";
  if (!is_default(command, commands) || commands.size() == 1) return text;
  return text + command_lines(commands.subspan(1), everything);
}

}  // namespace quantize
