#include "cli/task_options.h"

#include <CLI/CLI.hpp>

#include "calibration/tasks/all_tasks.h"
#include "cli/option_checks.h"
#include "cli/text.h"

namespace quantize {

void add_task_option(CLI::App& app, std::vector<std::string>& tasks) {
  std::vector<std::string> names = {kAutoTask};
  for (const TaskDef* task : all_tasks()) names.emplace_back(task->name);
  const OptionCheck is_name = one_of(names);
  app.add_option("--task", tasks,
                 "what the outputs mean, and so what agreement is: " + join(names, ", ") +
                     " (default auto); OUTPUT=NAME for one of them; repeatable")
      ->type_name("NAME")
      ->allow_extra_args(false)
      ->check([is_name](const std::string& word) { return is_name(word.substr(word.rfind('=') + 1)); })
      ->group("Bound on the loss");
}

}  // namespace quantize
