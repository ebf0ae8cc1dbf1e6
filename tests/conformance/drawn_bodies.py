"""Pieces of drawn networks (see drawn_pieces.py) with other pieces in them, in bodies, local functions and other types of reals; with
shapes that depend on data; and what exporters and optimizers write for several operators. Seeds of the second drawing on draw them."""
import numpy as np
import onnx
from onnx import TensorProto, helper

from drawn_more import fixed_batch, more, with_axes
from drawn_network import FUNCTION_DOMAIN, PIECES, Misfit, names_and_weights, needs

MICROSOFT = "com.microsoft"


# ---------------------------------------------------------------- bodies

def any_piece(net, x):
    """A drawn piece behind x, as a function that makes it."""
    names, weights = names_and_weights(2)
    name = names[net.random.choice(len(names), p=weights / weights.sum())]
    return lambda: PIECES[name].make(net, x)


def keeping_shape(net, x, made):
    """make() of a value of the shape of x; of a function where a drawn piece has another."""
    def make():
        y = made()
        if net.shapes.get(y) != net.shapes[x]:
            raise Misfit
        return y
    return make


def graph_of(net, name, inside, inputs=(), front=(), results=()):
    """A body of what net.inside() returned: `front` and `results` are more outputs around its result."""
    result, shape, nodes, constants = inside
    own = constants if net.chance(0.5) else []
    if not own:
        nodes = [*[helper.make_node("Constant", [], [c.name], value=c) for c in constants], *nodes]
    if result not in {v for n in nodes for v in n.output}:  # an output that is an input, or captured
        nodes = [*nodes, helper.make_node("Identity", [result], [f"{name}_{result}"])]
        result = f"{name}_{result}"
    declared = helper.make_tensor_value_info(result, TensorProto.FLOAT, [None] * len(shape))
    return helper.make_graph(nodes, name, list(inputs), [*front, declared, *results], own)


def condition(net, x):
    """A bool that changes with the sample."""
    mean = net.node("ReduceMean", [x], keepdims=0, hidden=True)
    return net.node("Greater", [mean, net.constant(np.float32(net.random.normal(scale=0.1)))])


@more(2)
def branches(net, x):
    """If: one branch is a drawn piece, the other another of the same shape or the first one's negative."""
    chosen = condition(net, x) if net.chance(0.8) else net.constant(np.array(net.chance(0.5)))
    first, seed = any_piece(net, x), int(net.random.integers(1 << 30))

    def seeded(make, behind=None):
        def run():
            net.random = np.random.default_rng(seed)
            return net.node(behind, [make()]) if behind else make()
        return run
    then = net.inside(seeded(first))
    needs(then[1])
    negative = net.inside(seeded(first, "Neg"))
    bodies = [graph_of(net, "then_body", then), graph_of(net, "else_body", negative)]
    return net.node("If", [chosen], shape=then[1], then_branch=bodies[0], else_branch=bodies[1])


@more(2)
def loop(net, x):
    """Loop: a piece that keeps the shape of its state, so often as a constant or the data say."""
    net.names_inside[0] += 1
    tag = f"b{net.names_inside[0]}"
    state, trip, go = f"{tag}_state", f"{tag}_i", f"{tag}_go"
    net.shapes[state] = net.shapes[x]
    try:
        inside = net.inside(keeping_shape(net, state, any_piece(net, state)))
    finally:
        del net.shapes[state]
    inputs = [helper.make_tensor_value_info(trip, TensorProto.INT64, []), helper.make_tensor_value_info(go, TensorProto.BOOL, []),
              helper.make_tensor_value_info(state, TensorProto.FLOAT, [None] * net.rank(x))]
    going = helper.make_tensor_value_info(f"{go}_on", TensorProto.BOOL, [])
    body = graph_of(net, f"{tag}_body", inside, inputs, front=[going])
    body.node.insert(0, helper.make_node("Identity", [go], [f"{go}_on"]))
    trips = net.constant(np.int64(net.number(0, 3)))
    if net.chance(0.4):
        whole = net.node("Cast", [net.node("ReduceMax", [net.node("Abs", [x])], keepdims=0, hidden=True)], to=TensorProto.INT64)
        trips = net.node("Min", [whole, net.constant(np.int64(2))]) if net.opset >= 12 else trips
    start = [net.constant(np.array(True))] if net.chance(0.6) else [""]
    return net.node("Loop", [trips, *start, x], shape=net.shapes[x], body=body)


