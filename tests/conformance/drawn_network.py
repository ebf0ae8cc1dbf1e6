"""A small ONNX network in the making: nodes are appended one by one, and every value's shape is known. Read Network."""
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

IR_VERSION = 8


class Misfit(Exception):
    """The node cannot stand where it was drawn."""


@dataclass
class Network:
    """A network in the making. `random` is set anew for every piece."""
    opset: int
    input_shape: tuple                             # "N" for a batch left open; samples have one
    random: np.random.Generator = None
    nodes: list = field(default_factory=list)
    constants: list = field(default_factory=list)
    shapes: dict = field(default_factory=dict)     # of every value so far
    extra_outputs: list = field(default_factory=list)

    def __post_init__(self):
        self.shapes["x"] = tuple(1 if d == "N" else d for d in self.input_shape)

    def pick(self, *choices):
        return choices[self.random.integers(len(choices))]

    def chance(self, share):
        return self.random.random() < share

    def number(self, low, high):
        """A whole number from low to high, both included."""
        needs(low <= high)
        return int(self.random.integers(low, high + 1))

    def rank(self, x):
        return len(self.shapes[x])

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def reals(self, *shape, scale=1.0):
        return self.constant(self.random.normal(scale=scale, size=shape).astype(np.float32))

    def integers(self, *values):
        return self.constant(np.array(values, np.int64))

    def node(self, op_type, inputs, outputs=1, **attributes):
        """Appends a node; returns the name of its first output."""
        names = [f"v{len(self.nodes)}_{i}" if i else f"v{len(self.nodes)}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op_type, list(inputs), names, name=f"{op_type.lower()}_{len(self.nodes)}", **attributes))
        self.infer(names)
        return names[0]

    def infer(self, names):
        known = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in self.shapes.items() if n in self.nodes[-1].input]
        used = [c for c in self.constants if c.name in self.nodes[-1].input]
        outputs = [helper.make_empty_tensor_value_info(n) for n in names]
        graph = helper.make_graph([self.nodes[-1]], "node", known, outputs, used)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=IR_VERSION)
        try:
            inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        except Exception as error:
            raise Misfit from error
        for value in inferred.graph.output:
            shape = tuple(d.dim_value if d.HasField("dim_value") else -1 for d in value.type.tensor_type.shape.dim)
            if not value.type.tensor_type.HasField("shape") or any(d < 1 for d in shape) or np.prod(shape) > 60_000:
                raise Misfit
            self.shapes[value.name] = shape

    def like(self, x):
        """Another value of the same shape, or x itself."""
        others = [n for n, s in self.shapes.items() if s == self.shapes[x] and n != x and (n == "x" or n.startswith("v"))]
        return self.pick(*others) if others else x

    def output_shape(self, value):
        """None for every extent that an open batch might change."""
        return [None] * len(self.shapes[value]) if self.input_shape[0] == "N" else self.shapes[value]

    def model(self, output):
        values = [output, *[v for v in self.extra_outputs if v != output]]
        info = [helper.make_tensor_value_info(v, TensorProto.FLOAT, self.output_shape(v)) for v in values]
        graph = helper.make_graph(self.nodes, "drawn", [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.input_shape)], info,
                                  self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=IR_VERSION)


def needs(condition):
    if not condition:
        raise Misfit
