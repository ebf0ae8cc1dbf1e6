"""The forms of operators that operator_forms.py tries: one line each. A form reads `a` (and `a2`, of the same shape) and writes `b`.

`a` is computed by a convolution of `rank` axes (eight channels, 16 x 16 for four axes); names of constants are inputs of the nodes.
"""
from dataclasses import dataclass, field

import numpy as np
from onnx import helper

CHANNELS = 8


@dataclass
class Form:
    label: str
    nodes: list                                    # of (operator, inputs, outputs, attributes)
    constants: dict = field(default_factory=dict)
    opsets: tuple = (13, 21)
    rank: int = 4                                  # of what it reads
    relu: bool = True                              # a Relu stands before it
    least: float = 27                              # SQNR in decibels


def i64(*values):
    return np.array(values, np.int64)


def f32(values):
    return np.array(values, np.float32)


def unary(op_type, opsets=(13, 21), constants=None, label="", **more):
    """One node of `a` and constants; keywords that are not Form's are attributes."""
    own = {key: more.pop(key) for key in ("rank", "relu", "least") if key in more}
    constants = constants or {}
    inputs = ["a"] + [name if value is not None else "" for name, value in constants.items()]
    text = label or ", ".join([op_type] + [f"{k}={v}" for k, v in more.items()])
    return Form(text, [(op_type, inputs, ["b"], more)], {k: v for k, v in constants.items() if v is not None}, opsets, **own)


def pools():
    forms = []
    for rank, dims in ((3, 1), (4, 2), (5, 3)):
        ends = {"": {}, "pads": {"pads": [1] * 2 * dims}, "end": {"pads": [0] * dims + [1] * dims}, "begin": {"pads": [1] * dims + [0] * dims},
                "upper": {"auto_pad": "SAME_UPPER"}, "lower": {"auto_pad": "SAME_LOWER"}, "valid": {"auto_pad": "VALID"}}
        for name, attributes in ends.items():
            if dims != 2 and name in ("lower", "valid", "begin"):
                continue
            for ceil in (0, 1):
                for counted in (0, 1):
                    forms.append(unary("AveragePool", (10, 19) if dims == 2 else (13,), rank=rank, kernel_shape=[3] * dims, strides=[2] * dims,
                                       ceil_mode=ceil, count_include_pad=counted, **attributes))
                forms.append(unary("MaxPool", (12,) if dims == 2 else (21,), rank=rank, kernel_shape=[3] * dims, strides=[2] * dims, ceil_mode=ceil,
                                   **attributes))
        for dilation in (1, 2):
            for counted in (0, 1):
                forms.append(unary("AveragePool", (19, 21), rank=rank, kernel_shape=[2] * dims, dilations=[dilation] * dims,
                                   count_include_pad=counted, pads=[1] * 2 * dims))
            forms.append(unary("MaxPool", (11, 21), rank=rank, kernel_shape=[2] * dims, dilations=[dilation] * dims))
        forms.append(unary("GlobalAveragePool", rank=rank))
        forms.append(unary("GlobalMaxPool", rank=rank))
    forms.append(unary("AveragePool", (11, 21), kernel_shape=[3, 2], strides=[3, 1], ceil_mode=1, count_include_pad=1, pads=[1, 0, 0, 1]))
    forms.append(unary("AveragePool", (19,), kernel_shape=[3, 2], strides=[3, 1], ceil_mode=1, count_include_pad=1, dilations=[1, 1]))
    forms.append(unary("AveragePool", (19,), kernel_shape=[3, 2], strides=[3, 2], ceil_mode=1, dilations=[2, 1], auto_pad="VALID"))
    forms.append(unary("MaxPool", (12,), kernel_shape=[3, 3], storage_order=1))
    return forms


def functions():
    names = ["Relu", "Sigmoid", "Tanh", "Softplus", "HardSigmoid", "HardSwish", "Elu", "Selu", "LeakyRelu", "Celu", "Abs", "Neg", "Exp", "Erf",
             "Softmax", "LogSoftmax"]
    forms = [unary(name, (14,), relu=False) for name in names]
    forms += [unary("Mish", (18,), relu=False), unary("Gelu", (20,), relu=False), unary("Gelu", (20,), relu=False, approximate="tanh")]
    forms += [unary("LeakyRelu", relu=False, alpha=0.3), unary("HardSigmoid", relu=False, alpha=0.1, beta=0.4)]
    forms += [unary("Softmax", (11, 13), axis=axis) for axis in (1, -1)]
    forms += [unary("Clip", (11, 21), {"low": f32(0.2), "high": f32(2)}, relu=False), unary("Clip", (13,), {"low": None, "high": f32(1)}, relu=False)]
    forms += [unary("PRelu", (13,), {"slope": f32(np.linspace(0, .5, n)).reshape(shape)}, relu=False, label=f"PRelu {shape}")
              for n, shape in ((1, [1]), (CHANNELS, [CHANNELS, 1, 1]))]
    return forms


