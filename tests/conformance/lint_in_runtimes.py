#!/usr/bin/env python3
"""The forecast of `quantize lint`, node by node, against what ONNX Runtime and OpenVINO do with the same files.

    lint_in_runtimes.py QUANTIZE DATA_FOLDER        models of data/ and small networks, as several tools and targets write them
    lint_in_runtimes.py QUANTIZE FILE.onnx ...      these files

ONNX Runtime: each node that it is said to compute on integers is an operator of codes in its optimized graph, or taken in by one; no
other is. OpenVINO, where its package is installed: the same of each Conv, ConvTranspose, Gemm and MatMul, by the precision that
the compiled model reports.
"""
import json
import logging
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from layers_in_openvino import LAYERS, precisions, small_networks
from models import LEVELS, call, save, session

logging.disable(logging.WARNING)
ort.set_default_logger_severity(4)
OF_CODES = ("QLinear", "QGemm", "MatMulInteger", "DynamicQuantize", "ConvInteger", "QAttention")


def computed_on_codes(graph):
    """Names of the nodes of an optimized graph that read or make codes."""
    codes = {t.name for t in graph.initializer if t.data_type in (onnx.TensorProto.UINT8, onnx.TensorProto.INT8)}
    names = set()
    for node in graph.node:
        if node.op_type == "QuantizeLinear":
            codes.update(node.output)
        elif node.op_type.startswith(OF_CODES):
            names.add(node.name)
            if node.op_type != "MatMulIntegerToFloat" and (node.op_type != "QGemm" or len(node.input) > 7):
                codes.update(node.output)  # of others reals
        elif node.op_type != "DequantizeLinear" and node.input and node.input[0] in codes:
            names.add(node.name)
            if node.op_type != "ArgMax":
                codes.update(node.output)
    return names


def against_onnx_runtime(forecast, file, folder):
    """Names of nodes of which the forecast is wrong."""
    optimized = folder / "optimized.onnx"
    session(file, LEVELS.ORT_ENABLE_EXTENDED, optimized)
    graph = onnx.load(optimized).graph
    on_codes, left = computed_on_codes(graph), {node.name for node in graph.node}
    wrong = []
    for node in forecast["nodes"]:
        found = node["name"] in on_codes
        taken_in = node["integer"] and node["name"] not in left
        if node["integer"] != found and not taken_in:
            wrong.append(f"{node['op_type']} '{node['name']}' is said to be {'integer' if node['integer'] else 'float: ' + node['reason']}")
    return wrong, len(forecast["nodes"])


def against_openvino(forecast, file, _):
    found = precisions(file)
    layers = [n for n in forecast["nodes"] if n["op_type"] in LAYERS and n["name"] in found]
    wrong = [f"{n['op_type']} '{n['name']}' is said to be {'integer' if n['integer'] else 'float: ' + n['reason']}"
             for n in layers if n["integer"] != (found[n["name"]] in ("u8", "i8"))]
    return wrong, len(layers)


RUNTIMES = {"ort-x86": against_onnx_runtime, "openvino": against_openvino}


class Samples(CalibrationDataReader):
    def __init__(self, name, samples):
        self.rows = iter([{name: np.load(f)} for f in samples])

    def get_next(self):
        return next(self.rows, None)


def written_files(program, model, samples, folder):
    """(what, path): the model in FP32 and as tools write it."""
    yield "FP32", model
    for target in ("ort-x86", "openvino", "tensorrt", "generic"):
        file = folder / f"{target}.onnx"
        call(program, model, "--calib", samples, "--method", "mse", "--target", target, "-o", file, "--quiet")
        yield target, file
    file = folder / "int8.onnx"
    call(program, model, "--calib", samples, "--method", "mse", "--format", "int8", "--target", "ort-x86", "-o", file, "--quiet")
    yield "int8", file
    prepared = folder / "prepared.onnx"
    try:
        quant_pre_process(str(model), str(prepared), skip_symbolic_shape=True)
    except Exception:
        return
    name = onnx.load(prepared).graph.input[0].name
    arrays = sorted(Path(samples).glob("*.npy"))
    if not arrays:
        return
    for what, form, options in (("ORT QDQ", QuantFormat.QDQ, {}), ("ORT QDQ per channel", QuantFormat.QDQ, {"per_channel": True}),
                                ("ORT QOperator", QuantFormat.QOperator, {}), ("ORT QDQ s8", QuantFormat.QDQ, {"activation_type": QuantType.QInt8})):
        file = folder / f"{what.replace(' ', '_')}.onnx"
        try:
            quantize_static(str(prepared), str(file), Samples(name, arrays), quant_format=form, **options)
        except Exception:
            continue
        yield what, file


