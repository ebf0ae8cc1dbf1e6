#!/usr/bin/env python3
"""Operators of com.microsoft, which ONNX Runtime's tools write, in our engine and in ONNX Runtime.

    microsoft_operators.py QUANTIZE

Nodes of every form, and whole models as ONNX Runtime's optimizer and its quantize_dynamic write them.
"""
import logging
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from models import call, session, sqnr
from network_list import build
import networks_attention  # noqa: F401  (their networks)
import networks_classification  # noqa: F401

logging.disable(logging.WARNING)
RANDOM = np.random.default_rng(4)


def reals(*shape, scale=1.0):
    return RANDOM.normal(scale=scale, size=shape).astype(np.float32)


def codes(*shape, dtype=np.uint8):
    limits = np.iinfo(dtype)
    return RANDOM.integers(limits.min, limits.max + 1, shape).astype(dtype)


def scales(*shape):
    return RANDOM.uniform(0.005, 0.02, shape).astype(np.float32)


def node_cases():
    """(label, operator, shape of x, further inputs, attributes); None is an input that is left out."""
    cases = []
    for dtype in (np.uint8, np.int8):
        for shape in ((), (6,)):
            zero = codes(*shape, dtype=dtype)
            for bias in (None, reals(6)):
                cases.append((f"{dtype.__name__} {shape}", "DynamicQuantizeMatMul", (2, 3, 8), [codes(8, 6, dtype=dtype), scales(*shape), zero, bias], {}))
    cases.append(("no zero point", "DynamicQuantizeMatMul", (3, 8), [codes(8, 6, dtype=np.int8), scales(1)], {}))
    for bits, k, block in ((4, 64, 32), (4, 40, 16), (8, 64, 32), (4, 32, 32)):
        blocks = -(-k // block)
        packed, scale = codes(5, blocks, block * bits // 8), scales(5, blocks)
        zero = codes(5, -(-blocks * bits // 8))
        for label, more in (("no zero points", []), ("zero points", [zero]), ("bias", [None, None, reals(5)])):
            cases.append((f"{bits} bits, {k} in {block}, {label}", "MatMulNBits", (2, 3, k), [packed, scale, *more],
                          {"K": k, "N": 5, "bits": bits, "block_size": block}))
    for label, attributes in (("", {}), ("unidirectional", {"unidirectional": 1}), ("scale", {"scale": 0.3})):
        cases.append((label, "Attention", (2, 5, 8), [reals(8, 24, scale=0.4), reals(24)], {"num_heads": 2, **attributes}))
    cases.append(("bias of scores", "Attention", (2, 5, 8), [reals(8, 24), reals(24), None, None, reals(1, 2, 5, 5)], {"num_heads": 2}))
    cases.append(("sizes", "Attention", (2, 5, 8), [reals(8, 20), reals(20)], {"num_heads": 2, "qkv_hidden_sizes": [8, 8, 4]}))
    for label, more in (("", []), ("bias", [reals(24)]), ("bias of scores", [None, None, reals(1, 2, 5, 7)])):
        cases.append((label, "MultiHeadAttention", (2, 5, 8), [reals(2, 7, 8), reals(2, 7, 8), *more], {"num_heads": 2}))
    for label, attributes in (("leaky", {"activation": "LeakyRelu", "activation_alpha": 0.2}), ("relu", {"activation": "Relu"})):
        cases.append((label, "FusedGemm", (3, 8), [reals(6, 8), reals(6)], {"transB": 1, "alpha": 0.5, **attributes}))
    for dtype in (np.uint8, np.int8):
        for direction, ways in (("forward", 1), ("reverse", 1), ("bidirectional", 2)):
            w, r = codes(ways, 6, 16, dtype=dtype), codes(ways, 4, 16, dtype=dtype)
            scale = [scales(ways), codes(ways, dtype=dtype), scales(ways), codes(ways, dtype=dtype)]
            cases.append((f"{dtype.__name__} {direction}", "DynamicQuantizeLSTM", (5, 1, 6),
                          [w, r, reals(ways, 32, scale=0.2), None, reals(ways, 1, 4), reals(ways, 1, 4), None, *scale],
                          {"hidden_size": 4, "direction": direction}))
    return cases


def check_model(program, folder, model, shape, least):
    """Nothing, or what is wrong."""
    path, file = folder / "model.onnx", folder / "x.npy"
    onnx.save(model, path)
    np.save(file, reals(*shape))
    try:
        run = session(path, ort.GraphOptimizationLevel.ORT_DISABLE_ALL)
        expected = run.run(None, {run.get_inputs()[0].name: np.load(file)})
        call(program, "run", path, file, "-o", folder / "out", "--quiet")
    except Exception as error:
        return " ".join(str(error).split())[:300]
    for info, value in zip(run.get_outputs(), expected):
        found = np.load(folder / "out" / f"{info.name}.npy")
        if sqnr(value, found.reshape(value.shape) if found.size == value.size else found) < least:
            return f"{info.name}: {sqnr(value, found):.1f} dB"
    return None


def node_model(op_type, shape, operands, attributes):
    names = ["x"] + ["" if v is None else f"c{i}" for i, v in enumerate(operands)]
    constants = [numpy_helper.from_array(v, f"c{i}") for i, v in enumerate(operands) if v is not None]
    node = helper.make_node(op_type, names, ["y"], domain="com.microsoft", **attributes)
    graph = helper.make_graph([node], "node", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)], ir_version=8)


def table_cases():
    """The same as tool_cases: rows or columns of a table of 4 bits in blocks, with and without zero points, and of blocks that are not full."""
    for kind, low, high in ((TensorProto.INT4, -8, 8), (TensorProto.UINT4, 0, 16)):
        for axis in (0, 1):
            for length in (32, 40):
                shape = [9, length] if axis == 0 else [length, 9]
                blocks = [9, -(-length // 16)] if axis == 0 else [-(-length // 16), 9]
                out = [3, length] if axis == 0 else [length, 3]
                for zero in (False, True):
                    constants = [helper.make_tensor("t", kind, shape, RANDOM.integers(low, high, 9 * length)), numpy_helper.from_array(scales(*blocks), "s"),
                                 numpy_helper.from_array(np.array([0, -1, 4], np.int64), "i"), helper.make_tensor("z", kind, blocks, RANDOM.integers(low, high, int(np.prod(blocks))))]
                    nodes = [helper.make_node("GatherBlockQuantized", ["t", "i", "s", *(["z"] if zero else [])], ["rows"], domain="com.microsoft",
                                              gather_axis=axis, quantize_axis=1 - axis, block_size=16), helper.make_node("Add", ["rows", "x"], ["y"])]
                    graph = helper.make_graph(nodes, "table", [helper.make_tensor_value_info("x", TensorProto.FLOAT, out)],
                                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, out)], constants if zero else constants[:3])
                    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)], ir_version=10)
                    yield f"GatherBlockQuantized {kind} on {axis}, {length}, {zero}", model, out, 100