def pairs():
    forms = []
    shapes = {"image": [CHANNELS, 16, 16], "channels": [CHANNELS, 1, 1], "one": [1], "scalar": [], "row": [16], "batch": [1, CHANNELS, 1, 16]}
    for op_type in ("Add", "Mul", "Sub", "Div", "Max", "Min"):
        forms.append(Form(f"{op_type} of two", [("Abs" if op_type == "Div" else "Identity", ["a2"], ["c"], {}),
                                                ("Add", ["c", "k"], ["d"], {}), (op_type, ["a", "d"], ["b"], {})], {"k": f32(1)}, (14,)))
        for name, shape in shapes.items():
            if op_type in ("Add", "Mul") or name in ("channels", "scalar"):
                values = f32(1 + np.arange(np.prod(shape)) % 5 / 5).reshape(shape)
                forms.append(Form(f"{op_type} {name}", [(op_type, ["k", "a"] if name == "row" else ["a", "k"], ["b"], {})], {"k": values}, (14,)))
    for op_type in ("Add", "Mul"):
        forms.append(Form(f"{op_type} of two", [(op_type, ["a", "a2"], ["b"], {})]))
        forms.append(Form(f"{op_type} of one", [(op_type, ["a", "a"], ["b"], {})]))
        forms.append(Form(f"{op_type} broadcasts", [("GlobalAveragePool", ["a2"], ["g"], {}), (op_type, ["a", "g"], ["b"], {})]))
        forms.append(Form(f"{op_type} broadcasts the first", [("GlobalAveragePool", ["a2"], ["g"], {}), (op_type, ["g", "a"], ["b"], {})]))
        forms += [Form(f"{op_type}, rank {rank}", [(op_type, ["a", "a2"], ["b"], {})], rank=rank) for rank in (3, 5)]
    return forms


def movers():
    forms = [unary("Transpose", perm=[0, 1, 3, 2]), unary("Transpose", perm=[0, 2, 3, 1]), unary("Flatten"), unary("Flatten", axis=-2),
             unary("Reshape", (13,), {"shape": i64(0, -1, 8)}), unary("Reshape", (14, 21), {"shape": i64(1, 32, 8, 8)}, allowzero=1),
             unary("Squeeze", (13, 21), {"axes": i64(0)}), unary("Squeeze", (11,), axes=[0]), unary("Unsqueeze", (13, 21), {"axes": i64(-1)}),
             unary("Slice", constants={"s": i64(14), "e": i64(-20), "axes": i64(-1), "step": i64(-2)}, label="Slice backwards"),
             unary("Slice", constants={"s": i64(1, 2), "e": i64(9, 9), "axes": i64(2, 3)}, label="Slice"),
             unary("Gather", constants={"i": i64(3, -1, 0)}, axis=1), unary("Gather", constants={"i": np.int64(3)}, axis=-1),
             unary("GatherElements", (13,), {"i": np.zeros((1, 8, 16, 3), np.int64)}, axis=-1, label="GatherElements"),
             unary("DepthToSpace", blocksize=2), unary("DepthToSpace", blocksize=2, mode="CRD"), unary("SpaceToDepth", blocksize=2),
             unary("Expand", constants={"s": i64(1, 8, 16, 16)}, label="Expand to itself"), unary("Tile", (13,), {"s": i64(1, 1, 2, 1)}),
             unary("Identity"), unary("ReduceMax", (13,), axes=[2, 3]), unary("ReduceMin", (18,), {"axes": i64(-1)}),
             unary("ReduceMean", (13,), axes=[2, 3]), unary("ReduceMean", (18, 21), {"axes": i64(2, 3)}, keepdims=0), unary("Dropout")]
    forms += [Form("Split", [("Split", ["a"], ["c", "d"], {"axis": 1}), ("Add", ["c", "d"], ["b"], {})], {}, (11, 13)),
              Form("Split uneven", [("Split", ["a", "s"], ["c", "b"], {"axis": -3})], {"s": i64(3, 5)}, (13, 18)),
              Form("Split into three", [("Split", ["a"], ["c", "d", "e"], {"axis": 1, "num_outputs": 3}),
                                        ("Concat", ["e", "c", "d"], ["b"], {"axis": 1})], {}, (18, 21))]
    forms += [Form(f"Concat, axis {axis}", [("Concat", ["a", "a2"], ["b"], {"axis": axis})]) for axis in (1, -1, -3)]
    forms += [Form("Concat of three", [("Concat", ["a", "a2", "a"], ["b"], {"axis": 1})]),
              Form("Concat with a constant", [("Concat", ["a", "k"], ["b"], {"axis": 1})], {"k": f32(np.full((1, 2, 16, 16), -5))}),
              Form("Reshape, Transpose, Reshape", [("Reshape", ["a", "s"], ["c"], {}), ("Transpose", ["c"], ["d"], {"perm": [0, 2, 1, 3, 4]}),
                                                   ("Reshape", ["d", "t"], ["b"], {})], {"s": i64(1, 2, 4, 16, 16), "t": i64(1, 8, 16, 16)}),
              Form("pool, Reshape", [("AveragePool", ["a"], ["c"], {"kernel_shape": [2, 2]}), ("Reshape", ["c", "s"], ["b"], {})], {"s": i64(1, 8, -1)}),
              Form("Reshape, pool", [("Reshape", ["a", "s"], ["c"], {}), ("AveragePool", ["c"], ["b"], {"kernel_shape": [2]})], {"s": i64(1, 8, -1)})]
    pool = ("AveragePool", {"kernel_shape": [2, 2], "strides": [2, 2]})
    for factor in ("Mul", "Div"):
        for shape in ([], [1], [1, 1, 1, 1]):
            values = {"k": f32(np.full(shape, 3))}
            forms.append(Form(f"pool, {factor} {shape}", [(pool[0], ["a"], ["c"], pool[1]), (factor, ["c", "k"], ["b"], {})], values, (14,)))
            forms.append(Form(f"{factor} {shape}, pool", [(factor, ["a", "k"], ["c"], {}), (pool[0], ["c"], ["b"], pool[1])], values, (14,)))
    forms.append(Form("factor first, pool", [("Mul", ["k", "a"], ["c"], {}), (pool[0], ["c"], ["b"], pool[1])], {"k": f32(3)}, (14,)))
    forms.append(Form("pool, factor first", [(pool[0], ["a"], ["c"], pool[1]), ("Mul", ["k", "c"], ["b"], {})], {"k": f32(3)}, (14,)))
    return forms


