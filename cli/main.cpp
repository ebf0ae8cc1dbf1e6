// The program: every command there is, and what becomes of an error.
#include <csignal>
#include <exception>
#include <string>
#include <vector>

#include "cli/bench_command.h"
#include "cli/calibrate_command.h"
#include "cli/console.h"
#include "cli/dispatch.h"
#include "cli/exit_codes.h"
#include "cli/export_command.h"
#include "cli/inspect_command.h"
#include "cli/interrupt.h"
#include "cli/lint_command.h"
#include "cli/merge_command.h"
#include "cli/quantize_command.h"
#include "cli/retarget_command.h"
#include "cli/run_command.h"
#include "cli/sensitivity_command.h"
#include "cli/targets_command.h"
#include "cli/verify_command.h"

namespace {

// The first is the default command.
const quantize::Command kCommands[] = {
    quantize::kQuantizeCommand, quantize::kCalibrateCommand, quantize::kMergeCommand,
    quantize::kRunCommand,      quantize::kVerifyCommand,    quantize::kSensitivityCommand,
    quantize::kInspectCommand,  quantize::kBenchCommand,     quantize::kTargetsCommand,
    quantize::kLintCommand,     quantize::kRetargetCommand,  quantize::kExportCommand,
};

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE,
              SIG_IGN);  // a reader that goes away is an error of writing, which removes unfinished files
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  quantize::Console console(arguments);
  try {
    return quantize::run_command(kCommands, arguments, console);
  } catch (const std::exception&) {
    quantize::end_by_itself();
    return console.fail(quantize::current_error());
  }
}