def tool_cases(folder):
    """(label, model, shape, least SQNR) as the tools write them; the rounding of dynamic ranges may fall to either side."""
    for name in ("resnet18", "mobilenet_v3", "vit new", "crnn lstm", "iresnet arcface"):
        model, shapes = build(name)
        plain, made = folder / "plain.onnx", folder / "made.onnx"
        onnx.save(model, plain)
        shape = next(iter(shapes.values()))
        options = ort.SessionOptions()
        options.graph_optimization_level, options.optimized_model_filepath = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED, str(made)
        options.log_severity_level = 4
        ort.InferenceSession(str(plain), options, providers=["CPUExecutionProvider"])
        yield f"optimized {name}", onnx.load(made), shape, 100
        for kind in (QuantType.QUInt8, QuantType.QInt8):
            quantize_dynamic(str(plain), str(made), weight_type=kind, op_types_to_quantize=["MatMul", "LSTM"])
            yield f"quantize_dynamic of {name}, {kind}", onnx.load(made), shape, 35


def main():
    program = str(Path(sys.argv[1]).resolve())
    failed, count, kinds = 0, 0, set()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cases = [(f"{op_type} {label}", node_model(op_type, shape, operands, attributes), shape, 60 if op_type.startswith("Dynamic") else 100)
                 for label, op_type, shape, operands, attributes in node_cases()]
        for label, model, shape, least in [*cases, *table_cases(), *tool_cases(folder)]:
            count += 1
            kinds |= {n.op_type for n in model.graph.node if n.domain == "com.microsoft"}
            if wrong := check_model(program, folder, model, shape, least):
                failed += 1
                print(f"FAIL {label}: {wrong}")
    print(f"{count} models with {', '.join(sorted(kinds))}: {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
