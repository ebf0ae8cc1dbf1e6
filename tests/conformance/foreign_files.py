#!/usr/bin/env python3
"""Runs quantized files as other tools write them, here and in ONNX Runtime without optimizations.

    foreign_files.py QUANTIZE [WORD]

Optional zero points are left out in every combination, one scale stands beside many zero points and the other way round, and
parameters have the shapes [], [1] and [channels]. Operators on codes must give ONNX Runtime's bytes; graphs of Q and DQ what
the same graph gives with all zero points written out, within one step of ONNX Runtime. The files of onnxruntime.quantization give its
bytes as well where they are of operators on codes. Scales and zero points that no tool should write, and what ONNX Runtime
refuses, may be refused, but only in one sentence. WORD: only the cases whose names hold it.
"""
import itertools
import logging
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import quantization as tool

from exact_products import cuts_sums
from models import LEVELS, session

ort.set_default_logger_severity(4)
PROGRAM = sys.argv[1]
node = helper.make_node
U8, S8 = np.uint8, np.int8
MIN_DECIBEL = 30.0  # between two engines on a QDQ file, of which one computes in floats
TYPES = {U8: TensorProto.UINT8, S8: TensorProto.INT8, np.float32: TensorProto.FLOAT}
# Operators whose last inputs may be missing; ONNX Runtime does not survive it in others, but takes empty names there.
SHORTENED = {"QuantizeLinear", "DequantizeLinear", "QLinearAdd", "QLinearMul", "QLinearAveragePool",
             "QLinearGlobalAveragePool"}


def f32(*values):
    return np.array(values[0] if len(values) == 1 else values, np.float32)


def save(path, nodes, constants, shape, dtype=np.float32, fed=()):
    """From x of this shape to y; constants of None are left out, and inputs of that name with them; those in `fed` are inputs."""
    nodes = [onnx.NodeProto.FromString(n.SerializeToString()) for n in nodes]
    for n in nodes:
        for i, name in enumerate(n.input):
            if constants.get(name, 0) is None:
                n.input[i] = ""
        while n.op_type in SHORTENED and "wd" not in n.output and not n.input[-1]:
            n.input.pop()
    tensors = [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items() if v is not None]
    inputs = [helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in tensors if t.name in fed]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TYPES[dtype], shape)] + inputs,
                              [helper.make_empty_tensor_value_info("y")], [t for t in tensors if t.name not in fed])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)])
    model.ir_version = 8
    onnx.save(model, path)


def with_constants(model, feeds):
    """The model with all its inputs but x as constants, where the products of ONNX Runtime have to be made exact."""
    if cuts_sums():
        model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in feeds.items() if name != "x")
    return model


def theirs(path, feeds):
    """The first output, or None if ONNX Runtime refuses the model."""
    try:
        model = with_constants(onnx.load(path), feeds).SerializeToString()
        return session(model, LEVELS.ORT_DISABLE_ALL).run(None, feeds)[0]
    except Exception:
        return None


def ours(path, feeds):
    """The first output, or the sentence that refuses the model. Anything else is an error."""
    folder = path.with_suffix("")
    folder.mkdir(exist_ok=True)
    inputs = []
    for name, array in feeds.items():
        np.save(folder / f"{name}.npy", array)
        inputs.append(f"{name}={folder / name}.npy")
    done = subprocess.run([PROGRAM, "run", str(path), *inputs, "-o", str(folder), "--quiet", "--threads", "1"],
                          capture_output=True, text=True, timeout=60)
    if done.returncode == 0:
        return np.load(folder / "y.npy")
    if done.returncode not in (3, 4) or "internal" in done.stderr:
        raise SystemError(f"exit {done.returncode}: {done.stderr.strip()}")
    return done.stderr.strip()


def compared(wanted, got):
    if isinstance(got, str):
        return got
    if got.dtype != wanted.dtype or got.shape != wanted.shape:
        return f"{got.dtype} {got.shape} instead of {wanted.dtype} {wanted.shape}"
    return None if np.array_equal(got, wanted) else f"{np.mean(got != wanted):.2%} of the elements differ"


# Operators on codes -------------------------------------------------------------------------------------------------


def random_codes(random, dtype, shape):
    return random.integers(np.iinfo(dtype).min, np.iinfo(dtype).max + 1, shape).astype(dtype)


