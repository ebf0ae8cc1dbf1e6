// quantize targets: the profiles, and all that one of them says.
#include "cli/targets_command.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/console.h"
#include "cli/option_checks.h"
#include "cli/text.h"
#include "core/quantization/pack_weights.h"
#include "core/quantization/target.h"

namespace quantize {

namespace {

const char* words_of(OutputForm form) {
  switch (form) {
    case OutputForm::kCodes:
      return "codes";
    case OutputForm::kCodesOrReals:
      return "codes or reals";
    case OutputForm::kReals:
      return "reals";
  }
  return "";
}

const char* words_of(ScaleSharing sharing) {
  switch (sharing) {
    case ScaleSharing::kNone:
      return "own";
    case ScaleSharing::kWhereAlone:
      return "one; own for inputs that others read";
    case ScaleSharing::kAlways:
      return "one";
  }
  return "";
}

const char* words_of(BiasForm form) {
  switch (form) {
    case BiasForm::kCodes:
      return "s32 behind DequantizeLinear, scale x_scale * w_scale";
    case BiasForm::kReals:
      return "f32";
    case BiasForm::kRealsOrCodes:
      return "f32, or s32 behind DequantizeLinear";
  }
  return "";
}

const char* words_of(ChainPart part) {
  switch (part) {
    case ChainPart::kClamp:
      return "Relu or Clip";
    case ChainPart::kFunction:
      return "function of one value, as Sigmoid or HardSwish";
    case ChainPart::kAddition:
      return "Add of codes";
    case ChainPart::kTable:
      return "table of codes";
  }
  return "";
}

Json types_json(std::span<const TypePair> pairs) {
  Json types = Json::array();
  for (const TypePair& pair : pairs)
    types.push_back({{"activations", name_of(pair.activation)},
                     {"weights", name_of(pair.weight)},
                     {"zero_point", pair.symmetric ? "in the middle" : "any"}});
  return types;
}

Json fixed_json(const TargetProfile& target, int bits) {
  Json json = Json::array();
  for (const FixedOutput& each : target.fixed_outputs)
    if (bits_of(each.codes) == bits)
      json.push_back({{"op_type", each.op_type},
                      {"codes", name_of(each.codes)},
                      {"scale", each.scale},
                      {"zero_point", each.zero_point}});
  return json;
}

Json sixteen_bits_json(const TargetProfile& target) {
  if (target.sixteen_bits == nullptr) return nullptr;
  Json json = {{"computed_in", target.sixteen_bits->in_integers ? "integers" : "float"},
               {"zero_point", target.sixteen_bits->symmetric ? "in the middle" : "any"},
               {"without", Json::array()},
               {"moves", Json::array()},
               {"fixed_outputs", fixed_json(target, 16)},
               {"costs", {{"16", target.costs.sixteen_bits}, {"float", target.costs.real}}}};
  for (const char* each : target.sixteen_bits->without) json["without"].push_back(each);
  for (const char* each : target.sixteen_bits->moves) json["moves"].push_back(each);
  return json;
}

std::string sixteen_bits_text(const TargetProfile& target) {
  const SixteenBits* sixteen = target.sixteen_bits;
  if (sixteen == nullptr) return "none";
  if (!sixteen->in_integers) return "between Q and DQ, computed in float but for what moves elements";
  std::string text = sixteen->symmetric ? "zero points in the middle" : "any zero points";
  for (size_t i = 0; i < sixteen->without.size(); ++i)
    text += std::string(i == 0 ? "; not for " : ", ") + sixteen->without[i];
  return text + "; a multiplication costs a search " + format_figure(target.costs.sixteen_bits, 1) +
         " of 8 bits, one in float " + format_figure(target.costs.real, 1);
}

Json operator_json(const TargetProfile& target, const IntegerOperator& each) {
  Json entry = {{"op_type", each.op_type},
                {"when", each.fits.words},
                {"output", words_of(each.output)},
                {"scales", words_of(each.scales)}};
  if (each.has_weights()) {
    entry["weights"] = each.channel_weights ? "per channel" : "per tensor";
    entry["types"] = types_json(each.type_pairs.empty() ? target.type_pairs : each.type_pairs);
  }
  return entry;
}

Json profile_json(const TargetProfile& target) {
  Json json = {{"name", target.name},
               {"description", target.description},
               {"opsets", {target.opsets.lowest, target.opsets.highest}},
               {"types", types_json(target.type_pairs)},
               {"activations_16", sixteen_bits_json(target)},
               {"scale_grid", target.grid == ScaleGrid::kAny ? "any" : "powers of two"},
               {"bias", words_of(target.bias)},
               {"operators_of_codes", target.takes_codes},
               {"without_vnni", target.without_vnni == nullptr ? Json() : Json(target.without_vnni)},
               {"unpacks_codes", target.unpacks_codes},
               {"results", target.rounds_results ? "codes" : "codes of layers alone"}};
  for (const char* list : {"operators", "fusions", "shielded", "behind_barrier", "dynamic", "stored_weights"})
    json[list] = Json::array();
  for (const IntegerOperator& each : target.operators)
    json["operators"].push_back(operator_json(target, each));
  json["fixed_outputs"] = fixed_json(target, 8);
  for (const Fusion& each : target.fusions)
    json["fusions"].push_back({{"part", words_of(each.part)},
                               {"behind", each.behind.words},
                               {"codes", each.codes ? Json(name_of(*each.codes)) : Json()}});
  json["moves_quantize_over"] = Json::array();
  for (const char* each : target.moves_over) json["moves_quantize_over"].push_back(each);
  const ChannelScales* channels = target.channel_scales;
  json["channel_scales"] = channels == nullptr ? Json()
                                               : Json({{"written_by", channels->writes.words},
                                                       {"read_by", channels->reads.words},
                                                       {"codes", name_of(channels->codes)}});
  for (const DynamicOperator& each : target.dynamic_operators) json["dynamic"].push_back(each.op_type);
  json["instead_of_dynamic"] = target.instead_of_dynamic;
  json["weights_of_4_bits"] = name_of(code_form(target, false));
  for (const StoredCodes& each : target.stored_codes)
    json["stored_weights"].push_back({{"type", name_of(each.type)}, {"opset", each.opset}});
  for (const UnaskedFusion& each : target.unasked_fusions)
    json["shielded"].push_back({{"op_type", each.op_type}, {"constants_too", each.rounds_constants}});
  for (const MislaidForm& each : target.mislaid)
    json["behind_barrier"].push_back({{"op_type", each.op_type}, {"when", each.when.words}});
  return json;
}

std::string types_text(std::span<const TypePair> pairs) {
  std::vector<std::string> texts;
  for (const TypePair& pair : pairs)
    texts.push_back(std::string(name_of(pair.activation)) + " by " + std::string(name_of(pair.weight)) +
                    (pair.symmetric ? " (zero points in the middle)" : ""));
  return join(texts, ", ");
}

std::string fusions_text(const TargetProfile& target) {
  std::vector<std::string> texts;
  for (const Fusion& each : target.fusions)
    texts.push_back(std::string(words_of(each.part)) +
                    (each.behind.holds ? std::string(" behind ") + each.behind.words : "") +
                    (each.codes ? " (" + std::string(name_of(*each.codes)) + ")" : ""));
  return texts.empty() ? "nothing" : join(texts, "; ");
}

std::string fixed_text(const TargetProfile& target) {
  std::vector<std::string> texts;
  for (const FixedOutput& each : target.fixed_outputs)
    texts.push_back(std::string(each.op_type) + " 1/" + format_fixed(1 / double{each.scale}, 0) +
                    ", zero point " + std::to_string(each.zero_point) +
                    (bits_of(each.codes) == 16 ? " of 16 bits" : ""));
  return texts.empty() ? "none" : join(texts, "; ");
}

std::string channels_text(const TargetProfile& target) {
  const ChannelScales* channels = target.channel_scales;
  return channels == nullptr
             ? "one per activation"
             : std::string("one per channel between ") + channels->writes.words + " and " +
                   channels->reads.words + " (" + std::string(name_of(channels->codes)) + "); else one";
}

std::string guards_text(const TargetProfile& target) {
  std::vector<std::string> texts;
  for (const UnaskedFusion& each : target.unasked_fusions) texts.push_back(each.op_type);
  for (const MislaidForm& each : target.mislaid)
    texts.push_back(std::string(each.op_type) + " " + each.when.words);
  return texts.empty() ? "none" : join(texts, ", ");
}

std::string modes_text(const TargetProfile& target) {
  std::vector<std::string> dynamic, stored;
  for (const DynamicOperator& each : target.dynamic_operators) dynamic.push_back(each.op_type);
  for (const StoredCodes& each : target.stored_codes)
    stored.push_back(std::string(name_of(each.type)) + " (opset " + std::to_string(each.opset) + ")");
  return "dynamic: " +
         (dynamic.empty() ? std::string("none, as ") + target.instead_of_dynamic : join(dynamic, ", ")) +
         "; weights alone: " + join(stored, ", ") + (target.unpacks_codes ? ", other bits packed" : "") +
         (target.block_opset == 0 ? "" : ", in blocks (opset " + std::to_string(target.block_opset) + ")");
}

std::string forms_text(const TargetProfile& target) {
  std::vector<std::string> texts;
  for (const IntegerOperator& each : target.operators)
    if (each.fits.holds != nullptr || !each.type_pairs.empty())
      texts.push_back(std::string(each.op_type) + " " + each.fits.words +
                      (each.type_pairs.empty() ? "" : " " + types_text(each.type_pairs)));
  return texts.empty() ? "all" : join(texts, "; ") + "; of the others all";
}

std::string operators_text(const TargetProfile& target, const Style& style) {
  Table table({{"operator"}, {"output"}, {"scales"}, {"weights"}});
  for (const IntegerOperator& each : target.operators)
    table.add({each.op_type, words_of(each.output), words_of(each.scales),
               !each.has_weights()    ? ""
               : each.channel_weights ? "per channel"
                                      : "per tensor"});
  return table.text(style);
}

std::string profile_text(const TargetProfile& target, const Style& style) {
  constexpr size_t kColumn = 18;
  std::string text = style.bold(target.name) + ": " + target.description + "\n";
  const auto line = [&](std::string title, const std::string& value) {
    title.resize(kColumn - 2, ' ');
    text += "  " + title + wrapped(value, kTextWidth - kColumn, kColumn) + "\n";
  };
  line("opsets", std::to_string(target.opsets.lowest) + " to " + std::to_string(target.opsets.highest));
  line("types", types_text(target.type_pairs) + " (activations by weights)");
  line("16 bits", sixteen_bits_text(target));
  line("scales",
       std::string(target.grid == ScaleGrid::kAny ? "any" : "powers of two") + ", " + channels_text(target));
  line("fixed scales", fixed_text(target));
  line("biases", words_of(target.bias));
  line("4-bit weights", name_of(code_form(target, false)));
  line("operators", target.takes_codes ? "of codes, too, as QLinearConv" : "between Q and DQ alone");
  if (target.without_vnni != nullptr)
    line("no VNNI",
         std::string("x86-64 processors without it cut sums of two products of u8 by s8 to 16 bits: ") +
             target.without_vnni);
  line("before rounding", fusions_text(target));
  line("results",
       target.rounds_results ? "codes behind every operator of the list" : "rounded behind layers alone");
  line("forms", forms_text(target));
  line("other modes", modes_text(target));
  line("guarded",
       guards_text(target) + (target.fuses_unasked ? "" : " (for ONNX Runtime, which may read the file)"));
  return text + "\n" + operators_text(target, style) + "\n  All other operators stay float.\n";
}

Report show(const std::string& name, Console& console) {
  if (!name.empty()) {
    const TargetProfile& target = find_target(name);
    return {{{"target", profile_json(target)}}, profile_text(target, console.style())};
  }
  Json json = Json::array();
  Table table({{"target"}, {"runtime"}, {"activations by weights"}});
  for (const TargetProfile* target : all_targets()) {
    json.push_back({{"name", target->name},
                    {"description", target->description},
                    {"types", types_json(target->type_pairs)}});
    table.add({target->name, target->description, types_text(target->type_pairs)});
  }
  return {{{"targets", json}}, table.text(console.style())};
}

CommandBody define(CLI::App& app) {
  const auto name = std::make_shared<std::string>();
  std::vector<std::string> names;
  for (const TargetProfile* target : all_targets()) names.push_back(target->name);
  app.add_option("NAME", *name, "all that this target says: " + join(names, ", "))->check(one_of(names));
  return [name](Console& console) { return show(*name, console); };
}

}  // namespace

const Command kTargetsCommand = {
    .name = "targets",
    .summary = "the runtimes that models are written for, and what each of them wants",
    .example = "  quantize targets openvino\n",
    .define = define,
    .is_minor = true,
};

}  // namespace quantize
