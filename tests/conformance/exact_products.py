"""ONNX Runtime's products of u8 by s8 on x86 without VNNI: sums of two of them are cut to 16 bits there. A test of what a file means turns such
weights to u8 first, of zero point 128: then every product is exact, and the same."""
import functools

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

# Operator: positions of weights and of their zero points. The first input is codes, or reals that it makes u8 of.
PRODUCTS = {"QLinearConv": {3: 5}, "QLinearMatMul": {3: 5}, "QGemm": {3: 5}, "MatMulInteger": {1: 3}, "MatMulIntegerToFloat": {1: 5},
            "DynamicQuantizeMatMul": {1: 3}, "DynamicQuantizeLSTM": {1: 9, 2: 11}}
LAYERS = ("Conv", "Gemm", "MatMul")
CODES = (TensorProto.UINT8, TensorProto.INT8)


@functools.cache
def cuts_sums():
    """True where ONNX Runtime computes 2 * 255 * 127 as 32767."""
    graph = helper.make_graph([helper.make_node("MatMulInteger", ["x", "w"], ["y"])], "g", [helper.make_tensor_value_info("x", TensorProto.UINT8, [4, 64])],
                              [helper.make_tensor_value_info("y", TensorProto.INT32, None)], [numpy_helper.from_array(np.full((64, 16), 127, np.int8), "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return bool((session.run(None, {"x": np.full((4, 64), 255, np.uint8)})[0] != 64 * 255 * 127).any())


class Codes:
    """A graph whose s8 weights are turned to u8 where they meet u8."""

    def __init__(self, graph):
        self.graph = graph
        self.s8 = {i.name: numpy_helper.to_array(i) for i in graph.initializer if i.data_type == TensorProto.INT8}
        self.types = {v.name: v.type.tensor_type.elem_type for v in graph.input} | {i.name: i.data_type for i in graph.initializer}
        self.made = {}

    def type_after(self, node):
        """The type of a node's first output, as far as codes go."""
        if node.op_type == "DynamicQuantizeLinear":
            return TensorProto.UINT8
        if node.op_type == "QuantizeLinear":
            given = [a.i for a in node.attribute if a.name == "output_dtype"]
            return self.types.get(node.input[2], 0) if len(node.input) > 2 else (*given, TensorProto.UINT8)[0]
        if node.op_type in ("DequantizeLinear", "MatMulInteger", "ConvInteger", "MatMulIntegerToFloat"):
            return TensorProto.FLOAT
        return next((self.types[name] for name in node.input if self.types.get(name) in CODES), 0)

    def as_u8(self, name):
        """The name of s8 constants with 128 added."""
        key = self.made.get(name)
        if key is None:
            key = self.made[name] = f"{name}_turned"
            self.graph.initializer.append(numpy_helper.from_array((self.s8[name].astype(np.int16) + 128).astype(np.uint8), key))
        return key

    def turn(self, node, weights, zero_point):
        """The weights of this node and their zero point, which may be left out."""
        node.input[weights] = self.as_u8(node.input[weights])
        while len(node.input) <= zero_point:
            node.input.append("")
        if node.input[zero_point]:
            node.input[zero_point] = self.as_u8(node.input[zero_point])
        else:
            zero = node.input[zero_point] = f"{node.input[weights]}_zero"
            if zero not in self.types:
                self.types[zero] = TensorProto.UINT8
                self.graph.initializer.append(numpy_helper.from_array(np.array(128, np.uint8), zero))

    def turn_all(self):
        of_layers = {node.input[1] for node in self.graph.node if node.op_type in LAYERS}
        for node in self.graph.node:
            if node.op_type == "Transpose" and node.input[0] in self.s8:
                self.s8[node.output[0]] = self.s8[node.input[0]].transpose(*[a.ints for a in node.attribute])
            if self.types.get(node.input[0] if node.input else "") != TensorProto.INT8:
                for weights, zero_point in PRODUCTS.get(node.op_type, {}).items():
                    if node.input[weights] in self.s8:
                        self.turn(node, weights, zero_point)
            for name in node.output:
                self.types[name] = self.type_after(node)
        if not any(self.types[n.output[0]] == TensorProto.INT8 for n in self.graph.node if n.op_type == "QuantizeLinear"):
            for node in self.graph.node:
                if node.op_type == "DequantizeLinear" and node.output[0] in of_layers and node.input[0] in self.s8 and len(node.input) > 2:
                    self.turn(node, 0, 2)


def exact(model):
    """The model itself where sums are whole, else one that means the same."""
    if not cuts_sums():
        return model
    turned = onnx.ModelProto()
    turned.CopyFrom(model)
    for graph in graphs_of(turned.graph):
        Codes(graph).turn_all()
    return turned


def graphs_of(graph):
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from graphs_of(attribute.g)
