// TensorQuantOverrides of onnxruntime.quantization, as JSON: a list per tensor, with an entry for each channel.
#include "calibration/images/parse_json.h"
#include "calibration/scales/json_scales.h"
#include "calibration/scales/scale_format.h"

namespace quantize {

namespace {

using Json = nlohmann::json;

struct TypeName {
  DataType dtype;
  const char* name;
};
constexpr TypeName kTypes[] = {{DataType::kU8, "QUInt8"},
                               {DataType::kS8, "QInt8"},
                               {DataType::kU16, "QUInt16"},
                               {DataType::kS16, "QInt16"}};

Json entries_of(const QuantParams& params) {
  Json entries = Json::array();
  for (size_t c = 0; c < params.scale.size(); ++c) {
    Json entry = {{"scale", params.scale[c]}, {"zero_point", params.zero_point[c]}};
    for (const TypeName& type : kTypes)
      if (type.dtype == params.dtype) entry["quant_type"] = type.name;
    if (c == 0 && params.axis) entry["axis"] = *params.axis;
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::string write(const KnownScales& scales) {
  Json object = Json::object();
  for (const auto& list : {scales.activations, scales.weights})
    for (const KnownScale& known : list) object[known.value] = entries_of(known.params);
  return text_of(object);
}

bool is_overrides(const std::string& text) {
  return starts_object(text);
}

DataType type_of(const Json& entry) {
  const auto name = json_at<std::string>(entry, "quant_type");
  for (const TypeName& type : kTypes)
    if (name == type.name) return type.dtype;
  throw Error(ErrorKind::kInvalidArgument,
              "quant_type '" + name + "' is none of QUInt8, QInt8, QUInt16 and QInt16");
}

QuantParams params_of(const Json& entries) {
  if (!entries.is_array() || entries.empty())
    throw Error(ErrorKind::kInvalidArgument, "it is no list of overrides");
  std::vector<float> scales;
  std::vector<int64_t> zero_points;
  for (const Json& entry : entries) {
    scales.push_back(json_at<float>(entry, "scale"));
    zero_points.push_back(json_at<int64_t>(entry, "zero_point"));
  }
  const DataType dtype = type_of(entries[0]);
  return checked_params(static_cast<int>(8 * size_of(dtype)),
                        dtype == DataType::kS8 || dtype == DataType::kS16, std::move(scales), zero_points);
}

ScalesByValue read(const std::string& text, const Graph&) {
  return scales_in(parse_json(text, "the scales"), params_of);
}

}  // namespace

extern const ScaleFormat kOrtOverrides;
const ScaleFormat kOrtOverrides = {"ort-overrides", "TensorQuantOverrides of onnxruntime.quantization", write,
                                   is_overrides, read};

}  // namespace quantize