@more(2)
def scan(net, x):
    """Scan along an axis: a state that is blended, and what a piece makes of the row."""
    needs(net.opset >= 9 and net.rank(x) in (3, 4))
    axis = net.rank(x) - 1
    net.names_inside[0] += 1
    tag = f"b{net.names_inside[0]}"
    row, state = f"{tag}_row", f"{tag}_state"
    shape = net.shapes[x][:-1]
    net.shapes[row] = net.shapes[state] = shape

    def make():
        mixed = net.node("Add", [net.node("Mul", [state, net.constant(np.float32(0.5))]), row])
        return net.node("Tanh", [mixed])
    try:
        inside = net.inside(make)
    finally:
        del net.shapes[row], net.shapes[state]
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [None] * len(shape)) for n in (state, row)]
    again = helper.make_tensor_value_info(f"{tag}_out", TensorProto.FLOAT, [None] * len(shape))
    body = graph_of(net, f"{tag}_body", inside, inputs, results=[again])
    body.node.append(helper.make_node("Neg", [inside[0]], [f"{tag}_out"]))
    start = with_axes(net, "ReduceMean", x, [axis], keepdims=0)
    attributes = {"num_scan_inputs": 1, "scan_input_axes": [axis], "scan_output_axes": [net.pick(axis, -1) if net.opset >= 11 else axis]}
    if net.chance(0.3):
        attributes |= {"scan_input_directions": [1], "scan_output_directions": [net.number(0, 1)]}
    y = net.node("Scan", [start, x], outputs=2, shape=shape, body=body, **attributes)
    if net.chance(0.3):
        return y
    net.shapes[f"{y}_1"] = net.shapes[x]
    return f"{y}_1"


@more(3)
def local_function(net, x):
    """A function of the model's own with one or two pieces in it; weights are its inputs or its constants. Called twice where it can be."""
    def make():
        y = any_piece(net, x)()
        return any_piece(net, y)() if net.chance(0.5) and y in net.shapes else y
    result, shape, nodes, constants = net.inside(make)
    needs(shape and nodes and not any(a.type == onnx.AttributeProto.GRAPH for n in nodes for a in n.attribute))
    needs(result in {v for n in nodes for v in n.output})
    made = {v for n in nodes for v in n.output} | {c.name for c in constants}
    inputs = [x, *dict.fromkeys(v for n in nodes for v in n.input if v and v not in made and v != x)]
    as_inputs = net.chance(0.5)
    if as_inputs:
        inputs += [c.name for c in constants]
        net.constants += constants
        net.names_inside[1] -= len(constants)
    else:
        nodes = [*[helper.make_node("Constant", [], [c.name], value=c) for c in constants], *nodes]
    opsets = [helper.make_opsetid("", net.opset), *[helper.make_opsetid(d, 1) for d in sorted(net.domains)]]
    name = f"Function{len(net.functions)}"
    net.functions.append(helper.make_function(FUNCTION_DOMAIN, name, inputs, [result], nodes, opsets))
    y = net.node(name, inputs, domain=FUNCTION_DOMAIN, shape=shape)
    if shape == net.shapes[x] and net.chance(0.4):
        return net.node(name, [y, *inputs[1:]], domain=FUNCTION_DOMAIN, shape=shape)
    return y


# ---------------------------------------------------------------- other types of reals

