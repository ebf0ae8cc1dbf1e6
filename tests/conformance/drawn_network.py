"""A small ONNX network in the making: nodes are appended one by one, and every value's shape is known. Read Network."""
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

IR_VERSION = 8
FUNCTION_DOMAIN = "drawn"
PIECES = {}  # name -> Piece


@dataclass
class Piece:
    make: object     # (network, name of a value) -> name of a new value
    weight: float    # how often it is drawn
    drawing: int     # the first drawing that has it (drawn_pieces.draw_genes)


def piece(weight=1, drawing=1):
    def register(function):
        PIECES[function.__name__] = Piece(function, weight, drawing)
        return function
    return register


def names_and_weights(drawing):
    """The pieces that a drawing has, and how often each is drawn."""
    names = [n for n, p in PIECES.items() if p.drawing <= drawing]
    return names, np.array([PIECES[n].weight for n in names], float)


class Misfit(Exception):
    """The node cannot stand where it was drawn."""


def counts_window_outside(node, before, after):
    """ONNX's inference of shapes counts, with ceil_mode, a last window that begins behind the image; runtimes do not.
    `before` is element type and shape of the input, `after` the shape that was inferred."""
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    if not before or not attributes.get("ceil_mode"):
        return False
    extents = before[1][2:]
    axes = len(extents)
    strides, pads = attributes.get("strides", [1] * axes), attributes.get("pads", [0] * 2 * axes)
    return any((n - 1) * stride - pad >= extent for n, stride, pad, extent in zip(after[2:], strides, pads, extents))


@dataclass
class Network:
    """A network in the making. `random` is set anew for every piece."""
    opset: int
    input_shape: tuple                             # "N" for a batch left open; samples have one
    random: np.random.Generator = None
    samples: str = "any"                           # "bytes": they are whole numbers from 0 to 255
    nodes: list = field(default_factory=list)
    constants: list = field(default_factory=list)
    shapes: dict = field(default_factory=dict)     # of every value so far that may be read by any piece
    hidden: dict = field(default_factory=dict)     # of other values (of integers, of constants): (element type, shape)
    extra_outputs: list = field(default_factory=list)
    as_nodes: set = field(default_factory=set)     # the constants that are written as Constant nodes
    functions: list = field(default_factory=list)  # local ones
    domains: set = field(default_factory=set)      # beside ONNX's own
    names_inside: list = field(default_factory=lambda: [0, 0])  # how many nodes and constants bodies have: names stay their own

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
        name = f"c{len(self.constants) + self.names_inside[1]}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def reals(self, *shape, scale=1.0):
        return self.constant(self.random.normal(scale=scale, size=shape).astype(np.float32))

    def integers(self, *values):
        return self.constant(np.array(values, np.int64))

    def node(self, op_type, inputs, outputs=1, shape=None, hidden=False, **attributes):
        """Appends a node; returns the name of its first output. `shape`, of one output, where inference cannot tell it; `hidden` keeps
        the outputs from other pieces, which happens to all that are no reals (with a shape: the element type of the outputs)."""
        place = len(self.nodes) + self.names_inside[0]
        names = [f"v{place}_{i}" if i else f"v{place}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op_type, list(inputs), names, name=f"{op_type.lower()}_{place}", **attributes))
        if shape is None:
            self.infer(names, hidden)
        elif hidden:
            self.hidden.update((name, (hidden, tuple(shape))) for name in names)
        else:
            self.shapes[names[0]] = tuple(shape)
        if attributes.get("domain"):
            self.domains.add(attributes["domain"])
        return names[0]

    def state(self):
        """All that pieces change, for restore()."""
        return (len(self.nodes), len(self.constants), len(self.functions)), (dict(self.shapes), dict(self.hidden), list(self.extra_outputs))

    def restore(self, state):
        lengths, (self.shapes, self.hidden, self.extra_outputs) = state
        for made, length in zip((self.nodes, self.constants, self.functions), lengths):
            del made[length:]

    def inside(self, make):
        """Calls make() and takes what it appended off the network again: (its result, that value's shape, nodes, constants), for a body,
        which reads every value that there is outside."""
        outside, state, functions = self.nodes, self.state(), self.functions
        self.names_inside[0] += len(outside)
        self.nodes, self.functions = [], list(functions)
        try:
            result = make()
            shape, nodes, constants, made = self.shapes.get(result), self.nodes, self.constants[state[0][1]:], self.functions
        finally:
            self.nodes, self.functions = outside, functions
            self.restore(state)
        self.functions = made
        self.names_inside[0] += len(nodes) - len(outside)
        self.names_inside[1] += len(constants)
        return result, shape, nodes, constants

    def infer(self, names, hidden):
        last = self.nodes[-1]
        types = {**{n: (TensorProto.FLOAT, s) for n, s in self.shapes.items()}, **self.hidden}
        known = [helper.make_tensor_value_info(n, *types[n]) for n in dict.fromkeys(last.input) if n in types]
        used = [c for c in self.constants if c.name in last.input]
        outputs = [helper.make_empty_tensor_value_info(n) for n in names]
        graph = helper.make_graph([last], "node", known, outputs, used)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=IR_VERSION)
        try:
            inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        except Exception as error:
            raise Misfit from error
        for value in inferred.graph.output:
            tensor = value.type.tensor_type
            shape = tuple(d.dim_value if d.HasField("dim_value") else -1 for d in tensor.shape.dim)
            if not tensor.HasField("shape") or any(d < 1 for d in shape) or np.prod(shape) > 60_000:
                raise Misfit
            if not hidden and tensor.elem_type == TensorProto.FLOAT and len(shape) < 2:
                raise Misfit
            if counts_window_outside(last, types.get(last.input[0]), shape):
                raise Misfit
            if hidden or tensor.elem_type != TensorProto.FLOAT:
                self.hidden[value.name] = tensor.elem_type, shape
            else:
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
        moved = [c for c in self.constants if c.name in self.as_nodes]
        made = [helper.make_node("Constant", [], [c.name], name=f"constant_{c.name}", value=c) for c in moved]
        graph = helper.make_graph([*made, *self.nodes], "drawn", [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.input_shape)],
                                  info, [c for c in self.constants if c.name not in self.as_nodes])
        graph.doc_string = self.samples
        opsets = [helper.make_opsetid("", self.opset), *[helper.make_opsetid(d, 1) for d in sorted(self.domains)]]
        return helper.make_model(graph, opset_imports=opsets, functions=self.functions, ir_version=IR_VERSION)


def needs(condition):
    if not condition:
        raise Misfit
