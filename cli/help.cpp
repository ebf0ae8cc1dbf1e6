// One screen of help, made from the options themselves.
#include "cli/help.h"

#include <CLI/CLI.hpp>

namespace quantize {

namespace {

constexpr size_t kNameColumn = 26;
constexpr size_t kLineWidth = 96;

bool is_default(const Command& command, std::span<const Command> commands) {
  return command.name == commands.front().name;
}

std::string names_of(const CLI::Option& option) {
  std::string names;
  for (const std::string& name : option.get_snames()) names += (names.empty() ? "-" : ", -") + name;
  for (const std::string& name : option.get_lnames()) names += (names.empty() ? "--" : ", --") + name;
  if (option.get_type_size() == 0) return names;
  const std::string type = option.get_type_name();  // with what its checks say of themselves, behind a colon
  return names + " " + type.substr(0, type.find(':'));
}

std::string option_line(const CLI::Option& option) {
  std::string line = "  " + (option.get_positional() ? option.get_name(true) : names_of(option));
  line.resize(std::max(line.size() + 2, kNameColumn), ' ');
  return line + option.get_description() + "\n";
}

std::string usage_line(const CLI::App& app, const Command& command, bool is_default) {
  std::string line = is_default ? "Usage: quantize" : std::string("Usage: quantize ") + command.name;
  for (const CLI::Option* option : app.get_options())
    if (option->get_positional())
      line += " " + option->get_name(true) + (option->get_items_expected_max() > 1 ? "..." : "");
  return line + " [options]\n";
}

// "More: --a --b ... (--help-all)", broken into lines.
std::string remaining_names(const CLI::App& app) {
  std::string text, line = "More (--help-all):";
  for (const CLI::Option* option : app.get_options()) {
    const bool shown = option->get_positional() || option->get_group() == kMainOptions;
    if (shown || option == app.get_help_ptr() || option == app.get_help_all_ptr()) continue;
    const std::string name = " --" + option->get_lnames().front();
    if (line.size() + name.size() > kLineWidth) {
      text += line + "\n";
      line = " ";
    }
    line += name;
  }
  return text + line + "\n";
}

}  // namespace

std::string help_text(const CLI::App& app, const Command& command, std::span<const Command> commands,
                      bool everything) {
  std::string text = std::string(command.summary) + "\n\n" + command.example + "\n" +
                     usage_line(app, command, is_default(command, commands));
  for (const CLI::Option* option : app.get_options())
    if (everything || option->get_positional() || option->get_group() == kMainOptions)
      text += option_line(*option);
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
