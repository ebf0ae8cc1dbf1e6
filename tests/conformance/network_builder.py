"""Networks of random weights, built node by node as exporters write them. Read Net.

Every node is run on a few images when it is appended, by ONNX Runtime, so that shapes are known and batch statistics are those of
real activations.
"""
from dataclasses import dataclass, field

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

IR_VERSION = 8
MICROSOFT = "com.microsoft"


IMAGES = 5


class Value(str):
    """The name of a value, with what it is for the images that the network is built with."""
    arrays: list

    @property
    def array(self):
        return self.arrays[0]

    @property
    def shape(self):
        return self.array.shape


@dataclass
class Net:
    """A network in the making, with the habits of the exporter that it is as if from."""
    opset: int = 17
    seed: int = 0
    open_batch: bool = False            # the batch is a symbol: shapes that hold it are computed
    constants_as_nodes: bool = False    # weights are Constant nodes
    weights_as_inputs: bool = False     # weights stand among the inputs of the graph, too
    traced_shapes: bool = False         # view() computes its shape by Shape, Gather, Unsqueeze, Concat
    nodes: list = field(default_factory=list)
    constants: dict = field(default_factory=dict)
    inputs: list = field(default_factory=list)
    domains: set = field(default_factory=set)
    known: dict = field(default_factory=dict)  # every value's arrays by name

    def __post_init__(self):
        self.random = np.random.default_rng(self.seed)

    # ------------------------------------------------------------ values

    def input(self, name, *shape):
        """An image that is smooth, as images are, of mean 0 and deviation 1 about."""
        self.inputs.append(self.value(name, [smooth(self.random, shape) for _ in range(IMAGES)]))
        return self.inputs[-1]

    def value(self, name, arrays):
        value = Value(name)
        value.arrays = self.known[name] = arrays
        return value

    def constant(self, array):
        value = self.value(f"c{len(self.constants)}", [np.asarray(array)] * IMAGES)
        self.constants[str(value)] = value.array
        return value

    def ints(self, *numbers):
        return self.constant(np.array(numbers, np.int64))

    def scalar(self, number):
        return self.constant(np.float32(number))

    def weights(self, *shape, fan_in=None, gain=1.0):
        fan_in = fan_in or int(np.prod(shape[1:]))
        return self.constant(self.random.normal(scale=gain * fan_in ** -0.5, size=shape).astype(np.float32))

    # ------------------------------------------------------------ nodes

    def op(self, op_type, *operands, outputs=1, domain="", **attributes):
        """Appends a node; returns its output, or a list of them. Numbers become constants."""
        operands = [self.scalar(v) if isinstance(v, float) else v for v in operands]
        names = [f"{op_type.lower()}_{len(self.nodes)}" + (f"_{i}" if i else "") for i in range(outputs)]
        attributes = {k: v for k, v in attributes.items() if v is not None}
        node = helper.make_node(op_type, operands, names, name=f"{op_type}_{len(self.nodes)}", domain=domain, **attributes)
        if domain:
            self.domains.add(domain)
        self.nodes.append(node)
        read = {v: self.known[v] for v in [*node.input, *captured(node)] if v in self.known}
        made = [self.value(str(name), list(arrays)) for name, arrays in zip(names, zip(*self.run_node(node, read)))]
        return made[0] if outputs == 1 else made

    def run_node(self, node, read):
        """Its outputs, image by image."""
        known = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a[0].dtype),
                                               a[0].shape if len({v.shape for v in a}) == 1 else [None] * a[0].ndim) for n, a in read.items()]
        graph = helper.make_graph([node], "node", known, [helper.make_empty_tensor_value_info(v) for v in node.output])
        options = ort.SessionOptions()
        options.log_severity_level, options.intra_op_num_threads = 4, 1
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = ort.InferenceSession(self.as_model(graph).SerializeToString(), options, providers=["CPUExecutionProvider"])
        return [session.run(None, {n: a[i] for n, a in read.items()}) for i in range(IMAGES)]

    def as_model(self, graph):
        opsets = [helper.make_opsetid("", self.opset), *[helper.make_opsetid(d, 1) for d in sorted(self.domains)]]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)

    def local(self, name, array):
        """An input of a body, with a value that it may have."""
        return self.value(name, [array] * IMAGES)

    def body(self, name, make, inputs=()):
        """A graph of the nodes that make() appends, and its results; they read what there is outside, but have constants of their own."""
        count = len(self.nodes)
        results = make()
        nodes = [helper.make_node("Identity", [v], [f"{name}_{i}"]) for i, v in enumerate(results)]
        nodes, self.nodes = [*self.nodes[count:], *nodes], [*self.nodes[:count], *[onnx.NodeProto()] * (len(self.nodes) - count)]
        used = dict.fromkeys(v for n in nodes for v in n.input if v in self.constants)
        for node in nodes:
            node.input[:] = [f"{name}_{v}" if v in used else v for v in node.input]
        own = [numpy_helper.from_array(self.constants[c], f"{name}_{c}") for c in used]
        declared = [[helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.array.dtype), [None] * v.array.ndim) for n, v in part]
                    for part in (zip(inputs, inputs), ((f"{name}_{i}", v) for i, v in enumerate(results)))]
        return helper.make_graph(nodes, name, *declared, own)

    # ------------------------------------------------------------ layers

    def conv(self, x, channels, kernel=3, stride=1, pad=None, group=1, dilation=1, bias=True, gain=1.0):
        dims = x.array.ndim - 2
        kernel = [kernel] * dims if isinstance(kernel, int) else list(kernel)
        stride = [stride] * dims if isinstance(stride, int) else list(stride)
        pad = [(k - 1) * dilation // 2 for k in kernel] if pad is None else [pad] * dims if isinstance(pad, int) else list(pad)
        operands = [x, self.weights(channels, x.shape[1] // group, *kernel, gain=gain * 2 ** 0.5)]
        if bias:
            operands.append(self.constant(self.random.normal(scale=0.1, size=channels).astype(np.float32)))
        return self.op("Conv", *operands, kernel_shape=kernel, strides=stride, pads=pad * 2, group=group, dilations=[dilation] * dims)

    def bn(self, x, epsilon=1e-5):
        """BatchNormalization with the statistics of x."""
        scale, shift = (self.random.normal(m, 0.1, x.shape[1]) for m in (1, 0))
        return self.op("BatchNormalization", x, *[self.constant(np.asarray(v, np.float32)) for v in (scale, shift, *statistics(x.arrays))], epsilon=epsilon)

    def act(self, x, kind="Relu"):
        """An activation as the exporter of this opset writes it."""
        if kind == "Relu6":
            return self.op("Clip", x, self.scalar(0), self.scalar(6)) if self.opset >= 11 else self.op("Clip", x, min=0.0, max=6.0)
        if kind == "SiLU":
            return self.op("Mul", x, self.op("Sigmoid", x))
        if kind == "HardSwish" and self.opset < 14:
            y = self.op("Clip", self.op("Add", x, 3.0), self.scalar(0), self.scalar(6))
            return self.op("Div", self.op("Mul", x, y), 6.0)
        if kind == "GELU" and self.opset < 20:
            y = self.op("Add", self.op("Erf", self.op("Div", x, 2 ** 0.5)), 1.0)
            return self.op("Mul", self.op("Mul", x, y), 0.5)
        if kind == "GELU":
            return self.op("Gelu", x)
        if kind == "PRelu":
            return self.op("PRelu", x, self.constant(np.full((x.shape[1],) + (1,) * (x.array.ndim - 2), 0.25, np.float32)))
        return x if kind is None else self.op(kind, x, **({"alpha": 0.1} if kind == "LeakyRelu" else {}))

    def cba(self, x, channels, kernel=3, stride=1, act="Relu", **more):
        """Convolution, BatchNormalization, activation."""
        return self.act(self.bn(self.conv(x, channels, kernel, stride, bias=False, **more)), act)

    def pool(self, x, kernel=3, stride=2, pad=1, kind="MaxPool", **more):
        dims = x.array.ndim - 2
        return self.op(kind, x, kernel_shape=[kernel] * dims, strides=[stride] * dims, pads=[pad] * 2 * dims, **more)

    def linear(self, x, width, bias=True):
        """nn.Linear: Gemm for matrices, MatMul and Add for what has more axes."""
        if x.array.ndim == 2:
            operands = [x, self.weights(width, x.shape[1])]
            return self.op("Gemm", *operands, *[self.weights(width, fan_in=100)] * bias, transB=1)
        y = self.op("MatMul", x, self.weights(x.shape[-1], width, fan_in=x.shape[-1]))
        return self.op("Add", self.weights(width, fan_in=100), y) if bias else y

    def layer_norm(self, x, epsilon=1e-6):
        scale, bias = (self.constant(self.random.normal(m, 0.1, x.shape[-1]).astype(np.float32)) for m in (1, 0))
        if self.opset >= 17:
            return self.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=epsilon)
        centred = self.op("Sub", x, self.reduce("ReduceMean", x, -1))
        variance = self.reduce("ReduceMean", self.op("Pow", centred, 2.0), -1)
        y = self.op("Div", centred, self.op("Sqrt", self.op("Add", variance, epsilon)))
        return self.op("Add", self.op("Mul", y, scale), bias)

    # ------------------------------------------------------------ shapes

    def reduce(self, op_type, x, *axes, keep=1):
        if self.opset >= (13 if op_type == "ReduceSum" else 18):
            return self.op(op_type, x, self.ints(*axes), keepdims=keep)
        return self.op(op_type, x, axes=list(axes), keepdims=keep)

    def squeeze(self, x, *axes):
        return self.op("Squeeze", x, self.ints(*axes)) if self.opset >= 13 else self.op("Squeeze", x, axes=list(axes))

    def unsqueeze(self, x, *axes):
        return self.op("Unsqueeze", x, self.ints(*axes)) if self.opset >= 13 else self.op("Unsqueeze", x, axes=list(axes))

    def transpose(self, x, *perm):
        return self.op("Transpose", x, perm=list(perm))

    def extent(self, x, axis):
        """x.size(axis), one element of one axis."""
        return self.unsqueeze(self.op("Gather", self.op("Shape", x), self.constant(np.int64(axis)), axis=0), 0)

    def view(self, x, *shape):
        """x.reshape(shape); the first extent, where it is that of the batch, is written None."""
        if None in shape and (self.traced_shapes or (self.open_batch and shape.index(None) > 0)):
            parts = [self.extent(x, 0) if d is None else self.ints(d) for d in shape]
            return self.op("Reshape", x, self.op("Concat", *parts, axis=0))
        batch = 0 if self.open_batch or -1 in shape else x.shape[0]
        return self.op("Reshape", x, self.ints(*[batch if d is None else d for d in shape]))

    def flatten(self, x):
        return self.view(x, None, -1) if self.traced_shapes else self.op("Flatten", x, axis=1)

    def cut(self, x, axis, begin, end, step=1):
        return self.op("Slice", x, self.ints(begin), self.ints(end), self.ints(axis), self.ints(step))

    def split(self, x, axis, *sizes):
        if self.opset >= 13:
            return self.op("Split", x, self.ints(*sizes), outputs=len(sizes), axis=axis)
        return self.op("Split", x, outputs=len(sizes), axis=axis, split=list(sizes))

    def concat(self, *values, axis=1):
        return self.op("Concat", *values, axis=axis)

    def resize(self, x, factor=2, mode="nearest", like=None):
        """Upsampling by a factor, or to the extent of another value, which is computed as traced models do."""
        attributes = {"mode": mode, "coordinate_transformation_mode": "asymmetric" if mode == "nearest" else "half_pixel",
                      "nearest_mode": "floor" if mode == "nearest" else None}
        empty = "" if self.opset >= 13 else self.constant(np.zeros(0, np.float32))
        if like is None:
            return self.op("Resize", x, empty, self.constant(np.array([1, 1, factor, factor], np.float32)), **attributes)
        front, back = (self.cut(self.op("Shape", v), 0, *ends) for v, ends in ((x, (0, 2)), (like, (2, 4))))
        return self.op("Resize", x, empty, empty, self.concat(front, back, axis=0), **attributes)

    def global_pool(self, x):
        return self.flatten(self.op("GlobalAveragePool", x))

    # ------------------------------------------------------------ the whole

    def model(self, *outputs):
        declared = [helper.make_tensor_value_info(v, TensorProto.FLOAT, self.declared(v.shape)) for v in self.inputs]
        used = {v for n in self.nodes for v in [*n.input, *captured(n)]}
        constants = [numpy_helper.from_array(a, n) for n, a in self.constants.items() if n in used]
        nodes = [n for n in self.nodes if n.op_type]  # those of bodies have left their places
        kinds = [helper.np_dtype_to_tensor_dtype(v.array.dtype) for v in outputs]
        results = [helper.make_tensor_value_info(v, k, [None] * v.array.ndim) for v, k in zip(outputs, kinds)]
        model = self.as_model(helper.make_graph(nodes, "network", declared, results, constants))
        self.write_habits(model.graph)
        onnx.checker.check_model(model)
        return model

    def write_habits(self, graph):
        constants = list(graph.initializer)
        if self.constants_as_nodes:
            nodes = [*[helper.make_node("Constant", [], [c.name], value=c) for c in constants], *graph.node]
            del graph.initializer[:], graph.node[:]
            graph.node.extend(nodes)
        elif self.weights_as_inputs:
            graph.input.extend(helper.make_tensor_value_info(c.name, c.data_type, c.dims) for c in constants)

    def declared(self, shape):
        return ["batch", *shape[1:]] if self.open_batch else list(shape)


def statistics(arrays):
    """Mean and variance per channel; those of few elements lean on the variance of all channels."""
    rows = np.concatenate([np.moveaxis(a, 1, 0).reshape(a.shape[1], -1) for a in arrays], 1)
    few = 4 / (4 + rows.shape[1])
    variance = rows.var(1) * (1 - few) + max(float(rows.var()), 1e-3) * few
    return (rows.mean(1) * (1 - few)).astype(np.float32), variance.astype(np.float32)


def captured(node):
    """What the bodies of a node read from outside of them."""
    found = []
    for body in [a.g for a in node.attribute if a.HasField("g")]:
        own = {v for n in body.node for v in n.output} | {v.name for v in [*body.input, *body.initializer]}
        found += [v for n in body.node for v in [*n.input, *captured(n)] if v not in own]
    return found


def smooth(random, shape):
    """Noise of several sizes along the last axes."""
    total = random.normal(size=shape)
    for step in (2, 4, 8):
        coarse = [n if i < 2 else -(-n // step) for i, n in enumerate(shape)]
        part = random.normal(size=coarse)
        for axis in range(2, len(shape)):
            part = part.repeat(step, axis).take(range(shape[axis]), axis)
        total = total + part * step ** 0.5
    return (total / total.std()).astype(np.float32)
