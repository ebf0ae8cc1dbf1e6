// The list of examples, and how they are read.
#include "tests/fuzz/operator_examples.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <sstream>

#include "core/error.h"
#include "core/ops/control_flow.h"
#include "tests/support/graph_builder.h"

namespace quantize::test {

namespace {

#define QUANTIZE_F32X4 "f32[2,4,6,6]"
constexpr char kNoOperands[] = "";

constexpr OperatorExample kExamples[] = {
    {"Attention", "f32[1,2,3,4] f32[1,2,5,4] f32[1,2,5,4] =f32[3,5]", "is_causal=1 softcap=2.0", 23},
    {"Attention", "f32[1,3,4] f32[1,3,4] f32[1,3,4] - f32[1,2,2,2] f32[1,2,2,2]",
     "q_num_heads=2 kv_num_heads=2", 23},
    {"com.microsoft.Attention", "f32[1,3,4] =f32[4,12] =f32[12]", "num_heads=2"},
    {"com.microsoft.MultiHeadAttention", "f32[1,3,4] f32[1,5,4] f32[1,5,4] =f32[12]", "num_heads=2"},
    {"AveragePool", QUANTIZE_F32X4, "kernel_shape=[3,3] pads=[1,1,1,1] strides=[2,2] count_include_pad=1"},
    {"BatchNormalization", "f32[2,3,4,4] =f32[3] =f32[3] =f32[3] f32{1,1,1}"},
    {"Mod", "s64[2,3] s64{1,2,3}", "fmod=0"},
    {"And", "bool[2,3] bool[3]"},
    {"Or", "bool[2,3] bool[3]"},
    {"Xor", "bool[2,3] bool[3]"},
    {"Not", "bool[2,3]"},
    {"BitShift", "u8[2,3] u8[3]", "direction=LEFT"},
    {"BitwiseNot", "s32[2,3]"},
    {"BitwiseAnd", "s32[2,3] s32[3]"},
    {"BitwiseOr", "s32[2,3] s32[3]"},
    {"BitwiseXor", "s32[2,3] s32[3]"},
    {"SwiGLU", "f32[2,3] f32[2,3]"},
    {"Cast", "f32[2,3]", "to=7"},
    {"CastLike", "f32[2,3] s64[1]"},
    {"BitCast", "f32[2,3]", "to=6"},
    {"CenterCropPad", "f32[2,3,4] s64{3,3}", "axes=[1,2]"},
    {"ReverseSequence", "f32[3,2,2] s64{1,3}"},
    {"Clip", "f32[2,3]", "min=-1.0 max=1.0", 1, 10},
    {"Clip", "f32[2,3] f32(-1) f32(1)", "", 11},
    {"Col2Im", "f32[1,12,4] s64{4,4} s64{2,2}", "strides=[2,2]"},
    {"Concat", "f32[2,3] f32[2,2]", "axis=1"},
    {"Constant", kNoOperands, "value=f32{1,2}"},
    {"ConstantOfShape", "s64{2,3}", "value=f32{1}"},
    {"If", "bool[] f32[2,3]"},
    {"Loop", "s64[] bool[] f32[2,3]"},
    {"Scan", "f32[3] f32[2,3]", "num_scan_inputs=1"},
    {"Conv", "f32[1,4,6,6] =f32[4,2,3,3] =f32[4]", "pads=[1,1,1,1] strides=[2,2] group=2"},
    {"Conv", "f32[1,2,7] =f32[3,2,3]", "dilations=[2] auto_pad=SAME_UPPER"},
    {"ConvTranspose", "f32[1,4,3,3] =f32[4,2,3,3] =f32[4]",
     "pads=[1,1,1,1] strides=[2,2] group=2 output_padding=[1,1]"},
    {"ConvInteger", "u8[1,2,5,5] =s8[3,2,3,3] u8(3) s8(0)", "pads=[1,1,1,1]"},
    {"CumSum", "f32[2,3] s64(1)", "exclusive=1 reverse=1"},
    {"CumProd", "f32[2,3] s64(1)"},
    {"DeformConv", "f32[1,2,4,4] =f32[2,2,2,2] f32[1,8,3,3] =f32[2] f32[1,4,3,3]"},
    {"DepthToSpace", "f32[1,8,2,3]", "blocksize=2 mode=CRD", 11},
    {"DepthToSpace", "f32[1,8,2,3]", "blocksize=2"},
    {"SpaceToDepth", "f32[1,2,4,6]", "blocksize=2"},
    {"Det", "f32[2,3,3]"},
    {"DFT", "f32[1,8,1] s64(4)", "axis=1", 17, 19},
    {"DFT", "f32[1,8,2] s64(8) s64(1)", "inverse=1", 20},
    {"STFT", "f32[1,16,1] s64(4) =f32[8]"},
    {"Dropout", "f32[2,3]"},
    {"com.microsoft.DynamicQuantizeMatMul", "f32[2,4] =s8[4,3] f32(0.1) s8(0) =f32[3]"},
    {"com.microsoft.DynamicQuantizeLSTM",
     "f32[2,1,3] =s8[1,3,16] =s8[1,4,16] =f32[1,32] - - - - f32{0.1} s8{0} f32{0.1} s8{0}", "hidden_size=4"},
    {"Einsum", "f32[2,3] f32[3,4]", "equation=ij,jk->ik"},
    {"Einsum", "f32[2,3,3]", "equation=...ii->...i"},
    {"Expand", "f32[2,1] s64{2,3}"},
    {"Tile", "f32[2,1] s64{2,3}"},
    {"Gather", "f32[3,4] s64{0,2}", "axis=1"},
    {"com.microsoft.GatherBlockQuantized", "=s4[3,20] s64{0,2} =f32[3,2]", "block_size=16"},
    {"GatherElements", "f32[2,2] s64[2,2]", "axis=1"},
    {"GatherND", "f32[2,3] s64[2,1]"},
    {"Gemm", "f32[2,4] =f32[4,3] =f32[3]", "alpha=0.5 beta=2.0"},
    {"AffineGrid", "f32[1,2,3] s64{1,1,3,4}", "align_corners=1"},
    {"GridSample", "f32[1,2,4,4] f32[1,3,3,2]", "mode=bilinear", 1, 19},
    {"GridSample", "f32[1,2,4,4] f32[1,3,3,2]", "mode=cubic padding_mode=reflection", 20},
    {"DynamicQuantizeLinear", "f32[2,3]"},
    {"MatMulInteger", "u8[2,4] =s8[4,3] u8(3) s8(0)"},
    {"CausalConvWithState", "f32[1,2,5] =f32[2,1,3] =f32[2] f32[1,2,2]", "activation=silu"},
    {"LinearAttention", "f32[1,3,4] f32[1,3,4] f32[1,3,4] - f32[1,3,2] f32[1,3,2]",
     "q_num_heads=2 kv_num_heads=2"},
    {"NegativeLogLikelihoodLoss", "f32[2,3] s64[2] f32[3]", "reduction=mean"},
    {"SoftmaxCrossEntropyLoss", "f32[2,3] s64[2]", "reduction=sum"},
    {"LpPool", QUANTIZE_F32X4, "kernel_shape=[3,3] pads=[1,1,1,1] p=1"},
    {"LRN", QUANTIZE_F32X4, "size=3 alpha=0.1 bias=2.0"},
    {"MatMul", "f32[2,3,4] =f32[4,3]"},
    {"com.microsoft.MatMulIntegerToFloat", "u8[2,4] =s8[4,3] f32(0.1) f32(0.1) u8(3) s8(0) =f32[3]"},
    {"com.microsoft.MatMulNBits", "f32[2,20] =u8[3,2,8] =f32[6] =u8[3,1]", "K=20 N=3 bits=4 block_size=16"},
    {"MaxPool", QUANTIZE_F32X4, "kernel_shape=[3,3] pads=[1,1,1,1] strides=[2,2] ceil_mode=1", 10},
    {"MaxPool", QUANTIZE_F32X4, "kernel_shape=[3,3] strides=[2,2]"},
    {"MaxUnpool", "f32[1,1,2,2] s64[1,1,2,2] s64{1,1,4,4}", "kernel_shape=[2,2] strides=[2,2]"},
    {"com.microsoft.BiasGelu", "f32[2,3] =f32[3]"},
    {"com.microsoft.FastGelu", "f32[2,3] =f32[3]"},
    {"com.microsoft.FusedConv", "f32[1,2,5,5] =f32[3,2,3,3] =f32[3] f32[1,3,5,5]",
     "pads=[1,1,1,1] activation=Relu"},
    {"com.microsoft.FusedGemm", "f32[2,4] =f32[4,3] =f32[3]", "activation=LeakyRelu activation_alpha=0.1"},
    {"com.microsoft.FusedMatMul", "f32[2,3] f32[4,3]", "transB=1 alpha=0.5"},
    {"com.microsoft.SkipLayerNormalization", "f32[1,2,4] f32[1,2,4] =f32[4] =f32[4] =f32[4]"},
    {"NonMaxSuppression", "f32[1,4,4] f32[1,2,4] s64{2} f32{0.5} f32{0.1}", "center_point_box=1"},
    {"GroupNormalization", "f32[1,4,3,3] =f32[2] =f32[2]", "num_groups=2", 1, 20},
    {"GroupNormalization", "f32[1,4,3,3] =f32[4] =f32[4]", "num_groups=2", 21},
    {"InstanceNormalization", "f32[1,4,3,3] =f32[4] =f32[4]"},
    {"LayerNormalization", "f32[2,3,4] =f32[4] =f32[4]"},
    {"RMSNormalization", "f32[2,3,4] =f32[4]"},
    {"MeanVarianceNormalization", QUANTIZE_F32X4},
    {"OneHot", "s64[3] s64(4) f32{0,1}", "axis=0"},
    {"Pad", "f32[2,3]", "pads=[1,0,0,2] value=0.5", 1, 10},
    {"Pad", "f32[2,3] s64{1,0,0,2} f32(0.5)", "", 11},
    {"Pad", "f32[2,3,3] s64{1,1} - s64{1}", "mode=reflect", 18},
    {"com.microsoft.QGemm", "u8[2,4] f32(0.1) u8(3) =s8[4,3] f32(0.1) s8(0) =s32[3] f32(0.1) u8(7)"},
    {"com.microsoft.QLinearSigmoid", "u8[2,3] f32(0.1) u8(3) f32(0.01) u8(0)"},
    {"com.microsoft.QLinearLeakyRelu", "u8[2,3] f32(0.1) u8(3) f32(0.1) u8(9)", "alpha=0.1"},
    {"com.microsoft.QLinearConcat", "f32(0.1) u8(3) u8[2,3] f32(0.2) u8(1) u8[2,3] f32(0.1) u8(3)", "axis=1"},
    {"QLinearConv", "u8[1,2,5,5] f32(0.1) u8(3) =s8[4,2,3,3] f32(0.1) s8(0) f32(0.2) u8(9) =s32[4]",
     "pads=[1,1,1,1]"},
    {"QLinearMatMul", "u8[2,4] f32(0.1) u8(3) =s8[4,3] f32(0.1) s8(0) f32(0.2) u8(9)"},
    {"com.microsoft.QLinearAdd", "u8[2,3] f32(0.1) u8(3) u8[3] f32(0.1) u8(3) f32(0.1) u8(3)"},
    {"com.microsoft.QLinearMul", "u8[2,3] f32(0.1) u8(3) u8[3] f32(0.1) u8(3) f32(0.1) u8(3)"},
    {"com.microsoft.QLinearAveragePool", "u8[1,2,5,5] f32(0.1) u8(3) f32(0.1) u8(3)", "kernel_shape=[2,2]"},
    {"com.microsoft.QLinearGlobalAveragePool", "u8[1,2,5,5] f32(0.1) u8(3) f32(0.1) u8(3)"},
    {"com.microsoft.QLinearSoftmax", "u8[2,5] f32(0.1) u8(3) f32(0.00390625) u8(0)", "axis=1 opset=13"},
    {"com.microsoft.QLinearWhere", "bool[2,3] u8[2,3] f32(0.1) u8(3) u8[3] f32(0.2) u8(1) f32(0.1) u8(3)"},
    {"DequantizeLinear", "u8[2,3] f32(0.1) u8(3)"},
    {"DequantizeLinear", "s8[2,3] f32{0.1,0.2,0.3} s8{1,0,2}", "axis=1", 13},
    {"DequantizeLinear", "s8[4,3] f32[2,3]{0.1,0.2,0.3,0.4,0.5,0.6}", "axis=0 block_size=2", 21},
    {"QuantizeLinear", "f32[2,3] f32(0.1) u8(3)"},
    {"QuantizeLinear", "f32[2,3] f32{0.1,0.2,0.3} s8{1,0,2}", "axis=1", 13},
    {"Range", "f32(0) f32(4) f32(0.5)"},
    {"Range", "s64[] s64(9) s64(2)"},
    {"GRU", "f32[3,1,2] =f32[2,9,2] =f32[2,9,3] =f32[2,18] - f32[2,1,3]",
     "hidden_size=3 direction=bidirectional linear_before_reset=1"},
    {"LSTM", "f32[3,1,2] =f32[1,12,2] =f32[1,12,3] =f32[1,24] s32[1] f32[1,1,3] f32[1,1,3] =f32[1,9]",
     "hidden_size=3 direction=reverse activations=[Sigmoid,Tanh,Tanh]"},
    {"RNN", "f32[3,1,2] =f32[1,3,2] =f32[1,3,3] =f32[1,6]", "hidden_size=3 activations=[Relu] clip=1.0"},
    {"Reshape", "f32[2,3] s64{3,-1}"},
    {"Squeeze", "f32[2,1,3]", "axes=[1]", 1, 12},
    {"Squeeze", "f32[2,1,3] s64{1}", "", 13},
    {"Unsqueeze", "f32[2,3]", "axes=[0,3]", 1, 12},
    {"Unsqueeze", "f32[2,3] s64{0,3}", "", 13},
    {"Resize", "f32[1,2,3,3] f32{1,1,2,2}", "mode=linear", 1, 10},
    {"Resize", "f32[1,2,3,3] f32{} f32{1,1,2,1.5}", "mode=cubic coordinate_transformation_mode=half_pixel",
     11},
    {"Resize", "f32[1,2,3,3] - - s64{1,2,5,2}", "mode=linear antialias=1", 18},
    {"Resize", "f32[1,2,3,3] f32{0,0,0.2,0.1,1,1,0.8,0.9} - s64{1,2,4,4}",
     "mode=nearest coordinate_transformation_mode=tf_crop_and_resize", 13},
    {"Upsample", "f32[1,2,3,3]", "scales=[1.0,1.0,2.0,2.0] mode=linear", 1, 8},
    {"Upsample", "f32[1,2,3,3] f32{1,1,2,2}", "", 9},
    {"MaxRoiPool", "f32[1,2,4,4] f32[1,5]{0,0,0,2,3}", "pooled_shape=[2,2] spatial_scale=0.5"},
    {"RoiAlign", "f32[1,2,4,4] f32[2,4] s64{0,0}",
     "output_height=2 output_width=2 sampling_ratio=2 spatial_scale=1.0"},
    {"RotaryEmbedding", "f32[1,3,4] f32[5,1] f32[5,1] s64[1,3]", "num_heads=2"},
    {"Scatter", "f32[3,2] s64[1,2] f32[1,2]"},
    {"ScatterElements", "f32[3,2] s64[1,2] f32[1,2]", "axis=0"},
    {"ScatterElements", "f32[3,2] s64[1,2] f32[1,2]", "reduction=add", 16},
    {"ScatterND", "f32[3,2] s64[1,1] f32[1,2]"},
    {"ScatterND", "f32[3,2] s64[1,1] f32[1,2]", "reduction=mul", 16},
    {"TensorScatter", "f32[1,4,2] f32[1,2,2] s64{1}"},
    {"Compress", "f32[3,2] bool[3]", "axis=0"},
    {"NonZero", "f32[2,3]"},
    {"Unique", "f32[2,3]", "axis=1 sorted=0"},
    {"BlackmanWindow", "s64(8)"},
    {"HammingWindow", "s64(8)"},
    {"HannWindow", "s64(8)", "periodic=0"},
    {"Slice", "f32[3,4]", "starts=[1] ends=[3] axes=[1]", 1, 9},
    {"Slice", "f32[3,4] s64{2,-1} s64{0,-9} s64{0,1} s64{-1,-2}", "", 10},
    {"Split", "f32[4,3]", "axis=0 split=[1,3]", 1, 12, 2},
    {"Split", "f32[4,3] s64{1,3}", "axis=0", 13, 99, 2},
    {"Split", "f32[4,3]", "axis=0 num_outputs=2", 18, 99, 2},
    {"TopK", "f32[2,4]", "k=2 axis=1", 1, 9},
    {"TopK", "f32[2,4] s64{2}", "", 10},
    {"Transpose", "f32[2,3,4]", "perm=[2,0,1]"},
    {"EyeLike", "f32[3,4]", "k=1"},
    {"Trilu", "f32[3,4] s64(1)", "upper=0"},
    {"ReduceSum", "f32[2,3,4] s64{0,-1}", "keepdims=0", 13},
    {"ReduceMean", "f32[2,3,4]", "axes=[1] keepdims=0", 1, 17},
    {"ReduceMax", "f32[2,3,4] s64{1}", "", 18},
    {"Where", "bool[2,3] f32[2,1] f32[3]"},
};

DataType type_called(std::string_view name) {
  for (int type = 1; type <= static_cast<int>(DataType::kS2); ++type)
    if (name_of(static_cast<DataType>(type)) == name) return static_cast<DataType>(type);
  throw Error(ErrorKind::kInternal, "no element type is called " + std::string(name));
}

std::vector<std::string> pieces_of(std::string_view text, char separator) {
  std::vector<std::string> pieces;
  std::istringstream stream{std::string(text)};
  for (std::string piece; std::getline(stream, piece, separator);) pieces.push_back(piece);
  return pieces;
}

std::vector<double> numbers_of(std::string_view text) {
  std::vector<double> numbers;
  for (const std::string& piece : pieces_of(text, ',')) numbers.push_back(std::stod(piece));
  return numbers;
}

template <typename T>
std::vector<T> list_of(std::string_view text) {
  std::vector<T> list;
  for (const double number : numbers_of(text)) list.push_back(static_cast<T>(number));
  return list;
}

template <typename T>
void fill(Tensor& tensor, const std::vector<double>& numbers) {
  for (size_t i = 0; i < numbers.size(); ++i) tensor.mutable_data<T>()[i] = static_cast<T>(numbers[i]);
}

Tensor tensor_of(DataType dtype, const Shape& shape, const std::vector<double>& numbers) {
  Tensor tensor(dtype, shape);
  if (dtype == DataType::kF32) fill<float>(tensor, numbers);
  if (dtype == DataType::kS64) fill<int64_t>(tensor, numbers);
  if (dtype == DataType::kS32) fill<int32_t>(tensor, numbers);
  if (dtype == DataType::kU8) fill<uint8_t>(tensor, numbers);
  if (dtype == DataType::kS8) fill<int8_t>(tensor, numbers);
  return tensor;
}

/// The text between the bracket at `open` and the end, which closes it.
std::string_view inside(std::string_view text, size_t open) {
  return text.substr(open + 1, text.size() - open - 2);
}

Operand read_operand(std::string_view text) {
  if (text == "-") return {};
  const bool is_constant = text[0] == '=';
  if (is_constant) text.remove_prefix(1);
  size_t open = text.find_first_of("[{(");
  const DataType dtype = type_called(text.substr(0, open));
  std::optional<Shape> shape;
  if (text[open] == '[') {
    const size_t close = text.find(']');
    shape = list_of<int64_t>(text.substr(open + 1, close - open - 1));
    if (close + 1 == text.size()) return {small_numbers(dtype, *shape), is_constant, shape};
    open = close + 1;
  }
  const std::vector<double> numbers = numbers_of(inside(text, open));
  if (!shape) shape = text[open] == '(' ? Shape{} : Shape{static_cast<int64_t>(numbers.size())};
  return {tensor_of(dtype, *shape, numbers), true, shape};
}

Attribute read_attribute(std::string_view text) {
  if (text.find('{') != text.npos) return read_operand(text).tensor;
  const auto is_number = [](std::string_view word) {
    return !word.empty() && word.find_first_not_of("-0123456789.,") == word.npos;
  };
  const bool is_list = text.front() == '[', is_real = text.find('.') != text.npos;
  if (is_list) {
    const std::string_view list = inside(text, 0);
    if (!is_number(list)) return pieces_of(list, ',');
    if (is_real) return list_of<float>(list);
    return list_of<int64_t>(list);
  }
  if (!is_number(text)) return std::string(text);
  const double number = std::stod(std::string(text));
  if (is_real) return static_cast<float>(number);
  return static_cast<int64_t>(number);
}

std::string full_name(const OpDef& def) {
  return (*def.domain == '\0' ? "" : std::string(def.domain) + ".") + def.op_type;
}

/// A body that adds its input, which it captures, to itself.
Body branch() {
  GraphBuilder b;
  const ValueId x = b.input("x", {});
  b.graph().value(x).shape.reset();
  return std::make_shared<const Graph>(b.build({b.node("Add", {x, x})}));
}

/// The body of a Loop: iteration, condition, state -> condition, state, stacked result.
Body loop_body() {
  GraphBuilder b;
  b.input("i", {}, DataType::kS64);
  const ValueId condition = b.input("condition", {}, DataType::kBool);
  const ValueId state = b.input("state", {2, 3});
  const ValueId sum = b.node("Add", {state, state});
  return std::make_shared<const Graph>(
      b.build({b.node("Identity", {condition}), sum, b.node("Relu", {sum})}));
}

/// The body of a Scan: state, slice -> state, stacked result.
Body scan_body() {
  GraphBuilder b;
  const ValueId state = b.input("state", {3}), slice = b.input("slice", {3});
  return std::make_shared<const Graph>(
      b.build({b.node("Add", {state, slice}), b.node("Mul", {state, slice})}));
}

/// Gives a node of control flow its bodies.
void add_bodies(Graph& graph, Node& node) {
  const auto kind = control_flow_of(node);
  if (!kind) return;
  if (kind == ControlFlowKind::kIf) {
    node.attributes["then_branch"] = branch();
    node.attributes["else_branch"] = branch();
    if (node.inputs.size() < 2 || node.inputs.back() == kNoValue)
      node.inputs.push_back(graph.add_constant("captured", small_numbers(DataType::kF32, {2, 3})));
    node.captures = 1;
  }
  if (kind == ControlFlowKind::kLoop) node.attributes["body"] = loop_body();
  if (kind == ControlFlowKind::kScan) node.attributes["body"] = scan_body();
  if (kind != ControlFlowKind::kIf) node.outputs.push_back(graph.add_value("stacked"));
  node.change_bodies([&](Graph& body) { body.info.opsets = graph.info.opsets; });
}

}  // namespace

std::vector<OperatorExample> operator_examples(const OpDef& def, int opset) {
  std::vector<OperatorExample> examples;
  const std::string name = full_name(def);
  for (const OperatorExample& example : kExamples)
    if (name == example.op_type && example.oldest <= opset && opset <= example.newest)
      examples.push_back(example);
  constexpr const char* kPlain[] = {"", QUANTIZE_F32X4, QUANTIZE_F32X4 " " QUANTIZE_F32X4};
  if (examples.empty()) examples.push_back({def.op_type, kPlain[std::min<size_t>(def.min_inputs, 2)]});
  return examples;
}

std::vector<int> opsets_to_try(const OpDef& def) {
  if (*def.domain != '\0') return {1};
  std::vector<int> opsets = {std::max(def.min_opset, kOldestOpset), def.max_opset};
  for (const OperatorExample& example : kExamples)
    if (full_name(def) == example.op_type)
      for (const int opset : {example.oldest, example.newest})
        if (opset >= opsets[0] && opset <= def.max_opset) opsets.push_back(opset);
  std::sort(opsets.begin(), opsets.end());
  opsets.erase(std::unique(opsets.begin(), opsets.end()), opsets.end());
  return opsets;
}

std::vector<Operand> operands_of(const OperatorExample& example) {
  std::vector<Operand> operands;
  for (const std::string& text : pieces_of(example.inputs, ' ')) operands.push_back(read_operand(text));
  return operands;
}

Tensor small_numbers(DataType dtype, const Shape& shape) {
  const Tensor reals = random_tensor(shape, static_cast<uint32_t>(shape.size()));
  if (dtype == DataType::kF32) return reals;
  std::vector<double> numbers;
  for (int64_t i = 0; i < reals.size(); ++i) numbers.push_back(std::abs(reals.data<float>()[i]) * 1.9f);
  Tensor tensor = tensor_of(dtype, shape, numbers);
  if (dtype == DataType::kBool)
    for (int64_t i = 0; i < tensor.size(); ++i)
      tensor.mutable_data<bool>()[i] = numbers[static_cast<size_t>(i)] >= 0.5;
  return tensor;
}

Graph graph_of(const OpDef& def, int opset, const OperatorExample& example,
               const std::vector<Operand>& operands) {
  GraphBuilder b(*def.domain == '\0' ? opset : kNewestOpset);
  if (*def.domain != '\0') b.graph().info.opsets[def.domain] = opset;
  std::vector<ValueId> inputs;
  for (const Operand& operand : operands) {
    const std::string name = "x" + std::to_string(inputs.size());
    if (!operand.tensor) {
      inputs.push_back(kNoValue);
    } else if (operand.is_constant) {
      inputs.push_back(b.constant(name, operand.tensor));
    } else {
      inputs.push_back(b.input(name, {}, operand.tensor.dtype()));
      b.graph().value(inputs.back()).shape = operand.shape;
    }
  }
  Node& node = (b.nodes(def.op_type, inputs, example.outputs), b.graph().nodes.back());
  node.domain = def.domain;
  for (const std::string& text : pieces_of(example.attributes, ' '))
    node.attributes[text.substr(0, text.find('='))] = read_attribute(text.substr(text.find('=') + 1));
  add_bodies(b.graph(), node);
  Graph graph = b.graph();
  graph.outputs = graph.nodes[0].outputs;
  return graph;
}

}  // namespace quantize::test
