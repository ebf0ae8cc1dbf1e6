#include "cli/write_model.h"

#include <algorithm>
#include <map>

#include "calibration/images/preprocess_file.h"
#include "cli/quantize_report.h"
#include "core/atomic_file.h"
#include "core/integer/lowering.h"
#include "core/integer/standard/spell_out.h"
#include "core/quantization/insert_qdq.h"
#include "core/quantization/modes/mode.h"
#include "core/quantization/pack_weights.h"
#include "core/quantization/rest/narrow_rest.h"
#include "core/quantization/target.h"
#include "onnx_io/onnx_io.h"

namespace quantize {

namespace {

// How the model was made goes into its metadata: no times, no paths, so that the same input gives the same
// bytes.
void describe(Graph& model, const QuantizeFlags& flags, const Recipe& recipe, const WrittenFor& about) {
  std::map<std::string, std::string>& metadata = model.info.metadata;
  metadata["quantize.version"] = QUANTIZE_VERSION;
  std::map<std::string, std::string> more = {
      {"format", flags.format}, {"target", target_of(flags)}, {"input_type", flags.input_type}};
  if (!flags.max_size.empty()) more["max_size"] = flags.max_size;
  metadata["quantize.options"] = options_json(about.scheme, more).dump();
  metadata["quantize.chosen"] = recipe_json(recipe).dump();
  metadata["quantize.source"] = about.statistics.model;
  metadata["quantize.samples"] = std::to_string(about.statistics.samples);
  if (about.preprocessing) keep_preprocess(*about.preprocessing, metadata);
}

// True if some layer has activations of 16 bits.
bool has_16_bits(const QuantizationPlan& plan) {
  return std::any_of(plan.nodes.begin(), plan.nodes.end(), [](const PlannedNode& node) {
    return node.weights && node.placement == Placement::kInteger && node.activation_bits == 16;
  });
}

}  // namespace

Graph model_of(const QuantizeFlags& flags, const PlannedModel& planned, const Recipe& recipe,
               const WrittenFor& about) {
  Graph model = insert_qdq(planned);
  if (flags.input_type == "u8") drop_input_quantization(model);
  if (flags.format != "qdq") model = lower_to_qoperator(std::move(model), {}, Runtime::kAny);
  if (flags.format == "reference") model = spell_out_integers(std::move(model));
  model = narrow_rest(std::move(model), planned);
  if (const auto form = code_form_of(flags, about.scheme)) model = pack_weights(std::move(model), *form);
  if (about.cut != nullptr) model = rejoin(std::move(model), *about.cut);
  describe(model, flags, recipe, about);
  return model;
}

void warn_of_file(const QuantizeFlags& flags, const PlannedModel& planned, const QuantizationScheme& scheme,
                  Diagnostics& diagnostics) {
  const TargetProfile& target = find_target(target_of(flags));
  const std::string name = std::string("target ") + target.name;
  if (flags.format == "int8" && !target.takes_codes)
    diagnostics.warn(name +
                     " reads operators between QuantizeLinear and DequantizeLinear, not those on codes; "
                     "leave out --format int8, or the file is for ONNX Runtime and this program alone");
  if (flags.format != "qdq" && has_16_bits(planned.plan))
    diagnostics.warn(
        "layers with activations of 16 bits stay between QuantizeLinear and DequantizeLinear: "
        "there is no --format " +
        flags.format + " of them");
  if (flags.max_size.empty() && asks_for_integers(scheme) &&
      code_form_of(flags, scheme) == CodeForm::kWholeBytes)
    diagnostics.warn(name +
                     " takes the weights of layers on integers in a byte each: fewer bits make the file no "
                     "smaller; ask for 8 bits, or choose another target");
}

// The plan appears only if the model does.
uint64_t write(const QuantizeFlags& flags, const ChosenPlan& chosen, const WrittenFor& about) {
  const Graph model = model_of(flags, chosen.planned, chosen.recipe, about);
  if (flags.plan.empty()) return save_model(model, output_of(flags));
  AtomicFile file(flags.plan);
  file.write(
      plan_json(chosen.planned, about.scheme, about.cut).dump(2, ' ', false, Json::error_handler_t::replace) +
      "\n");
  const uint64_t bytes = save_model(model, output_of(flags));
  file.commit();
  return bytes;
}

}  // namespace quantize
