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

// With what its checks say of themselves, behind a colon.
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

std::string usage_line(const CLI::App& app, const Command& command, bool is_default) {
  std::string line = is_default ? "Usage: quantize" : std::string("Usage: quantize ") + command.name;
  for (const CLI::Option* option : app.get_options())
    if (option->get_positional())
      line += " " + option->get_name(true) + (option->get_items_expected_max() > 1 ? "..." : "");
  for (const CLI::Option* option : app.get_options())
    if (!option->get_positional() && option->get_required())
      line += (option->get_snames().empty() ? " --" + option->get_lnames().front()
                                            : " -" + option->get_snames().front()) +
              " " + type_of(*option);
  return line + command.usual + " [options]\n";
}

// "More: --a --b ... (--help-all)", broken into lines.
std::string remaining_names(const CLI::App& app) {
  std::string text, line = "More (--help-all):";
  for (const CLI::Option* option : app.get_options()) {
    const bool shown = option->get_positional() || option->get_group() == kMainOptions;
    if (shown || option == app.get_help_ptr() || option == app.get_help_all_ptr()) continue;
    const std::string name = " --" + option->get_lnames().front();
    if (line.size() + name.size() > kTextWidth) {
      text += line + "\n";
      line = " ";
    }
    line += name;
  }
  return text + line + "\n";
}

// The options that are not of the first screen, under the name of their group.
std::string other_groups(const CLI::App& app) {
  std::string text;
  for (const std::string& group : app.get_groups()) {
    std::string lines;
    for (const CLI::Option* option : app.get_options())
      if (!option->get_positional() && option->get_group() == group) lines += option_line(*option);
    if (group != kMainOptions && !lines.empty()) text += "\n" + group + ":\n" + lines;
  }
  return text;
}

}  // namespace

std::string help_text(const CLI::App& app, const Command& command, std::span<const Command> commands,
                      bool everything) {
  std::string text = std::string(command.summary) + "\n\n" + command.example + "\n" +
                     usage_line(app, command, is_default(command, commands));
  for (const CLI::Option* option : app.get_options())
    if (option->get_positional() || option->get_group() == kMainOptions) text += option_line(*option);
  if (everything) text += other_groups(app);
  if (!everything) text += remaining_names(app);
  if (!is_default(command, commands)) return text;
  text += "Commands, each with its own --help:\n";
  for (const Command& other : commands.subspan(1)) {
    std::string line = std::string("  ") + other.name;
    line.resize(14, ' ');
    text += line + other.summary + "\n";
  }
  return text;
}

}  // namespace quantize