@more(3)
def other_reals(net, x):
    """A few operators in f16 or f64 between two Casts."""
    kind, number = net.pick((TensorProto.FLOAT16, np.float16), (TensorProto.FLOAT16, np.float16), (TensorProto.DOUBLE, np.float64))
    shape, y = net.shapes[x], net.node("Cast", [x], to=kind)
    for _ in range(net.number(1, 3)):
        layers = ["Conv", "MatMul", "Sigmoid", "Softmax", "MaxPool", "AveragePool"] if kind == TensorProto.FLOAT16 else []
        op_type = net.pick("Relu", "Add", "Mul", "Transpose", "LeakyRelu", "Concat", *layers)
        if op_type in ("Add", "Mul"):
            y = net.node(op_type, [y, net.constant(number(net.pick(0.5, -0.75)))])
        elif op_type == "Conv":
            needs(len(shape) == 4)
            w = net.random.normal(size=(4, shape[1], 1, 1), scale=shape[1] ** -0.5).astype(number)
            y = net.node("Conv", [y, net.constant(w)])
        elif op_type == "MatMul":
            w = net.random.normal(size=(shape[-1], 5), scale=shape[-1] ** -0.5).astype(number)
            y = net.node("MatMul", [y, net.constant(w)])
        elif op_type.endswith("Pool"):
            needs(len(shape) == 4 and min(shape[2:]) >= 2)
            y = net.node(op_type, [y], kernel_shape=[2, 2])
        elif op_type == "Transpose":
            y = net.node("Transpose", [y], perm=[0, *(1 + net.random.permutation(len(shape) - 1)).tolist()])
        elif op_type == "Concat":
            y = net.node("Concat", [y, y], axis=1)
        else:
            y = net.node(op_type, [y])
        shape = net.hidden[y][1]
    return net.node("Cast", [y], to=TensorProto.FLOAT)


# ---------------------------------------------------------------- shapes that depend on data

@more(3)
def selected_elements(net, x):
    """x[mask] = f(x[mask]) as exporters write it: NonZero, GatherND, something in between, ScatterND."""
    needs(net.opset >= 11)
    mask = net.node(net.pick("Greater", "Less"), [x, net.constant(np.float32(net.pick(-0.5, 0.3, 1, 100)))])
    places = data_dependent(net, "NonZero", [mask], TensorProto.INT64, 2)
    places = data_dependent(net, "Transpose", [places], TensorProto.INT64, 2, perm=[1, 0])
    values = data_dependent(net, "GatherND", [net.like(x), places], TensorProto.FLOAT, 1)
    for _ in range(net.number(1, 2)):
        op_type = net.pick("Relu", "Mul", "Tanh", "Exp")
        operands = [values, net.constant(np.float32(-0.4))] if op_type == "Mul" else [values]
        values = data_dependent(net, op_type, operands, TensorProto.FLOAT, 1)
    if net.chance(0.6):
        return net.node("ScatterND", [x, places, values], shape=net.shapes[x])
    row = net.node("Unsqueeze", [values, net.integers(0)], shape=(1, 1)) if net.opset >= 13 else net.node("Unsqueeze", [values], axes=[0], shape=(1, 1))
    total = with_axes(net, "ReduceSum", row, [1], keepdims=1)
    del net.shapes[row]
    return net.node("Mul", [total, net.constant(np.float32(0.2))])


def data_dependent(net, op_type, inputs, kind, rank, **attributes):
    """A node whose extents the data tell; other pieces do not see its output."""
    return net.node(op_type, inputs, shape=(1,) * rank, hidden=kind, **attributes)


