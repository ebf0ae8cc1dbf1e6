// Read cut_before_unknown first.
#include "cli/keep_unknown.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "calibration/images/npy.h"
#include "cli/text.h"

namespace quantize {

namespace {

// The type and shape of an array, whose first axis is that of the samples: in the model it is the batch.
void take_type(Value& value, const NpyArray& array, int64_t batch) {
  if (array.shape().empty())
    throw Error(ErrorKind::kCalibration, "the array of '" + value.name + "' has no axis of samples");
  value.dtype = array.dtype();
  value.shape = array.shape();
  value.shape->front() = batch;
}

// A value that the model says nothing about has the type of the samples.
void read_type(Value& value, const std::string& path, int64_t batch) {
  if (value.dtype != DataType::kUndefined && value.shape) return;
  if (path.ends_with(".npy")) return take_type(value, NpyArray::open(path), batch);
  if (!path.ends_with(".npz"))
    throw Error(ErrorKind::kUnsupported, "the model does not say the type and shape of '" + value.name +
                                             "'; give its samples as one .npy or .npz file");
  const std::map<std::string, NpyArray> arrays = open_npz(path);
  const auto found = arrays.size() == 1 ? arrays.begin() : arrays.find(value.name);
  if (found == arrays.end())
    throw Error(ErrorKind::kCalibration, "'" + path + "' has no array called '" + value.name + "'");
  take_type(value, found->second, batch);
}

// The values of unknown operators that the places of samples name.
std::vector<std::string> fed_values(Graph& model, const std::vector<std::string>& places) {
  const auto input = model.inputs.empty() ? std::nullopt : model.value(model.inputs[0]).shape;
  const int64_t batch = input && !input->empty() ? input->front() : kUnknownDim;
  std::vector<std::string> fed;
  for (const ValueId id : values_of_unknown(model)) {
    Value& value = model.value(id);
    for (const std::string& place : places)
      if (place.starts_with(value.name + "=")) {
        read_type(value, place.substr(value.name.size() + 1), batch);
        fed.push_back(value.name);
      }
  }
  return fed;
}

}  // namespace

void add_keep_unknown(CLI::App& app, bool& keep) {
  app.add_flag("--keep-unknown", keep,
               "operators that this program does not know stay; what depends on them is float, unless "
               "--calib NAME=PATH "
               "has samples of what they write")
      ->group("Quantization");
}

std::optional<CutModel> cut_before_unknown(const std::string& path, Graph& model, bool keep,
                                           const std::vector<std::string>& places, Diagnostics& diagnostics) {
  // Without the option, preparing the model judges its bodies: a branch that cannot run is dropped.
  const std::vector<NodeId> unknown = unknown_nodes(model, keep);
  if (unknown.empty()) {
    if (keep) diagnostics.warn("--keep-unknown has no effect: all operators are known; leave it out");
    return std::nullopt;
  }
  const Node& first = model.nodes[static_cast<size_t>(unknown[0])];
  CutModel cut =
      with_context([&] { return path; },
                   [&] {
                     if (!keep)
                       throw Error(ErrorKind::kUnsupported,
                                   describe_unknown(model, first) +
                                       " is an operator that this program does not know; "
                                       "--keep-unknown leaves it and all that depends on it as they are");
                     return cut_unknown(model, fed_values(model, places));
                   });
  model = cut.head;
  const size_t behind = cut.tail.nodes.size() - 1;
  diagnostics.warn(cut.cause + " is not known: it stays as it is, in float, with " +
                   format_plural(behind, "other node") + " behind it or not known");
  return cut;
}

}  // namespace quantize
