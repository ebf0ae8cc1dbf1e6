// The table of ncnn's int8 tools: per layer a line of steps per unit of its weights, "<layer>_param_0 s s ...", and one of
// its input, "<layer> s". Steps per unit are 127 over the largest magnitude.
#include <sstream>

#include "calibration/scales/scale_format.h"
#include "calibration/scales/text_lines.h"

namespace quantize {

namespace {

constexpr std::string_view kWeights = "_param_0";

std::string line_of(const std::string& name, const QuantParams& params) {
  std::string line = name;
  for (size_t c = 0; c < params.scale.size(); ++c) line += " " + exact_text(1 / symmetric_scale(params, c));
  return line + "\n";
}

std::string write(const KnownScales& scales) {
  std::string text;
  for (const KnownLayer& layer : scales.layers)
    if (const KnownScale* weights = KnownScales::find(scales.weights, layer.weights))
      text += line_of(layer.node + std::string(kWeights), weights->params);
  for (const KnownLayer& layer : scales.layers)
    if (const KnownScale* input = KnownScales::find(scales.activations, layer.input))
      text += line_of(layer.node, input->params);
  return text;
}

std::vector<float> numbers_in(std::istringstream& words) {
  std::vector<float> numbers;
  for (std::string word; words >> word;) {
    std::istringstream reader(word);
    float number = 0;
    if (!(reader >> number) || reader.peek() != std::char_traits<char>::eof()) return {};
    numbers.push_back(1 / number);
  }
  return numbers;
}

bool is_table(const std::string& text) {
  std::istringstream words(text.substr(0, text.find('\n')));
  std::string name;
  return words >> name && !numbers_in(words).empty();
}

/// The value that a line is of: the weights or the input of the layer, or what it says where there is no such layer.
std::string value_of(const Graph& graph, const std::string& name) {
  const bool weights = name.ends_with(kWeights);
  const std::string layer = weights ? name.substr(0, name.size() - kWeights.size()) : name;
  for (const Node& node : graph.nodes)
    if (node.name == layer && node.inputs.size() > 1 && node.inputs[weights] != kNoValue)
      return graph.value(node.inputs[weights]).name;
  return name;
}

ScalesByValue read(const std::string& text, const Graph& graph) {
  ScalesByValue scales;
  for_each_line(text, [&](const std::string& line) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    std::vector<float> numbers = numbers_in(words);
    if (numbers.empty()) throw Error(ErrorKind::kInvalidArgument, "no name of a layer and numbers behind it");
    scales.emplace(value_of(graph, name), symmetric_params(std::move(numbers)));
  });
  return scales;
}

}  // namespace

extern const ScaleFormat kNcnnTable;
const ScaleFormat kNcnnTable = {"ncnn-table", "calibration table of ncnn and caffe-int8-convert-tools", write,
                                is_table, read};

}  // namespace quantize