def zero_points(dtype):
    """Left out, and of the shapes [] and [1]."""
    middle = 128 if dtype == U8 else 0
    return {"none": None, "[]": dtype(middle + 3), "[1]": np.array([middle - 2], dtype)}


SCALES = {"[]": f32(.021), "[1]": np.array([.017], np.float32)}


def unary_cases(random):
    operators = {"QLinearSigmoid": {}, "QLinearLeakyRelu": {"alpha": .3}, "QLinearSoftmax": {"axis": 1, "opset": 13},
                 "QLinearAveragePool": {"kernel_shape": [2, 3], "strides": [2, 1]}, "QLinearGlobalAveragePool": {}}
    for (operator, attributes), dtype in itertools.product(operators.items(), (U8, S8)):
        for (xz_name, xz), (yz_name, yz) in itertools.product(zero_points(dtype).items(), repeat=2):
            for s_name, s in SCALES.items():
                if operator == "QLinearSoftmax" and yz is not None:
                    yz = np.full_like(yz, 0 if dtype == U8 else -128)
                constants = {"xs": s * f32(2), "xz": xz, "ys": s if "Softmax" not in operator else f32(1 / 256), "yz": yz}
                yield (f"{operator} {dtype.__name__} x {xz_name} y {yz_name} scales {s_name}",
                       [node(operator, ["x", "xs", "xz", "ys", "yz"], ["y"], domain="com.microsoft", **attributes)],
                       constants, random_codes(random, dtype, (1, 3, 5, 7)))


def pair_cases(random):
    for operator, dtype in itertools.product(("QLinearAdd", "QLinearMul"), (U8, S8)):
        choices = zero_points(dtype).items()
        for (az_name, az), (bz_name, bz), (yz_name, yz) in itertools.product(choices, repeat=3):
            s = SCALES["[1]" if az_name == "[1]" else "[]"]
            constants = {"as": s, "az": az, "b": random_codes(random, dtype, (1, 3, 1, 1)), "bs": s * f32(1.5), "bz": bz,
                         "ys": s * f32(2.5 if operator == "QLinearAdd" else 1.1), "yz": yz}
            yield (f"{operator} {dtype.__name__} a {az_name} b {bz_name} y {yz_name}",
                   [node(operator, ["x", "as", "az", "b", "bs", "bz", "ys", "yz"], ["y"], domain="com.microsoft")], constants,
                   random_codes(random, dtype, (1, 3, 5, 7)))


def concat_cases(random):
    for dtype in (U8, S8):
        choices = zero_points(dtype).items()
        for (az_name, az), (bz_name, bz), (yz_name, yz) in itertools.product(choices, repeat=3):
            constants = {"ys": f32(.03), "yz": yz, "as": SCALES["[1]"], "az": az, "b": random_codes(random, dtype, (1, 2, 5, 7)),
                         "bs": f32(.04), "bz": bz}
            yield (f"QLinearConcat {dtype.__name__} a {az_name} b {bz_name} y {yz_name}",
                   [node("QLinearConcat", ["ys", "yz", "x", "as", "az", "b", "bs", "bz"], ["y"], domain="com.microsoft", axis=1)],
                   constants, random_codes(random, dtype, (1, 3, 5, 7)))


def where_cases(random):
    for dtype, shape in itertools.product((U8, S8), ((5, 7), (3, 1, 1), (1, 3, 5, 7))):
        spelled = {name: zero for name, zero in zero_points(dtype).items() if zero is not None}.items()
        for (az_name, az), (bz_name, bz), (yz_name, yz) in itertools.product(spelled, repeat=3):
            constants = {"c": random.random(shape) < .5, "as": SCALES["[1]"], "az": az, "b": random_codes(random, dtype, (1, 3, 1, 7)),
                         "bs": f32(.04), "bz": bz, "ys": f32(.03), "yz": yz}
            yield (f"QLinearWhere {dtype.__name__} condition {shape} a {az_name} b {bz_name} y {yz_name}",
                   [node("QLinearWhere", ["c", "x", "as", "az", "b", "bs", "bz", "ys", "yz"], ["y"], domain="com.microsoft")],
                   constants, random_codes(random, dtype, (1, 3, 5, 7)))


