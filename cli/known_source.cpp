#include "cli/known_source.h"

#include "cli/options.h"
#include "cli/text.h"
#include "core/integer/model_facts.h"
#include "core/quantization/known_scales.h"

namespace quantize {

namespace {

ScalesByValue scales_of(const Graph& model) {
  const KnownScales known = known_scales(model);
  ScalesByValue scales;
  for (const auto* list : {&known.activations, &known.weights})
    for (const KnownScale& scale : *list) scales[scale.value] = scale.params;
  return scales;
}

}  // namespace

void add_known_scale_options(CLI::App& app, KnownScaleFlags& flags) {
  app.add_flag("--keep-scales", flags.keep,
               "MODEL.onnx is a QDQ model, whose scales stay; --calib completes them")
      ->group("Quantization");
  app.add_option("--import", flags.import,
                 "takes scales from a file in place of calibration: " + scale_formats_text())
      ->type_name("FILE")
      ->group("Quantization");
}

KnownSource known_source(const KnownScaleFlags& flags, const std::string& file, Graph model) {
  const bool is_float = quantization_facts(model).format == "float";
  if (!flags.keep) {
    check_is_float(model);
    ScalesByValue scales = flags.import.empty() ? ScalesByValue{} : read_scales(flags.import, model);
    return {std::move(model), std::move(scales)};
  }
  if (is_float)
    throw Error(ErrorKind::kInvalidArgument,
                "'" + file +
                    "' has no scales to keep; give --import FILE, or calibrate it: "
                    "quantize MODEL.onnx --calib DIR");
  ScalesByValue scales = scales_of(model);
  if (!flags.import.empty())
    for (auto& [value, params] : read_scales(flags.import, model)) scales[value] = params;
  return {float_form(model), std::move(scales)};
}

TakenScales take_scales(const Graph& graph, const KnownSource& source, QuantizationScheme& scheme,
                        Diagnostics& diagnostics) {
  constexpr size_t kMostNamed = 5;
  const std::vector<std::string> left = take_known_scales(graph, source.scales, scheme);
  if (left.empty()) return {source.scales.size(), 0};
  std::vector<std::string> named(left.begin(),
                                 left.begin() + static_cast<ptrdiff_t>(std::min(left.size(), kMostNamed)));
  if (left.size() > kMostNamed) named.emplace_back("...");
  const std::string text =
      "the prepared model has no activation and no weights of these names, whose scales are "
      "not used: " +
      join(named, ", ") + " (" + std::to_string(left.size()) + " of " +
      format_plural(source.scales.size(), "scale") + ")";
  if (left.size() == source.scales.size())
    throw Error(ErrorKind::kInvalidArgument, text + "; quantize inspect --names lists its values");
  diagnostics.warn(text);
  return {source.scales.size() - left.size(), left.size()};
}

}  // namespace quantize