def judge(program, what, file, folder, runtimes=tuple(RUNTIMES)):
    """(checked, wrong) for each runtime."""
    counts = {}
    for target in runtimes:
        against = RUNTIMES[target]
        if target == "openvino" and (not has_openvino() or "Q" in what and "QDQ" not in what or what == "int8"):
            continue
        try:
            forecast = json.loads(call(program, "lint", file, "--target", target, "--json"))
            wrong, checked = against(forecast, file, folder)
        except Exception as error:
            print(f"  -- {what}, {target}: not run: {' '.join(str(error).split())[:160]}")
            continue
        for line in wrong[:4]:
            print(f"  FAIL {what}, {target}: {line}")
        counts[target] = (checked, len(wrong))
    return counts


def has_openvino():
    try:
        import openvino  # noqa: F401
    except ImportError:
        return False
    return True


def models(data, folder):
    for name in ("lenet_fashion", "mobilenet_fashion"):
        samples = Path(folder) / name
        samples.mkdir()
        from PIL import Image
        for i, file in enumerate(sorted((data / "calib").glob("*.png"))[:8]):
            np.save(samples / f"{i}.npy", np.asarray(Image.open(file), np.float32)[None, None] / 255)
        yield name, data / f"{name}.onnx", samples
    yield from small_networks(folder)


MOVERS = {"Slice": ["d", "first", "last", "axis"], "Transpose": ["d"], "Reshape": ["d", "rows"], "MaxPool": ["d"], "Flatten": ["d"], "Gather": ["d", "first"]}


def handed_on(path, mover, behind, scale):
    """DequantizeLinear in front of an operator that moves codes, with reals or a sum behind it, or a QuantizeLinear of this scale."""
    def code(op_type, source, name, *params):
        return helper.make_node(op_type, [source, *params], [name])
    attributes = {"Transpose": {"perm": [0, 1, 3, 2]}, "MaxPool": {"kernel_shape": [2, 2]}}.get(mover, {})
    nodes = [code("QuantizeLinear", "x", "q", "s", "z"), code("DequantizeLinear", "q", "d", "s", "z"),
             helper.make_node(mover, MOVERS[mover], ["v"], name="mover", **attributes)]
    if scale is not None:
        nodes += [code("QuantizeLinear", "v", "qv", "t", "z"), code("DequantizeLinear", "qv", "y", "t", "z")]
    elif behind == "Add":
        nodes += [helper.make_node("Add", ["v", "v"], ["w"], name="sum"), code("QuantizeLinear", "w", "qw", "s", "z"), code("DequantizeLinear", "qw", "y", "s", "z")]
    else:
        nodes += [helper.make_node(behind, ["v"], ["r"], name="behind"), helper.make_node("Cast", ["r"], ["y"], name="reals", to=TensorProto.FLOAT),
                  helper.make_node("Exp", ["d"], ["other"], name="other")]
    constants = {"s": np.float32(0.1), "t": np.float32(scale or 0.1), "z": np.uint8(0), "first": np.zeros(1, np.int64), "last": np.full(1, 9, np.int64),
                 "axis": np.full(1, 3, np.int64), "rows": np.array([1, 4, 64], np.int64)}
    used = {name for node in nodes for name in node.input}
    save(path, nodes, {"x": [1, 4, 8, 8]}, ["y", *(["other"] if scale is None and behind != "Add" else [])], {k: v for k, v in constants.items() if k in used}, 13)


def moved_codes(folder):
    """(what, path) of files in which ONNX Runtime moves a DequantizeLinear, or must not."""
    for mover in MOVERS:
        for behind, scale in (("Sqrt", None), ("ArgMax", None), ("ArgMin", None), ("Add", None), ("", 0.1), ("", 0.2)):
            path = Path(folder) / f"{mover}_{behind}_{scale}.onnx"
            handed_on(path, mover, behind, scale)
            yield f"{mover} before {behind or f'a scale of {scale}'}", path


def main():
    program, place = sys.argv[1], Path(sys.argv[2])
    total = {target: [0, 0] for target in RUNTIMES}
    with tempfile.TemporaryDirectory() as folder:
        def count(name, what, file, *runtimes):
            for target, (checked, wrong) in judge(program, what, file, Path(folder), *runtimes).items():
                total[target][0] += checked
                total[target][1] += wrong
                print(f"{'FAIL' if wrong else 'ok  '} {name}, {what}, {target}: {checked - wrong} of {checked} nodes forecast right")
        if place.is_file():
            for file in sys.argv[2:]:
                count(Path(file).name, "file", Path(file))
        else:
            for what, file in moved_codes(folder):
                count("codes moved", what, file, ["ort-x86"])
            for name, model, samples in models(place, folder):
                made = Path(folder) / f"made_{name.replace(' ', '_')}"
                made.mkdir()
                for what, file in written_files(program, model, samples, made):
                    count(name, what, file)
    if not has_openvino():
        print("NOT COMPARED with OpenVINO: its package is not installed")
        del total["openvino"]
    for target, (checked, wrong) in total.items():
        print(f"{target}: {checked - wrong} of {checked} nodes forecast right")
    return 1 if any(wrong for _, wrong in total.values()) or not total["ort-x86"][0] else 0


if __name__ == "__main__":
    sys.exit(main())