def fillers():
    """What puts numbers into its output that its input does not have."""
    forms = []
    for value in (-3, 0, 2, 40):
        forms.append(unary("Pad", constants={"p": i64(0, 0, 1, 2, 0, 0, 0, 1), "v": f32(value)}, label=f"Pad with {value}"))
        forms.append(unary("Pad", relu=False, constants={"p": i64(0, 0, 1, 2, 0, 0, 0, 1), "v": f32(value)}, label=f"Pad with {value}, both signs"))
        for axes in ([3], [-1, -2], [0, 2]):
            pads = i64(*[0 if axis == 0 else 1 + i for i, axis in enumerate(axes)], *[0] * len(axes))
            forms.append(unary("Pad", (18, 21), {"p": pads, "v": f32(value), "axes": i64(*axes)}, label=f"Pad with {value}, axes {axes}"))
    forms += [unary("Pad", (11, 13), {"p": i64(0, 0, 1, 2, 0, 0, 0, 1)}, mode=mode) for mode in ("reflect", "edge", "constant")]
    forms += [unary("Pad", (18, 21), {"p": i64(2, 1, 1, 0), "v": None, "axes": i64(3, -2)}, mode=mode) for mode in ("reflect", "edge", "constant")]
    forms += [unary("Pad", (19,), {"p": i64(2, 1), "v": None, "axes": i64(-1)}, mode=mode) for mode in ("wrap", "reflect")]
    forms += [unary("Pad", (18,), {"p": i64(-1, -2), "v": None, "axes": i64(2)}, label="Pad that crops, axes")]
    where = np.arange(256).reshape(16, 16) % 3 == 0
    forms += [Form(f"Where with {value}", [("Where", ["c", "a", "k"], ["b"], {})], {"c": where, "k": f32(value)}) for value in (-3, 0, 40)]
    forms += [Form("Where of two", [("Where", ["c", "a", "a2"], ["b"], {})], {"c": where})]
    return forms