def weight_parameters(random, dtype, channels):
    """Names, scales and zero points of weights; those of a channel each may differ where ONNX Runtime takes it."""
    middle = 128 if dtype == U8 else 0
    scales = {"[]": f32(.003), "[1]": f32([.004]), "[C]": random.uniform(.001, .005, channels).astype(np.float32)}
    zeros = {"none": None, "[]": dtype(middle), "[1]": np.array([middle + 1], dtype), "[C]": np.full(channels, middle, dtype),
             "[C] of many": (middle + np.arange(channels) % 5 - 2).astype(dtype)}
    for (s_name, s), (z_name, z) in itertools.product(scales.items(), zeros.items()):
        yield f"w scale {s_name} zero point {z_name}", s, z


def conv_cases(random):
    forms = {"3x3": ((6, 4, 3, 3), {"pads": [1] * 4}), "1x1": ((6, 4, 1, 1), {}), "depthwise": ((4, 1, 3, 3), {"group": 4}),
             "groups": ((6, 2, 3, 3), {"group": 2, "strides": [2, 2]})}
    for (form, (shape, attributes)), x_type, w_type in itertools.product(forms.items(), (U8, S8), (U8, S8)):
        for number, (w_name, ws, wz) in enumerate(weight_parameters(random, w_type, shape[0])):
            xz_name, xz = list(zero_points(x_type).items())[number % 3]
            yz_name, yz = list(zero_points(x_type).items())[(number // 3 + 1) % 3]
            constants = {"xs": SCALES["[1]" if number % 2 else "[]"], "xz": xz, "w": random_codes(random, w_type, shape),
                         "ws": ws, "wz": wz, "ys": f32(.03), "yz": yz,
                         "b": random.integers(-3000, 3000, shape[0]).astype(np.int32) if number % 2 else None}
            yield (f"QLinearConv {form} {x_type.__name__} x {xz_name} y {yz_name} {w_type.__name__} {w_name}",
                   [node("QLinearConv", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"], ["y"], **attributes)], constants,
                   random_codes(random, x_type, (1, 4, 6, 9)))


def product_cases(random):
    for operator, x_type, w_type in itertools.product(("QLinearMatMul", "MatMulIntegerToFloat", "QGemm"), (U8, S8), (U8, S8)):
        for number, (w_name, ws, wz) in enumerate(weight_parameters(random, w_type, 5)):
            for turn in range(2):
                xz_name, xz = list(zero_points(x_type).items())[(number + turn) % 3]
                yz_name, yz = list(zero_points(x_type).items())[number % 3]
                w = random_codes(random, w_type, (9, 5))
                constants = {"xs": SCALES["[1]" if number % 2 else "[]"], "xz": xz, "w": w, "ws": ws, "wz": wz, "yz": yz,
                             "ys": f32(.05) if operator == "QLinearMatMul" or number % 4 else None,
                             "b": random.normal(size=5).astype(np.float32) if number % 2 else None}
                inputs, attributes = ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"], {}
                if operator == "QLinearMatMul":
                    del constants["b"]
                if operator == "MatMulIntegerToFloat":
                    inputs = ["x", "w", "xs", "ws", "xz", "wz", "b"]
                    del constants["ys"], constants["yz"]
                    # Float results: no rounding of the bias' sum may depend on the order, so there is none.
                    constants["b"] = None
                if operator == "QGemm":
                    if constants["ys"] is None:  # the result is real
                        constants["yz"] = None
                    inputs.insert(6, "b")
                    constants["b"] = random.integers(-3000, 3000, 5).astype(np.int32) if number % 2 else None
                    if number % 3 == 0:
                        constants["w"], attributes = np.ascontiguousarray(w.T), {"transB": 1}
                yield (f"{operator} {x_type.__name__} x {xz_name} y {yz_name} {w_type.__name__} {w_name} {number}",
                       [node(operator, inputs, ["y"], domain="" if operator == "QLinearMatMul" else "com.microsoft",
                             **attributes)], constants, random_codes(random, x_type, (7, 9)))


def spelled_out(constants, x_type):
    """The same with every zero point, scalars where there is one, and as many zero points of weights as scales."""
    result = dict(constants)
    for name in ("xz", "yz", "az", "bz", "wz"):
        if name in result:
            dtype = constants["w"].dtype.type if name == "wz" else x_type
            if result[name] is None and (name != "yz" or result["ys"] is not None):
                result[name] = dtype(0)
            if result[name] is not None:
                result[name] = result[name].reshape(()) if result[name].size == 1 else result[name]
    for name in ("xs", "ys", "as", "bs"):
        if result.get(name) is not None:
            result[name] = result[name].reshape(())
    if "ws" in result:
        count = max(result["ws"].size, result["wz"].size)
        for name in ("ws", "wz"):
            result[name] = np.resize(result[name], count) if count > 1 else result[name].reshape(())
    return result


def check_operator(folder, case):
    """ONNX Runtime reads the case as it stands, or else as it means when everything is spelled out."""
    number, (name, nodes, constants, x) = case
    path, full = folder / f"op{number}.onnx", folder / f"op{number}_full.onnx"
    save(path, nodes, constants, x.shape, x.dtype.type)
    save(full, nodes, spelled_out(constants, x.dtype.type), x.shape, x.dtype.type)
    kills = "QLinearConcat" in name and any(v is None for v in constants.values())  # ONNX Runtime 1.32
    got, wanted = ours(path, {"x": x}), None if kills else theirs(path, {"x": x})
    if wanted is None:
        wanted = theirs(full, {"x": x})
    return name, None if wanted is None else compared(wanted, got)


def check_fed(folder, case):
    """Scales and zero points that are inputs of the graph: nothing is known of them before it runs."""
    number, (name, nodes, constants, x) = case
    path, constants = folder / f"fed{number}.onnx", spelled_out(constants, x.dtype.type)
    fed = [k for k in constants if k not in ("b", "w") and constants[k] is not None]
    save(path, nodes, constants, x.shape, x.dtype.type, fed)
    feeds = {"x": x, **{k: np.asarray(constants[k]) for k in fed}}
    wanted, got = theirs(path, feeds), ours(path, feeds)
    return name, None if wanted is None else compared(wanted, got)


# Graphs of Q and DQ -------------------------------------------------------------------------------------------------


def qdq_cases(random):
    """Name, operator, attributes, weights, channels axis, bias, function behind, types of activations and weights, per channel."""
    layers = {"Conv 3x3": ("Conv", {"pads": [1] * 4}, (6, 4, 3, 3), 0), "Conv 1x1": ("Conv", {}, (6, 4, 1, 1), 0),
              "Conv depthwise": ("Conv", {"group": 4, "pads": [1] * 4}, (4, 1, 3, 3), 0),
              "Conv groups": ("Conv", {"group": 2}, (6, 2, 3, 3), 0), "ConvTranspose": ("ConvTranspose", {}, (4, 5, 2, 2), 1),
              "Gemm": ("Gemm", {}, (9, 5), 1), "Gemm transB": ("Gemm", {"transB": 1}, (5, 9), 0), "MatMul": ("MatMul", {}, (9, 5), 1)}
    for (name, layer), x_type, w_type, per_channel in itertools.product(layers.items(), (U8, S8), (U8, S8), (False, True)):
        for has_bias, behind in ((per_channel, "Relu"), (True, "HardSwish" if w_type == S8 else None)):
            yield (f"{name} {x_type.__name__} {w_type.__name__} {'per channel' if per_channel else 'per tensor'}"
                   f"{' bias' if has_bias else ''} {behind or ''}"), layer, x_type, w_type, per_channel, has_bias, behind


def qdq_graph(random, layer, x_type, w_type, per_channel, has_bias, behind):
    operator, attributes, shape, axis = layer
    channels, x_shape = shape[axis], (1, 4, 6, 8) if len(shape) == 4 else (7, 9)
    ws = random.uniform(.002, .004, channels).astype(np.float32) if per_channel else f32(.003) if x_type == U8 else f32([.003])
    wz = np.zeros(channels, w_type) if per_channel else w_type(0)
    constants = {"xs": SCALES["[1]"], "xz": x_type(0), "w": random_codes(random, w_type, shape), "ws": ws, "wz": wz,
                 "b": random.integers(-900, 900, channels).astype(np.int32), "bs": (ws * f32(.017)).astype(np.float32),
                 "bz": np.zeros(channels, np.int32) if per_channel else np.int32(0), "ys": f32(.05), "yz": x_type(0)}
    with_bias = has_bias and operator != "MatMul"
    nodes = [node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]), node("DequantizeLinear", ["xq", "xs", "xz"], ["xd"]),
             node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], axis=axis),
             node("DequantizeLinear", ["b", "bs", "bz"], ["bd"], axis=0),
             node(operator, ["xd", "wd"] + ["bd"] * with_bias, ["c"], **attributes)]
    if behind:
        nodes.append(node(behind, ["c"], ["h"]))
    last = "h" if behind else "c"
    nodes += [node("QuantizeLinear", [last, "ys", "yz"], ["yq"]), node("DequantizeLinear", ["yq", "ys", "yz"], ["y"])]
    if not with_bias:
        nodes = [n for n in nodes if n.output[0] != "bd"]
        constants = {k: v for k, v in constants.items() if k not in ("b", "bs", "bz")}
    return nodes, constants, x_shape


