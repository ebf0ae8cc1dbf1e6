// --task: the meaning of a model's outputs, on which the meaning of agreement depends.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace quantize {

/// Adds --task, which sets `tasks` to words for parse_tasks.
void add_task_option(CLI::App& app, std::vector<std::string>& tasks);

}  // namespace quantize
