// Einsum: products of operands, summed over the letters that the result does not have.
#include "core/ops/einsum.h"

#include <algorithm>
#include <map>

#include "core/ops/support/element_types.h"
#include "core/ops/support/operands.h"
#include "core/ops/support/require.h"
#include "core/ops/support/strided.h"

namespace quantize {

namespace {

/// A letter, or one axis of an ellipsis, counted from the right: kEllipsis + 0 is the last.
using Label = int;
constexpr Label kEllipsis = 256;

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// The labels of one term; an ellipsis has `ellipsis` axes.
std::vector<Label> labels_of(const std::string& term, size_t ellipsis) {
  std::vector<Label> labels;
  bool has_ellipsis = false;
  for (size_t i = 0; i < term.size(); ++i) {
    if (is_letter(term[i])) {
      labels.push_back(term[i]);
    } else {
      require(term.compare(i, 3, "...") == 0 && !has_ellipsis, "'" + term + "' is no term of Einsum");
      has_ellipsis = true;
      for (size_t k = ellipsis; k-- > 0;) labels.push_back(kEllipsis + static_cast<Label>(k));
      i += 2;
    }
  }
  return labels;
}

size_t letters_in(const std::string& term) {
  return static_cast<size_t>(std::count_if(term.begin(), term.end(), is_letter));
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> terms(1);
  for (const char c : text)
    if (c == ',')
      terms.emplace_back();
    else
      terms.back().push_back(c);
  return terms;
}

/// Without an arrow the result has the ellipsis, then every letter that stands once, in alphabetical order.
std::string implied_result(const std::string& terms) {
  std::map<char, int> counts;
  for (const char c : terms)
    if (is_letter(c)) ++counts[c];
  std::string result = terms.find("...") == std::string::npos ? "" : "...";
  for (const auto& [letter, count] : counts)
    if (count == 1) result.push_back(letter);
  return result;
}

}  // namespace

EinsumEquation read_equation(const Node& node, const std::vector<size_t>& ranks) {
  std::string text = node.string_attribute("equation", "");
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  const size_t arrow = text.find("->");
  const std::string left = text.substr(0, arrow);
  const std::string right = arrow == std::string::npos ? implied_result(left) : text.substr(arrow + 2);
  const std::vector<std::string> terms = split(left);
  require(terms.size() == ranks.size(), "Einsum has " + std::to_string(terms.size()) + " terms for " +
                                            std::to_string(ranks.size()) + " operands");
  EinsumEquation equation;
  size_t widest = 0;
  for (size_t i = 0; i < terms.size(); ++i) {
    const size_t letters = letters_in(terms[i]);
    const bool open = terms[i].find("...") != std::string::npos;
    require(
        open ? letters <= ranks[i] : letters == ranks[i],
        "term '" + terms[i] + "' of Einsum does not fit an operand of " + std::to_string(ranks[i]) + " axes");
    const size_t ellipsis = open ? ranks[i] - letters : 0;
    widest = std::max(widest, ellipsis);
    equation.operands.push_back(labels_of(terms[i], ellipsis));
  }
  equation.result = labels_of(right, right.find("...") == std::string::npos ? 0 : widest);
  for (size_t i = 0; i < equation.result.size(); ++i)
    require(std::count(equation.result.begin(), equation.result.end(), equation.result[i]) == 1,
            "a letter stands twice in the result of Einsum");
  return equation;
}

namespace {

/// The extent of each label. An axis of extent 1 repeats.
std::map<Label, int64_t> extents_of(const EinsumEquation& equation, const std::vector<Shape>& shapes) {
  std::map<Label, int64_t> extents;
  for (size_t i = 0; i < shapes.size(); ++i)
    for (size_t axis = 0; axis < shapes[i].size(); ++axis) {
      const int64_t extent = shapes[i][axis];
      int64_t& known = extents.try_emplace(equation.operands[i][axis], extent).first->second;
      if (known == 1 || known == kUnknownDim) known = extent == 1 ? known : extent;
      require(extent == known || extent == 1 || extent == kUnknownDim,
              "the operands of Einsum have extents " + std::to_string(known) + " and " +
                  std::to_string(extent) + " for one letter");
    }
  for (const Label label : equation.result)
    require(extents.count(label) != 0, "the result of Einsum has a letter that no operand has");
  return extents;
}

std::vector<size_t> ranks_of(const std::vector<Shape>& shapes) {
  std::vector<size_t> ranks;
  for (const Shape& shape : shapes) ranks.push_back(shape.size());
  return ranks;
}

void infer(InferContext& context) {
  std::vector<Shape> shapes;
  for (size_t i = 0; i < context.input_count(); ++i) {
    require(context.has_input(i), "input " + std::to_string(i) + " is missing");
    require_type(context, i, kNumberTypes);
    require_same_type(context, 0, i);
    if (const auto shape = context.shape(i)) shapes.push_back(*shape);
  }
  std::optional<Shape> y;
  if (shapes.size() == context.input_count()) {
    const EinsumEquation equation = read_equation(context.node, ranks_of(shapes));
    const auto extents = extents_of(equation, shapes);
    y.emplace();
    for (const Label label : equation.result) y->push_back(extents.at(label));
  }
  context.set_output(0, context.input(0).dtype, std::move(y));
}

/// Labels in the order of the loops: those of the result, then those that are summed over.
std::vector<Label> loop_labels(const EinsumEquation& equation, const std::map<Label, int64_t>& extents) {
  std::vector<Label> labels = equation.result;
  for (const auto& [label, extent] : extents)
    if (std::find(labels.begin(), labels.end(), label) == labels.end()) labels.push_back(label);
  return labels;
}

/// How far an operand moves per step of each loop; a letter that stands twice walks its diagonal.
Shape loop_strides(const std::vector<Label>& loops, const std::vector<Label>& own, const Shape& shape) {
  const Shape strides = strides_of(shape);
  Shape result(loops.size(), 0);
  for (size_t axis = 0; axis < own.size(); ++axis) {
    const auto loop = std::find(loops.begin(), loops.end(), own[axis]) - loops.begin();
    if (shape[axis] != 1) result[static_cast<size_t>(loop)] += strides[axis];
  }
  return result;
}

void evaluate(const EvaluateContext& context) {
  std::vector<Shape> shapes;
  for (const TensorView& input : context.inputs) shapes.emplace_back(input.shape.begin(), input.shape.end());
  const EinsumEquation equation = read_equation(context.node, ranks_of(shapes));
  const auto extents = extents_of(equation, shapes);
  const std::vector<Label> loops = loop_labels(equation, extents);
  Shape space;
  for (const Label label : loops) space.push_back(extents.at(label));
  std::vector<Shape> strides;
  for (size_t i = 0; i < shapes.size(); ++i)
    strides.push_back(loop_strides(loops, equation.operands[i], shapes[i]));
  const Dims result = context.outputs[0].shape;
  strides.push_back(loop_strides(loops, equation.result, Shape(result.begin(), result.end())));
  const StridedLoop loop(space, strides);
  visit_number(context.outputs[0].dtype, [&]<typename T>() {
    using Wide = std::conditional_t<std::is_floating_point_v<T>, double, uint64_t>;
    std::vector<Wide> sums(static_cast<size_t>(context.outputs[0].size()), Wide(0));
    loop.for_each_row([&](const int64_t* offsets) {
      for (int64_t i = 0; i < loop.row_size(); ++i) {
        Wide product = Wide(1);
        for (size_t k = 0; k < shapes.size(); ++k)
          product *= static_cast<Wide>(context.inputs[k].as<T>()[offsets[k] + i * loop.row_stride(k)]);
        sums[static_cast<size_t>(offsets[shapes.size()] + i * loop.row_stride(shapes.size()))] += product;
      }
    });
    for (size_t i = 0; i < sums.size(); ++i) context.outputs[0].as<T>()[i] = static_cast<T>(sums[i]);
  });
}

}  // namespace

void add_einsum(std::vector<OpDef>& ops) {
  ops.push_back({.op_type = "Einsum",
                 .domain = "",
                 .min_opset = 12,
                 .max_opset = kNewestOpset,
                 .max_inputs = kAnyNumber,
                 .infer = infer,
                 .evaluate = evaluate});
}

}  // namespace quantize
