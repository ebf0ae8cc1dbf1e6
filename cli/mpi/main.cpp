// quantize_mpi: the default command, its calibration shared by the ranks of an MPI job. Rank 0 speaks for all.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "cli/console.h"
#include "cli/dispatch.h"
#include "cli/exit_codes.h"
#include "cli/interrupt.h"
#include "cli/mpi/mpi_team.h"
#include "cli/option_checks.h"
#include "cli/quantize_command.h"

namespace quantize {

namespace {

Team* team = nullptr;  // of this process, for the command, which is plain data

void check_shared(const QuantizeFlags& flags) {
  std::vector<std::string> inputs = paths_in(flags.samples);
  inputs.push_back(flags.model);
  for (const std::string& input : inputs)
    if (!input.empty() && is_stream(input))
      throw Error(ErrorKind::kInvalidArgument,
                  "'" + input + "' reaches one process alone; give a file or folder that all ranks see");
}

CommandBody define(CLI::App& app) {
  const auto flags = std::make_shared<QuantizeFlags>();
  flags->sharing.team = team;
  const CommandBody run = define_quantize(app, flags);
  app.add_option(
         "--shard-dir", flags->sharing.folder,
         "keeps the statistics of every shard here; a job that is run again makes those that are missing "
         "or out of date")
      ->type_name("DIR");
  app.add_option("--shards", flags->sharing.shards,
                 "parts of the samples that are kept (default one per rank)")
      ->type_name("N")
      ->check(whole_number(1, 1'000'000))
      ->group("Samples");
  return [flags, run](Console& console) {
    check_shared(*flags);
    if (!team->leads() && flags->engine.threads == 0) flags->engine.threads = team->threads();
    return run(console);
  };
}

const Command kMpiCommand = {
    .name = "quantize_mpi",
    .summary = "quantize, its images shared by the ranks of an MPI job; the file is the same.",
    .example = "  mpirun -n 8 quantize_mpi mobilenet.onnx --calib photos/ --shard-dir shards/\n",
    .define = define,
    .usual = " --calib PATH",
};

int run(MpiTeam& members, Console& console, const std::vector<std::string>& arguments) {
  team = &members;
  try {
    members.require_threads();
    const int exit_code = run_command({&kMpiCommand, 1}, arguments, console);
    members.meet("end", "");
    return members.leads() ? exit_code : 0;
  } catch (const std::exception&) {
    const Error own = current_error();
    end_by_itself();
    if (!members.leads()) return console.fail(members.fail(own));
    const int exit_code =
        console.fail(own);  // first: whoever is gone does not answer, and mpirun ends who waits for that
    std::fflush(stdout);
    members.fail(own);
    return exit_code;
  }
}

}  // namespace

}  // namespace quantize

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  setenv("NO_COLOR", "1", 1);  // mpirun gives its ranks a terminal, wherever its own output goes
  quantize::MpiTeam members(argc, argv);
  quantize::Console console(arguments);
  return members.end(quantize::run(members, console, arguments));
}