def check_qdq(folder, case):
    """All zero points that may be left out are left out in turn and together."""
    number, (name, *options) = case
    random = np.random.default_rng(number)
    nodes, constants, shape = qdq_graph(random, *options)
    feeds = {"x": random.normal(size=shape).astype(np.float32)}
    path = folder / f"qdq{number}.onnx"
    save(path, nodes, constants, shape)
    full = ours(path, feeds)
    wanted = theirs(path, feeds)
    if isinstance(full, str):
        return name, full
    if wanted is not None and np.abs(full - wanted).max() > constants["ys"] * 1.01:
        return name, f"{np.abs(full - wanted).max() / constants['ys']} steps off"
    zero_named = [k for k in ("xz", "wz", "yz", "bz") if k in constants]
    subsets = [{k} for k in zero_named] + [set(zero_named)]
    for left_out in subsets:
        short = {k: None if k in left_out else v for k, v in constants.items()}
        save(path, nodes, short, shape)
        got, wanted = ours(path, feeds), theirs(path, feeds)
        if wanted is None:
            continue
        if isinstance(got, str):
            return name, f"without {left_out}: {got}"
        if np.abs(got - wanted).max() > constants["ys"] * 1.01 or np.mean(got != wanted) > .01:
            return name, f"without {left_out}: {np.abs(got - wanted).max() / constants['ys']} steps off"
        if not (options[1] == S8 and left_out & {"xz", "yz"}) and not np.array_equal(got, full):
            return name, f"without {left_out}: not the bytes of the graph with them"
    return name, None