@more(2)
def selected_rows(net, x):
    """Rows whose first element is large go through a layer of their own and are summed."""
    needs(net.rank(x) == 3 and net.shapes[x][0] == 1 and net.opset >= 11)
    columns, outputs = net.shapes[x][2], net.number(2, 6)
    rows = net.node("Reshape", [x, net.integers(-1, columns)])
    first = net.node("Gather", [rows, net.constant(np.int64(0))], axis=1, hidden=True)
    mask = net.node("Greater", [first, net.constant(np.float32(net.pick(0, 0.2, 100)))])
    if net.chance(0.5):
        kept = data_dependent(net, "Compress", [rows, mask], TensorProto.FLOAT, 2, axis=0)
    else:
        places = data_dependent(net, "NonZero", [mask], TensorProto.INT64, 2)
        places = net.node("Reshape", [places, net.integers(-1)], shape=(1,), hidden=TensorProto.INT64)
        kept = data_dependent(net, "Gather", [rows, places], TensorProto.FLOAT, 2, axis=0)
    y = data_dependent(net, "MatMul", [kept, net.reals(columns, outputs, scale=columns ** -0.5)], TensorProto.FLOAT, 2)
    y = data_dependent(net, "Relu", [y], TensorProto.FLOAT, 2)
    axes = {"axes": [0]} if net.opset < 13 else {}
    return net.node("ReduceSum", [y, *([] if axes else [net.integers(0)])], shape=(1, outputs), keepdims=1, **axes)


@more(2)
def detection(net, x):
    """Boxes and scores of x through NonMaxSuppression; the boxes that stay are padded to a fixed number by TopK of what there is."""
    needs(net.rank(x) in (3, 4) and net.shapes[x][0] == 1 and net.opset >= 11 and np.prod(net.shapes[x]) % 5 == 0 or net.rank(x) == 3)
    needs(net.shapes[x][0] == 1 and net.opset >= 11)
    count = int(np.prod(net.shapes[x])) // 5
    needs(count >= 2)
    flat = net.node("Reshape", [x, net.integers(1, -1)])
    used = net.node("Slice", [flat, net.integers(0), net.integers(5 * count), net.integers(1)])
    rows = net.node("Reshape", [used, net.integers(1, count, 5)])
    cut = lambda begin, end: net.node("Slice", [rows, net.integers(begin), net.integers(end), net.integers(2)])
    centre, size, logit = cut(0, 2), cut(2, 4), cut(4, 5)
    size = net.node("Add", [net.node("Abs", [size]), net.constant(np.float32(0.5))])
    boxes = net.node("Concat", [centre, size], axis=2)
    scores = net.node("Transpose", [net.node("Sigmoid", [logit])], perm=[0, 2, 1])
    limits = [net.integers(net.number(1, 9)), net.constant(np.array([net.pick(0.3, 0.5)], np.float32))]
    limits += [net.constant(np.array([net.pick(0.1, 0.5, 1.0)], np.float32))] * net.chance(0.7)
    kept = data_dependent(net, "NonMaxSuppression", [boxes, scores, *limits], TensorProto.INT64, 2, center_point_box=1)
    column = net.node("Gather", [kept, net.constant(np.int64(2))], axis=1, shape=(1,), hidden=TensorProto.INT64)
    flat_boxes = with_axes(net, "Squeeze", boxes, [0])
    chosen = data_dependent(net, "Gather", [flat_boxes, column], TensorProto.FLOAT, 2, axis=0)
    axes = {"axes": [0]} if net.opset < 13 else {}
    return net.node("ReduceSum", [chosen, *([] if axes else [net.integers(0)])], shape=(1, 4), keepdims=1, **axes)


# ---------------------------------------------------------------- what exporters and optimizers write

