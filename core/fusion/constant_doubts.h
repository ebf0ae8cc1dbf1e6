// Constants that no network should have.
#pragma once

#include <string>
#include <vector>

#include "core/graph.h"

namespace quantize {

/// A sentence for each constant that a node of the model, as its file has it, reads and that cannot be right:
/// scales of codes that are not positive and finite, weights that are not finite, anything else that holds
/// NaN. Masks and open bounds hold infinity rightly: other constants that do are among them only with
/// `infinite_too`.
std::vector<std::string> doubts_about_constants(const Graph& model, bool infinite_too);

}  // namespace quantize
