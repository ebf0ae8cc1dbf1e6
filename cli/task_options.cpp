#include "cli/task_options.h"

#include <CLI/CLI.hpp>

#include "calibration/search/task.h"
#include "cli/option_checks.h"
#include "cli/text.h"

namespace quantize {

void add_task_option(CLI::App& app, std::string& task) {
  std::vector<std::string> names = {kAutoTask};
  for (const std::string& name : task_names()) names.push_back(name);
  app.add_option("--task", task,
                 "what the outputs mean, and so what agreement is: " + join(names, ", ") + " (default auto)")
      ->type_name("NAME")
      ->check(one_of(names))
      ->group("Bound on the loss");
}

}  // namespace quantize
