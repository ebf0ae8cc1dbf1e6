#include "cli/write_model.h"

#include <map>

#include "calibration/images/preprocess_file.h"
#include "cli/quantize_report.h"
#include "core/atomic_file.h"
#include "core/integer/lowering.h"
#include "core/integer/standard/spell_out.h"
#include "core/quantization/insert_qdq.h"
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

// Where there is a limit to the size, codes of layers on integers are packed if the target takes them so.
bool packs(const QuantizeFlags& flags) {
  return !flags.max_size.empty() && takes_packed(find_target(target_of(flags)));
}

}  // namespace

Graph model_of(const QuantizeFlags& flags, const PlannedModel& planned, const Recipe& recipe,
               const WrittenFor& about) {
  Graph model = insert_qdq(planned);
  if (flags.input_type == "u8") drop_input_quantization(model);
  if (flags.format != "qdq") model = lower_to_qoperator(std::move(model), {}, Runtime::kAny);
  if (flags.format == "reference") model = spell_out_integers(std::move(model));
  model = narrow_rest(std::move(model), planned);
  if (packs(flags)) model = pack_weights(std::move(model));
  if (about.cut != nullptr) model = rejoin(std::move(model), *about.cut);
  describe(model, flags, recipe, about);
  return model;
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
