// --task: the meaning of a model's outputs, on which the meaning of agreement depends.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace quantize {

/// The value of --task with which every output is looked at for itself; parse_task gives nothing for it.
constexpr const char* kAutoTask = "auto";

/// Adds --task, which sets `task`.
void add_task_option(CLI::App& app, std::string& task);

}  // namespace quantize