# Files of onnxruntime.quantization ------------------------------------------------------------------------------------


def small_network(path, random):
    """Convolutions of three kinds, a residual, branches and pools, a gate and a classifier."""
    w = lambda *shape: random.normal(size=shape).astype(np.float32) / np.sqrt(np.prod(shape[1:])).astype(np.float32)
    constants = {"w0": w(8, 3, 3, 3), "b0": w(8, 1).ravel(), "w1": w(8, 1, 3, 3), "w2": w(8, 8, 1, 1), "b2": w(8, 1).ravel(),
                 "w3": w(8, 8, 3, 3), "wf": w(10, 24), "bf": w(10, 1).ravel(), "wm": w(10, 6), "six": f32(6), "zero": f32(0)}
    nodes = [node("Conv", ["x", "w0", "b0"], ["c0"], pads=[1] * 4), node("Relu", ["c0"], ["r0"]),
             node("Conv", ["r0", "w1"], ["c1"], pads=[1] * 4, group=8), node("Clip", ["c1", "zero", "six"], ["r1"]),
             node("Conv", ["r1", "w2", "b2"], ["c2"]), node("Add", ["c2", "r0"], ["a"]),
             node("MaxPool", ["a"], ["m"], kernel_shape=[2, 2], strides=[2, 2]),
             node("AveragePool", ["a"], ["v"], kernel_shape=[2, 2], strides=[2, 2]),
             node("Conv", ["v", "w3"], ["c3"], pads=[1] * 4), node("Sigmoid", ["c3"], ["s"]), node("Mul", ["c3", "s"], ["g"]),
             node("LeakyRelu", ["m"], ["l"], alpha=.1), node("Concat", ["m", "g", "l"], ["k"], axis=1),
             node("GlobalAveragePool", ["k"], ["p"]), node("Flatten", ["p"], ["f"]),
             node("Gemm", ["f", "wf", "bf"], ["d"], transB=1), node("MatMul", ["d", "wm"], ["y"])]
    save(path, nodes, constants, [1, 3, 12, 10])


