// quantize inspect: what is in a model file.
#include "cli/inspect_command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "cli/console.h"
#include "cli/options.h"
#include "cli/text.h"
#include "core/fusion/constant_doubts.h"
#include "core/integer/certificates.h"
#include "core/integer/model_facts.h"
#include "core/ops/macs.h"
#include "core/passes/passes.h"
#include "core/quantization/node_selection.h"

namespace quantize {

namespace {

struct InspectOptions {
  std::string model;
  InputShapes input_shapes;
  bool names = false, certify = false;
};

struct Facts {
  std::optional<uint64_t> bytes;  // of a file
  uint64_t parameters = 0;
  std::optional<uint64_t> macs;  // nothing: the shapes do not follow from the file
  std::map<std::string, size_t> op_types;
  QuantizationFacts quantized;
};

// An extent as JSON: a number, the symbol of an unknown one, or "?".
Json extent_json(const Value& value, size_t i) {
  if ((*value.shape)[i] != kUnknownDim) return (*value.shape)[i];
  return i < value.dim_names.size() && !value.dim_names[i].empty() ? value.dim_names[i] : "?";
}

Json value_json(const Value& value) {
  Json shape = Json::array();
  for (size_t i = 0; value.shape && i < value.shape->size(); ++i) shape.push_back(extent_json(value, i));
  return {{"dtype", name_of(value.dtype)}, {"shape", shape}};
}

std::string value_text(const Value& value) {
  std::vector<std::string> extents;
  for (size_t i = 0; value.shape && i < value.shape->size(); ++i) {
    const Json extent = extent_json(value, i);
    extents.push_back(extent.is_string() ? extent.get<std::string>() : extent.dump());
  }
  return value.name + "  " + std::string(name_of(value.dtype)) + " " +
         (extents.empty() ? "scalar" : join(extents, "x"));
}

std::string open_input(const Graph& graph) {
  for (const ValueId id : graph.inputs) {
    const Value& input = graph.value(id);
    if (!input.shape || (!input.shape->empty() && !is_static(Dims(*input.shape).subspan(1))))
      return example_shape(input);
  }
  return "";
}

// With an unknown batch counted as 1. Nothing and a warning where the shapes do not follow from the file.
std::optional<uint64_t> total_macs(const Graph& graph, Diagnostics& diagnostics) {
  if (!sizes_are_known(graph)) {
    diagnostics.warn("macs are not counted: fix the open extents of the inputs, such as with --input-shape " +
                     open_input(graph));
    return std::nullopt;
  }
  try {
    const Graph prepared = open_model(graph);
    uint64_t total = 0;
    for (const Node& node : prepared.nodes) total += macs_of(prepared, node);
    return total;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kInterrupted) throw;
    diagnostics.warn(std::string("macs are not counted: ") + error.what());
    return std::nullopt;
  }
}

Facts facts_of(const InspectOptions& options, const Graph& graph, Diagnostics& diagnostics) {
  Facts facts;
  facts.bytes = bytes_of_model(options.model, graph);
  for (const Value& value : graph.values)
    if (value.is_constant()) facts.parameters += static_cast<uint64_t>(value.initializer.size());
  for (const Node& node : graph.nodes) {
    ++facts.op_types[node.op_type];
    const Tensor* value = node.inputs.empty() ? node.tensor_attribute("value") : nullptr;  // of a Constant
    if (value != nullptr) facts.parameters += static_cast<uint64_t>(value->size());
  }
  for (std::string& doubt : doubts_about_constants(graph, false)) diagnostics.warn(std::move(doubt));
  facts.macs = total_macs(graph, diagnostics);
  facts.quantized = quantization_facts(graph);
  return facts;
}

Json values_json(const Graph& graph, const std::vector<ValueId>& ids) {
  Json json = Json::object();
  for (const ValueId id : ids) json[graph.value(id).name] = value_json(graph.value(id));
  return json;
}

Json json_of(const InspectOptions& options, const Graph& graph, const Facts& facts) {
  Json json;
  json["model"] = options.model;
  json["ir_version"] = graph.info.ir_version;
  json["opset"] = graph.opset();
  json["inputs"] = values_json(graph, graph.inputs);
  json["unread_inputs"] = Json::array();
  for (const UnreadInput& input : graph.info.unread_inputs) json["unread_inputs"].push_back(input.name);
  json["outputs"] = values_json(graph, graph.outputs);
  json["parameters"] = facts.parameters;
  json["bytes"] = facts.bytes ? Json(*facts.bytes) : Json();
  json["macs"] = facts.macs ? Json(*facts.macs) : Json();
  json["op_types"] = facts.op_types;
  json["quantized"] = {{"format", facts.quantized.format},
                       {"int8_nodes", facts.quantized.int8_nodes},
                       {"int16_nodes", facts.quantized.int16_nodes},
                       {"float_nodes", facts.quantized.float_nodes}};
  json["metadata"] = graph.info.metadata;
  return json;
}

std::string text_of(const InspectOptions& options, const Graph& graph, const Facts& facts,
                    const Style& style) {
  std::string text = style.bold(printable(options.model)) + "\n";
  text += "  opset " + std::to_string(graph.opset()) + ", IR version " +
          std::to_string(graph.info.ir_version) + (facts.bytes ? ", " + format_bytes(*facts.bytes) : "") +
          "\n";
  for (const ValueId id : graph.inputs) text += "  input   " + printable(value_text(graph.value(id))) + "\n";
  for (const UnreadInput& input : graph.info.unread_inputs)
    text += "  input   " + printable(input.name) + "  (no output depends on it)\n";
  for (const ValueId id : graph.outputs) text += "  output  " + printable(value_text(graph.value(id))) + "\n";
  text += "  " + format_count(facts.parameters) + " parameters";
  if (facts.macs) text += ", " + format_count(*facts.macs) + " multiply-accumulates a run";
  text += "\n  format " + facts.quantized.format + ": " + format_plural(facts.quantized.int8_nodes, "node") +
          " on integers, " +
          (facts.quantized.int16_nodes == 0 ? ""
                                            : std::to_string(facts.quantized.int16_nodes) + " of 16 bits, ") +
          std::to_string(facts.quantized.float_nodes) + " on floats\n\n";
  Table table({{"op_type"}, {"nodes", Table::Align::kRight}});
  for (const auto& [op_type, count] : facts.op_types) table.add({op_type, std::to_string(count)});
  return text + table.text(style);
}

// Names for selectors, rules and --overrides: the nodes and values of the prepared
// model.
Report list_names(const InspectOptions& options, const Graph& source, const Style& style) {
  const Graph graph =
      with_context([&] { return options.model; }, [&] { return open_model(source, kMinOutputOpset); });
  QuantizationScheme scheme;
  resolve_selectors(source, graph, scheme);
  Json json = {{"file", options.model}, {"nodes", Json::array()}, {"values", Json::array()}};
  Table table({{"node"}, {"op_type"}, {"its values"}});
  for (const Node& node : graph.nodes) {
    const std::string& type = source_op_type(scheme, node);
    std::vector<std::string> values;
    for (const auto* ids : {&node.inputs, &node.outputs})
      for (const ValueId id : *ids)
        if (id != kNoValue) values.push_back(graph.value(id).name);
    json["nodes"].push_back({{"name", node.name}, {"op_type", type}});
    table.add({node.name, type, join(values, " ")});
  }
  for (const Value& value : graph.values) json["values"].push_back(value.name);
  return {json, table.text(style)};
}

std::string yes_or_no(bool yes) {
  return yes ? "yes" : "no";
}

// The worst sums of every layer on integers.
Report certify(const InspectOptions& options, const Graph& graph, const Style& style) {
  const std::vector<Certificate> certificates = certificates_of(graph);
  if (certificates.empty())
    throw Error(ErrorKind::kInvalidArgument,
                "'" + options.model + "' has no layer of integer weights to certify; quantize it first");
  Json json = {{"file", options.model}, {"certificates", Json::array()}};
  Table table({{"node"},
               {"op_type"},
               {"of bits", Table::Align::kRight},
               {"worst sum", Table::Align::kRight},
               {"bits", Table::Align::kRight},
               {"in s32"},
               {"worst pair", Table::Align::kRight},
               {"in s16"},
               {"worst real", Table::Align::kRight},
               {"in f16"}});
  for (const Certificate& worst : certificates) {
    json["certificates"].push_back({{"name", worst.node},
                                    {"op_type", worst.op_type},
                                    {"activation_bits", worst.activation_bits},
                                    {"worst_sum", worst.worst_sum},
                                    {"accumulator_bits", worst.accumulator_bits()},
                                    {"fits_s32", worst.fits_s32()},
                                    {"worst_pair", worst.worst_pair},
                                    {"fits_s16_pairs", worst.fits_s16_pairs()},
                                    {"worst_real", worst.worst_real ? Json(*worst.worst_real) : Json()},
                                    {"fits_f16", worst.worst_real ? Json(worst.fits_f16()) : Json()}});
    table.add({worst.node, worst.op_type, std::to_string(worst.activation_bits),
               format_fixed(worst.worst_sum, 0), std::to_string(worst.accumulator_bits()),
               yes_or_no(worst.fits_s32()), format_fixed(worst.worst_pair, 0),
               yes_or_no(worst.fits_s16_pairs()), worst.worst_real ? format_fixed(*worst.worst_real, 1) : "",
               worst.worst_real ? yes_or_no(worst.fits_f16()) : "not known"});
  }
  const auto holding = [&](bool (Certificate::*fits)() const) {
    return std::to_string(std::count_if(certificates.begin(), certificates.end(),
                                        [&](const Certificate& worst) { return (worst.*fits)(); }));
  };
  const bool knows_reals = std::any_of(certificates.begin(), certificates.end(),
                                       [](const Certificate& worst) { return worst.worst_real.has_value(); });
  return {json, table.text(style) + "\nof " + format_plural(certificates.size(), "layer") +
                    ", whatever the image: sums in s32 " + holding(&Certificate::fits_s32) +
                    ", pairs in s16 " + holding(&Certificate::fits_s16_pairs) +
                    (knows_reals ? ", reals in f16 " + holding(&Certificate::fits_f16) : "") + "\n"};
}

Report inspect(const InspectOptions& options, Console& console) {
  const Graph graph = load_model(options.model, options.input_shapes);
  warn_of_widening(options.model, graph, console.diagnostics);
  console.explain(options.model + ": by " +
                  (graph.info.producer_name.empty() ? "an unknown producer" : graph.info.producer_name) +
                  ", " + format_plural(graph.nodes.size(), "node") + ", " +
                  format_plural(graph.values.size(), "value") +
                  "; its shapes are inferred to count the work");
  if (options.certify) return certify(options, graph, console.style());
  if (options.names) return list_names(options, graph, console.style());
  const Facts facts = facts_of(options, graph, console.diagnostics);
  return {json_of(options, graph, facts), text_of(options, graph, facts, console.style())};
}

CommandBody define(CLI::App& app) {
  const auto options = std::make_shared<InspectOptions>();
  app.add_option("MODEL.onnx", options->model, "the model")->required();
  app.add_flag("--names", options->names, "lists what selectors, rules and --overrides can name instead");
  app.add_flag("--certify", options->certify,
               "proves which types hold the sums of every layer on integers, whatever the image")
      ->excludes("--names");
  add_input_shapes(app, options->input_shapes);
  return [options](Console& console) { return inspect(*options, console); };
}

}  // namespace

const Command kInspectCommand = {
    .name = "inspect",
    .summary = "what is in a model file: inputs, outputs, operators, parameters, work",
    .example = "  quantize inspect mobilenet.qdq.onnx\n",
    .define = define,
};

}  // namespace quantize
