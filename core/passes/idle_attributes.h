// Attributes that change nothing as they stand.
#pragma once

#include <string>

#include "core/graph.h"

namespace quantize {

/// True for an attribute that newer opsets gave to an operator, or that other runtimes lack, where its value is that
/// which its absence means: dilations of 1, a factor of 1.
bool is_idle(const Node& node, const std::string& name, const Attribute& attribute);

/// Removes them from a node.
void drop_idle_attributes(Node& node);

}  // namespace quantize