class Samples(tool.CalibrationDataReader):
    def __init__(self, random):
        self.left = iter([{"x": random.normal(size=(1, 3, 12, 10)).astype(np.float32)} for _ in range(8)])

    def get_next(self):
        return next(self.left, None)


def sqnr(wanted, got):
    noise = np.sum((wanted.astype(np.float64) - got) ** 2)
    return 10 * np.log10(np.sum(wanted.astype(np.float64) ** 2) / noise) if noise else np.inf


FOR_QDQ = {"AddQDQPairToWeight": True, "QuantizeBias": False, "QDQKeepRemovableActivations": True, "DedicatedQDQPair": True,
           "UseQDQContribOps": True}


def check_tool_files(folder):
    logging.disable(logging.WARNING)
    random = np.random.default_rng(5)
    small_network(folder / "float.onnx", random)
    types = {"u8": tool.QuantType.QUInt8, "s8": tool.QuantType.QInt8}
    feeds = {"x": random.normal(size=(1, 3, 12, 10)).astype(np.float32)}
    plain = theirs(folder / "float.onnx", feeds)
    for form, x_type, w_type, per_channel, extra in itertools.product(
            tool.QuantFormat, types, types, (False, True),
            ({}, {"reduce_range": True}, {"ActivationSymmetric": True, "WeightSymmetric": True}, {"WeightSymmetric": False},
             *({option: value} for option, value in FOR_QDQ.items()))):
        if form == tool.QuantFormat.QOperator and extra.keys() & FOR_QDQ.keys():
            continue
        name = f"tool {form} {x_type}{w_type} {'per channel' if per_channel else 'per tensor'} {extra}"
        path = folder / "tool.onnx"
        options = dict(extra)
        try:
            tool.quantize_static(folder / "float.onnx", path, Samples(np.random.default_rng(6)), quant_format=form,
                                 activation_type=types[x_type], weight_type=types[w_type], per_channel=per_channel,
                                 reduce_range=options.pop("reduce_range", False), extra_options=options)
        except Exception:
            continue
        wanted = theirs(path, feeds)
        if wanted is None:
            continue
        got = ours(path, feeds)
        if isinstance(got, str):
            yield name, got
            continue
        decibel = sqnr(wanted, got)
        least = MIN_DECIBEL if form == tool.QuantFormat.QDQ else 300
        yield name, None if decibel > least else f"{decibel:.1f} dB from ONNX Runtime, whose own is {sqnr(plain, wanted):.1f}"


# Parameters that nobody should write -------------------------------------------------------------------------------


