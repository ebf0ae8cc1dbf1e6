// --keep-unknown: models with operators that this program does not know.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/passes/cut_unknown.h"

namespace CLI {
class App;
}

namespace quantize {

/// Adds --keep-unknown.
void add_keep_unknown(CLI::App& app, bool& keep);

/// Cuts a model as it was read before operators that are not known: it becomes the part in front of them. Nothing
/// if all are known; warns if `keep` was for nothing.
///
/// `places` are those of the samples. "NAME=PATH" of a value that depends on such operators makes it an input of the
/// model, and what stands behind it a part of the model; its type and shape are those of the file at PATH, a .npy or .npz, if
/// the model does not say them.
/// Errors: Error(kUnsupported) naming the first such node unless `keep`, and for a value whose type nobody says; those
/// of cut_unknown and of reading the file; with the path as context.
std::optional<CutModel> cut_before_unknown(const std::string& path, Graph& model, bool keep,
                                           const std::vector<std::string>& places, Diagnostics& diagnostics);

}  // namespace quantize