@more(2)
def computed_resize(net, x):
    """Resize to the doubled extent of x, or to that of another value, as traced models compute it."""
    needs(net.rank(x) == 4 and net.opset >= 11)
    shape = net.node("Shape", [x])
    front = net.node("Slice", [shape, net.integers(0), net.integers(2), net.integers(0)])
    back = net.node("Slice", [shape, net.integers(2), net.integers(4), net.integers(0)])
    if net.chance(0.5):
        real = net.node("Cast", [back], to=TensorProto.FLOAT, hidden=True)
        real = net.node("Floor", [net.node("Mul", [real, net.constant(np.float32(2))], hidden=True)], hidden=True)
        back = net.node("Cast", [real], to=TensorProto.INT64)
    else:
        back = net.node("Mul", [back, net.integers(2)])
    sizes = net.node("Concat", [front, back], axis=0)
    empty = net.constant(np.zeros(0, np.float32)) if net.opset < 13 else ""
    attributes = {"mode": net.pick("nearest", "linear")}
    if attributes["mode"] == "nearest":
        attributes |= {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    n, c, h, w = net.shapes[x]
    return net.node("Resize", [x, empty, empty, sizes], shape=(n, c, 2 * h, 2 * w), **attributes)


@more(3)
def rearranged(net, x):
    """Channel shuffle, Focus, the windows of Swin and back."""
    needs(net.rank(x) == 4)
    n, c, h, w = net.shapes[x]
    kind = net.pick("shuffle", "focus", "windows")
    if kind == "shuffle":
        needs(c % 2 == 0)
        y = net.node("Transpose", [net.node("Reshape", [x, net.integers(n, 2, c // 2, h, w)])], perm=[0, 2, 1, 3, 4])
        return net.node("Reshape", [y, net.integers(n, -1, h, w)])
    needs(h % 2 == 0 and w % 2 == 0)
    if kind == "focus":
        needs(net.opset >= 10)
        corners = [(a, b) for b in (0, 1) for a in (0, 1)]
        ends = net.integers(2 ** 31 - 1, 2 ** 31 - 1)
        parts = [net.node("Slice", [x, net.integers(a, b), ends, net.integers(2, 3), net.integers(2, 2)]) for a, b in corners]
        return net.node("Concat", parts, axis=1)
    needs(c <= 16)
    y = net.node("Transpose", [x], perm=[0, 2, 3, 1])
    y = net.node("Transpose", [net.node("Reshape", [y, net.integers(n, h // 2, 2, w // 2, 2, c)])], perm=[0, 1, 3, 2, 4, 5])
    y = net.node("MatMul", [net.node("Reshape", [y, net.integers(-1, 4, c)]), net.reals(c, c, scale=c ** -0.5)])
    y = net.node("Transpose", [net.node("Reshape", [y, net.integers(n, h // 2, w // 2, 2, 2, c)])], perm=[0, 1, 3, 2, 4, 5])
    return net.node("Transpose", [net.node("Reshape", [y, net.integers(n, h, w, c)])], perm=[0, 3, 1, 2])


@more(2)
def heads(net, x):
    """Attention of several heads from one product, as ViT is exported."""
    needs(net.rank(x) == 3 and net.shapes[x][2] % 2 == 0 and net.shapes[x][2] <= 32 and net.shapes[x][1] <= 32)
    n, length, width = net.shapes[x]
    y = net.node("MatMul", [x, net.reals(width, 3 * width, scale=width ** -0.5)])
    y = net.node("Add", [y, net.reals(3 * width, scale=0.2)])
    y = net.node("Transpose", [net.node("Reshape", [y, net.integers(n, length, 3, 2, width // 2)])], perm=[2, 0, 3, 1, 4])
    q, k, v = (net.node("Gather", [y, net.constant(np.int64(i))], axis=0) for i in range(3))
    q = net.node(*net.pick(("Mul", [q, net.constant(np.float32((width / 2) ** -0.5))]), ("Div", [q, net.constant(np.float32((width / 2) ** 0.5))])))
    score = net.node("Softmax", [net.node("MatMul", [q, net.node("Transpose", [k], perm=[0, 1, 3, 2])])], axis=-1 if net.opset >= 13 else 3)
    y = net.node("Transpose", [net.node("MatMul", [score, v])], perm=[0, 2, 1, 3])
    y = net.node("MatMul", [net.node("Reshape", [y, net.integers(n, length, width)]), net.reals(width, width, scale=width ** -0.5)])
    return net.node("Add", [x, y]) if net.chance(0.7) else y


@more(2)
def decoded(net, x):
    """The head of a YOLO: sigmoid, grid and anchors; parts of one value on other scales, joined again."""
    needs(net.rank(x) == 4 and net.shapes[x][1] % 2 == 0 and net.shapes[x][1] >= 4)
    n, c, h, w = net.shapes[x]
    y = net.node("Transpose", [net.node("Reshape", [x, net.integers(n, 2, c // 2, h, w)])], perm=[0, 1, 3, 4, 2])
    y = net.node("Sigmoid", [y])
    rest = c // 2 - 1
    cut = net.node("Split", [y, net.integers(1, rest)], outputs=2, axis=4) if net.opset >= 13 else net.node("Split", [y], outputs=2, axis=4, split=[1, rest])
    grid = net.constant(np.arange(h * w, dtype=np.float32).reshape(1, 1, h, w, 1))
    centre = net.node("Mul", [net.node("Add", [net.node("Mul", [cut, net.constant(np.float32(2))]), grid]), net.constant(np.float32(8))])
    return net.node("Reshape", [net.node("Concat", [centre, f"{cut}_1"], axis=4), net.integers(n, -1, c // 2)])


@more(3)
def optimized(net, x):
    """Operators of com.microsoft, as ONNX Runtime's optimizer writes them."""
    shape = net.shapes[x]
    width = shape[-1]
    kind = net.pick("Gelu", "FastGelu", "QuickGelu", "BiasGelu", "FusedMatMul", "FusedConv", "SkipLayerNormalization")

    def made(operands, shape=shape, **attributes):
        return net.node(kind, operands, domain=MICROSOFT, shape=shape, **attributes)
    if kind in ("Gelu", "FastGelu", "QuickGelu"):
        return made([x, net.reals(width)] if kind == "FastGelu" and net.chance(0.5) else [x])
    if kind == "BiasGelu":
        return made([x, net.reals(width)])
    if kind == "FusedMatMul":
        needs(len(shape) >= 3 and width <= 32)
        return made([x, net.like(x)], (*shape[:-1], shape[-2]), alpha=0.3, transB=1)
    if kind == "FusedConv":
        needs(len(shape) == 4)
        activation = net.pick({"activation": "Relu"}, {"activation": "LeakyRelu", "activation_params": [0.1]}, {"activation": "Sigmoid"},
                              {"activation": "Clip", "activation_params": [0.0, 6.0]}, {"activation": "HardSigmoid", "activation_params": [0.2, 0.5]})
        addend = [net.like(x)] if activation["activation"] == "Relu" and net.chance(0.4) else []
        return made([x, net.reals(shape[1], shape[1], 1, 1, scale=shape[1] ** -0.5), net.reals(shape[1], scale=0.3), *addend], **activation)
    needs(len(shape) == 3 and width > 3)
    return made([x, net.like(x), net.reals(width), *[net.reals(width)] * net.chance(0.7)], epsilon=1e-5)


@more(1)
def padded_like(net, x):
    """A constant of the shape of x, computed: ConstantOfShape, Range, Expand of Shape."""
    needs(net.opset >= 11 and fixed_batch(net))
    kind = net.pick("full", "range", "expand", "eye")
    shape = net.node("Shape", [x])
    if kind == "full":
        filled = net.node("ConstantOfShape", [shape], value=helper.make_tensor("value", 1, [1], [0.5]), shape=net.shapes[x])
        return net.node("Sub", [x, filled])
    if kind == "expand":
        return net.node("Mul", [x, net.node("Expand", [net.reals(*[1] * net.rank(x)), shape], shape=net.shapes[x])])
    width = net.node("Gather", [shape, net.constant(np.int64(net.rank(x) - 1))], axis=0)
    if kind == "range":
        whole = net.node("Range", [net.constant(np.int64(0)), width, net.constant(np.int64(1))], shape=(net.shapes[x][-1],), hidden=TensorProto.INT64)
        return net.node("Add", [x, net.node("Cast", [whole], to=1, hidden=True)])
    needs(net.rank(x) >= 3 and net.shapes[x][-1] <= 32)
    eye = net.node("EyeLike", [x], dtype=1, k=net.number(-1, 1)) if net.rank(x) == 2 else net.constant(np.eye(net.shapes[x][-1], dtype=np.float32))
    return net.node("MatMul", [x, eye])