def check_bad_parameters(folder):
    random = np.random.default_rng(7)
    bad = {"scale NaN": {"s": f32(np.nan)}, "scale infinite": {"s": f32(np.inf)}, "scale 0": {"s": f32(0)}, "scale below 0": {"s": f32(-.1)},
           "scale tiny": {"s": f32(1e-44)}, "scale of none": {"s": np.zeros(0, np.float32)}, "scale of two": {"s": f32(.1, .2)},
           "scale double": {"s": np.float64(.1)}, "scale 2-D": {"s": np.full((1, 1), .1, np.float32)},
           "zero point s32": {"z": np.int32(5)}, "zero point float": {"z": f32(np.nan)}, "zero point s16": {"z": np.int16(-300)},
           "zero point of none": {"z": np.zeros(0, U8)}, "zero point s64": {"z": np.int64(1) << 40}, "zero point of three": {"z": np.zeros(3, U8)}}
    good = {"x": "x", "s": f32(.05), "z": U8(7), "w": random_codes(random, S8, (4, 3, 1, 1)), "ws": f32(.01), "wz": S8(0)}
    del good["x"]
    qlinear = lambda *i: node(i[0], list(i[1]), ["q2"], domain="com.microsoft" if i[0] not in ("QLinearConv", "QLinearMatMul") else "", **(i[2] if len(i) > 2 else {}))
    bodies = {"x": [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["y"])],
              "QDQ Conv": [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["d"]),
                           node("DequantizeLinear", ["w", "ws", "wz"], ["wd"]), node("Conv", ["d", "wd"], ["c"]),
                           node("QuantizeLinear", ["c", "s", "z"], ["q2"]), node("DequantizeLinear", ["q2", "s", "z"], ["y"])]}
    tail = node("DequantizeLinear", ["q2", "s2", "z2"], ["y"])
    head = node("QuantizeLinear", ["x", "s2", "z2"], ["q"])
    good |= {"s2": f32(.04), "z2": U8(3), "h": np.arange(6) % 2 == 0}
    for operator, inputs, *attributes in (
            ("QLinearConv", ["q", "s", "z", "w", "ws", "wz", "s2", "z2"]), ("QLinearConv", ["q", "s2", "z2", "w", "ws", "wz", "s", "z"]),
            ("QLinearAdd", ["q", "s", "z", "q", "s2", "z2", "s2", "z2"]), ("QLinearMul", ["q", "s2", "z2", "q", "s", "z", "s", "z"]),
            ("QLinearSigmoid", ["q", "s", "z", "s2", "z2"]), ("QLinearSigmoid", ["q", "s2", "z2", "s", "z"]),
            ("QLinearSoftmax", ["q", "s", "z", "s2", "z2"], {"axis": 1, "opset": 13}), ("QLinearGlobalAveragePool", ["q", "s", "z", "s2", "z2"]),
            ("QLinearAveragePool", ["q", "s2", "z2", "s", "z"], {"kernel_shape": [2, 2]}), ("QLinearConcat", ["s", "z", "q", "s2", "z2", "q", "s", "z"], {"axis": 1}),
            ("QLinearWhere", ["h", "q", "s", "z", "q", "s2", "z2", "s2", "z2"]),
            ("QLinearMatMul", ["q", "s", "z", "q", "s", "z", "s2", "z2"])):
        bodies[f"{operator} {' '.join(inputs)}"] = [head, qlinear(operator, inputs, *attributes), tail]
    feeds = {"x": random.normal(size=(1, 3, 6, 6)).astype(np.float32)}
    for number, ((body, nodes), (what, change), computed) in enumerate(itertools.product(bodies.items(), bad.items(), (False, True))):
        path = folder / f"bad{number}.onnx"
        constants = {**good, **change}
        used = {name for n in nodes for name in n.input}
        constants = {k: v for k, v in constants.items() if k in used}
        body_nodes = list(nodes)
        if computed:  # the same numbers, from a node that may or may not be folded
            for k in [k for k in change if k in constants]:
                constants[f"{k}_constant"] = constants.pop(k)
                body_nodes.insert(0, node("Identity", [f"{k}_constant"], [k]))
        save(path, body_nodes, constants, feeds["x"].shape)
        yield f"{body}, {what}{', computed' * computed}", (lambda path=path: (ours(path, feeds), None)[1])


def guarded(name, body):
    try:
        return body()
    except Exception as error:  # a crash, an exit code that is no refusal
        return name, f"{type(error).__name__}: {error}"


def main():
    word = sys.argv[2] if len(sys.argv) > 2 else ""
    random = np.random.default_rng(1)
    operators = [c for f in (unary_cases, pair_cases, concat_cases, where_cases, conv_cases, product_cases) for c in f(random)]
    results = []
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(4) as pool:
        folder = Path(name)
        tasks = [(case[1][0], lambda case=case: check_operator(folder, case)) for case in enumerate(operators)]
        fed = [(f"{case[0]} fed", *case[1:]) for case in operators[::9]]
        tasks += [(case[1][0], lambda case=case: check_fed(folder, case)) for case in enumerate(fed)]
        tasks += [(case[1][0], lambda case=case: check_qdq(folder, case)) for case in enumerate(qdq_cases(random))]
        tasks += [(what, lambda what=what, run=run: (what, run())) for what, run in check_bad_parameters(folder)]
        results = list(pool.map(lambda task: guarded(*task), [t for t in tasks if word in t[0]]))
        if word in "tool":
            results += guarded("tool", lambda: list(check_tool_files(folder)))
    wrong = [(name, what) for name, what in results if what]
    for name, what in wrong:
        print(f"{name}: {what}")
    print(f"{len(results)} cases, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