def resizes():
    forms = []
    sizes, scales = {"roi": None, "scales": None, "sizes": i64(1, 8, 24, 20)}, {"roi": None, "scales": f32([1, 1, 1.5, .6])}
    for mode in ("nearest", "linear", "cubic"):
        for operands in (sizes, scales):
            for place in ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"):
                forms.append(unary("Resize", (13, 19) if place == "half_pixel" else (13,), operands, mode=mode, coordinate_transformation_mode=place))
        for value in (-3, 0, 40):
            roi = {"roi": f32([0, 0, .1, -.3, 1, 1, 1.2, .9]), "scales": None, "sizes": i64(1, 8, 20, 20)}
            forms.append(unary("Resize", (13,), roi, mode=mode, coordinate_transformation_mode="tf_crop_and_resize", extrapolation_value=float(value)))
        forms.append(unary("Resize", (13,), {**roi, "roi": f32([0, 0, .1, .3, 1, 1, .8, .9])}, mode=mode,
                           coordinate_transformation_mode="tf_crop_and_resize"))
        for axes in ([2, 3], [3, 2], [-1], [-2, -1]):
            by_sizes = {"roi": None, "scales": None, "sizes": i64(*[24, 20][:len(axes)])}
            by_scales = {"roi": None, "scales": f32([1.5, 2][:len(axes)])}
            forms.append(unary("Resize", (18, 19), by_sizes, mode=mode, axes=axes))
            forms.append(unary("Resize", (18,), by_scales, mode=mode, axes=axes))
            by_roi = {"roi": f32([.1, -.3][:len(axes)] + [1.2, .9][:len(axes)]), **{k: v for k, v in by_sizes.items() if k != "roi"}}
            forms.append(unary("Resize", (18,), by_roi, mode=mode, axes=axes, coordinate_transformation_mode="tf_crop_and_resize",
                               extrapolation_value=-2.0))
        for policy in ("not_larger", "not_smaller"):
            forms.append(unary("Resize", (18, 21), {"roi": None, "scales": None, "sizes": i64(21, 27)}, mode=mode, axes=[2, 3],
                               keep_aspect_ratio_policy=policy))
            forms.append(unary("Resize", (18,), {"roi": None, "scales": None, "sizes": i64(7)}, mode=mode, axes=[3],
                               keep_aspect_ratio_policy=policy))
    forms += [unary("Resize", (18,), scales, mode=mode, antialias=1) for mode in ("linear", "cubic")]
    forms += [unary("Resize", (13,), scales, mode="nearest", nearest_mode=m) for m in ("floor", "ceil", "round_prefer_ceil")]
    forms += [unary("Resize", (19,), {"roi": None, "scales": f32([1, 1, 1.6, .7])}, mode="nearest", coordinate_transformation_mode="half_pixel_symmetric"),
              unary("Resize", (13,), scales, mode="cubic", cubic_coeff_a=-0.5, exclude_outside=1)]
    forms += [unary("Resize", (13,), {"roi": None, "scales": f32([1, 1, 2])}, mode=mode, rank=3) for mode in ("nearest", "linear")]
    forms += [unary("Resize", (13,), {"roi": None, "scales": f32([1, 1, 2, 2, 2])}, mode=mode, rank=5) for mode in ("nearest", "linear")]
    return forms


def layers():
    forms, random = [], np.random.default_rng(7)
    weights = lambda *shape: f32(random.normal(size=shape) / np.sqrt(np.prod(shape[1:])))
    for rank, dims in ((3, 1), (4, 2), (5, 3)):
        forms.append(unary("Conv", constants={"w": weights(6, CHANNELS, *[3] * dims)}, rank=rank, label=f"Conv, {dims} axes"))
        forms.append(unary("Conv", constants={"w": weights(8, 4, *[2] * dims), "bias": weights(8)}, rank=rank, group=2, dilations=[2] * dims,
                           pads=[0] * dims + [2] * dims, label=f"Conv, {dims} axes, groups"))
        forms.append(unary("ConvTranspose", constants={"w": weights(CHANNELS, 6, *[2] * dims)}, rank=rank, strides=[2] * dims,
                           label=f"ConvTranspose, {dims} axes"))
        forms.append(unary("ConvTranspose", constants={"w": weights(CHANNELS, 3, *[3] * dims)}, rank=rank, strides=[2] * dims, group=2,
                           output_padding=[1] * dims, pads=[1] * 2 * dims, label=f"ConvTranspose, {dims} axes, groups"))
    forms += [unary("MatMul", constants={"w": weights(16, 6)}, label="MatMul"),
              Form("Gemm", [("Flatten", ["a"], ["f"], {}), ("Gemm", ["f", "w"], ["b"], {"transB": 1})], {"w": weights(16, 2048)}),
              Form("Gemm, alpha and beta", [("Flatten", ["a"], ["f"], {}), ("Gemm", ["f", "w", "k"], ["b"], {"alpha": .5, "beta": 2.})],
                   {"w": weights(16, 2048).T.copy(), "k": f32(np.ones(16))}),
              Form("MatMul of two", [("MatMul", ["a", "a2"], ["b"], {})]),
              unary("LRN", size=3), unary("InstanceNormalization", (13,), {"g": np.ones(8, np.float32), "h": np.zeros(8, np.float32)}),
              unary("BatchNormalization", (14,), {k: f32(np.linspace(.5, 1, 8)) for k in ("g", "h", "m", "v")})]
    return forms


