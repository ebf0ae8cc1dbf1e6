// Encodings of AIMET, which QNN's converter takes, too. Version 0.6.1 is written; that and 1.0.0 are read. An encoding
// counts unsigned codes from `offset`: real = scale * (code + offset).
#include <algorithm>

#include "calibration/images/parse_json.h"
#include "calibration/scales/json_scales.h"
#include "calibration/scales/scale_format.h"

namespace quantize {

namespace {

using Json = nlohmann::json;

constexpr const char* kLists[] = {"activation_encodings", "param_encodings"};

bool is_centred(const QuantParams& params) {
  const int32_t middle = params.quant_min + (params.quant_max - params.quant_min + 1) / 2;
  return std::all_of(params.zero_point.begin(), params.zero_point.end(),
                     [&](int32_t zero_point) { return zero_point == middle; });
}

Json encodings_of(const QuantParams& params) {
  Json encodings = Json::array();
  for (size_t c = 0; c < params.scale.size(); ++c) {
    const int32_t offset = params.quant_min - params.zero_point[c];
    encodings.push_back(
        {{"bitwidth", 8 * size_of(params.dtype)},
         {"dtype", "int"},
         {"is_symmetric", is_centred(params) ? "True" : "False"},
         {"scale", params.scale[c]},
         {"offset", offset},
         {"min", static_cast<float>(offset) * params.scale[c]},
         {"max", static_cast<float>(params.quant_max - params.zero_point[c]) * params.scale[c]}});
  }
  return encodings;
}

std::string write(const KnownScales& scales) {
  Json object = {{"version", "0.6.1"}, {"quantizer_args", Json::object()}};
  for (const char* list : kLists) object[list] = Json::object();
  for (const KnownScale& known : scales.activations)
    object[kLists[0]][known.value] = encodings_of(known.params);
  for (const KnownScale& known : scales.weights) object[kLists[1]][known.value] = encodings_of(known.params);
  return text_of(object);
}

bool is_encodings(const std::string& text) {
  return starts_object(text) && text.find("\"activation_encodings\"") != std::string::npos;
}

/// Codes of [0, 255] become what the zero point is of them.
QuantParams params_of(int64_t bits, const std::vector<float>& scales, std::vector<int64_t> offsets) {
  for (int64_t& offset : offsets) offset = -offset;
  return checked_params(static_cast<int>(bits), false, scales, offsets);
}

QuantParams listed(const Json& encodings) {
  if (!encodings.is_array() || encodings.empty())
    throw Error(ErrorKind::kInvalidArgument, "it is no list of encodings");
  std::vector<float> scales;
  std::vector<int64_t> offsets;
  for (const Json& encoding : encodings) {
    scales.push_back(json_at<float>(encoding, "scale"));
    offsets.push_back(json_at<int64_t>(encoding, "offset"));
  }
  return params_of(json_at<int64_t>(encodings[0], "bitwidth"), scales, std::move(offsets));
}

/// Version 1.0.0: a list of encodings that have names.
ScalesByValue named(const Json& list) {
  ScalesByValue scales;
  for (const Json& encoding : list) {
    const auto name = json_at<std::string>(encoding, "name");
    with_context([&] { return "'" + name + "'"; },
                 [&] {
                   scales[name] = params_of(json_at<int64_t>(encoding, "bw"),
                                            json_at<std::vector<float>>(encoding, "scale"),
                                            json_at<std::vector<int64_t>>(encoding, "offset"));
                 });
  }
  return scales;
}

ScalesByValue read(const std::string& text, const Graph&) {
  const Json object = parse_json(text, "the encodings");
  ScalesByValue scales;
  for (const char* key : kLists) {
    if (!object.contains(key)) continue;
    const Json& list = object[key];
    scales.merge(list.is_array() ? named(list) : scales_in(list, listed));
  }
  return scales;
}

}  // namespace

extern const ScaleFormat kAimetEncodings;
const ScaleFormat kAimetEncodings = {"aimet-encodings", "encodings of AIMET, for QNN's converter", write,
                                     is_encodings, read};

}  // namespace quantize