def floats():
    """Operators that no target computes on codes, and moves that few models have."""
    random = np.random.default_rng(8)
    reals = lambda *shape: f32(random.normal(size=shape) / 4)
    grid = f32(random.uniform(-1.1, 1.1, (1, 9, 7, 2)))
    forms = [unary("CumSum", (14,), {"axis": np.int64(1)}), unary("Trilu", (14,)), unary("Trilu", (14,), {"k": np.int64(-2)}, upper=0),
             unary("GatherND", (13,), {"i": i64(0, 3, 0, 1).reshape(2, 2)}, label="GatherND"),
             unary("ReverseSequence", (13,), {"lengths": i64(6)}, batch_axis=0, time_axis=1),
             unary("CenterCropPad", (18,), {"s": i64(20, 9)}, axes=[2, 3]), unary("LpPool", (18,), kernel_shape=[3, 2], strides=[2, 1]),
             unary("GlobalLpPool", (13,)), unary("LpNormalization", (13,), axis=1),  # MeanVarianceNormalization: ONNX's checker refuses it
             unary("Shrink", (13,), relu=False, lambd=0.2, bias=0.1), unary("Sin", (13,), relu=False), unary("Atan", (13,), relu=False),
             unary("Einsum", (13,), {"w": reals(8, 6)}, equation="nchw,cd->ndhw", least=24),
             unary("GridSample", (16,), {"g": grid}, mode="bilinear", padding_mode="border"),
             unary("GridSample", (16,), {"g": grid}, mode="bicubic", padding_mode="border"),
             unary("GridSample", (20,), {"g": grid}, mode="cubic", align_corners=1), unary("RMSNormalization", (23,), {"g": f32(np.ones(16))}),
             unary("RoiAlign", (16,), {"rois": f32([[1, 2, 9, 12], [-3, 0, 20, 7]]), "n": i64(0, 0)}, output_height=3, output_width=4,
                   sampling_ratio=2, label="RoiAlign"),
             unary("ScatterElements", (18,), {"i": np.full((1, 8, 16, 2), 3, np.int64), "u": reals(1, 8, 16, 2)}, axis=-1, reduction="add",
                   label="ScatterElements"),
             unary("ScatterND", (13,), {"i": i64(0, 2, 0, 5).reshape(2, 2), "u": reals(2, 16, 16)}, label="ScatterND"),
             unary("DeformConv", (19,), {"w": reals(6, 8, 3, 3), "o": reals(1, 18, 14, 14)}, label="DeformConv")]
    recurrent = lambda op_type, gates, least=27, **more: Form(
        ", ".join([op_type, *map(str, more.values())]),
        [("Reshape", ["a", "s"], ["c"], {}), (op_type, ["c", "w", "r"], ["b"], {"hidden_size": 4, **more})],
        {"s": i64(8, 1, 256), "w": reals(1, 4 * gates, 256) / 8, "r": reals(1, 4 * gates, 4)}, (14,), least=least)
    forms += [recurrent("LSTM", 4), recurrent("GRU", 3, 20, linear_before_reset=1), recurrent("RNN", 1)]
    forms += [Form("TopK", [("TopK", ["a", "k"], ["b", "places"], {"axis": 1})], {"k": i64(5)}),
              Form("Attention", [("Attention", ["a", "a2", "a"], ["b"], {})], {}, (23,)),
              Form("NonZero, GatherND", [("Greater", ["a", "k"], ["c"], {}), ("NonZero", ["c"], ["d"], {}), ("Transpose", ["d"], ["e"], {}),
                                         ("GatherND", ["a", "e"], ["f"], {}), ("ReduceMean", ["f"], ["g"], {}), ("Mul", ["a", "g"], ["b"], {})],
                   {"k": f32(0.4)}, (13,))]
    return forms


def all_forms():
    return pools() + functions() + pairs() + movers() + fillers() + resizes() + layers() + floats()


def node(form, index, step):
    """The onnx node number `step` of a form whose values and constants end in its index."""
    op_type, inputs, outputs, attributes = form.nodes[step]
    suffix = lambda name: f"{name}_{index}" if name else ""
    return helper.make_node(op_type, [suffix(i) for i in inputs], [suffix(o) for o in outputs], name=f"form_{index}_{step}", **attributes)
