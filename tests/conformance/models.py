"""What the scripts beside this one share: small models, calls of the program, sessions of ONNX Runtime, signal to noise."""
import functools
import re
import subprocess
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from exact_products import cuts_sums, exact

LEVELS = ort.GraphOptimizationLevel


def session(model, level=LEVELS.ORT_ENABLE_ALL, optimized=None):
    """A session of a file or of its bytes, on one thread and with whole sums (exact_products); `optimized` is a path for the graph of the file as
    it stands."""
    options = ort.SessionOptions()
    options.graph_optimization_level, options.intra_op_num_threads, options.log_severity_level = level, 1, 4
    # s8 stays s8, as on the processors that such files are for. Else ONNX Runtime 1.32 makes u8 of it on x86, and at opset 21
    # leaves output_dtype what it was where it has moved a QuantizeLinear over a Reshape, which it refuses then.
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    if optimized:
        options.optimized_model_filepath = str(optimized)
    given = model if isinstance(model, bytes) else str(model)
    if cuts_sums() and not optimized:
        given = exact(onnx.load_from_string(given) if isinstance(given, bytes) else onnx.load(given)).SerializeToString()
    return ort.InferenceSession(given, options, providers=["CPUExecutionProvider"])


def save(path, nodes, inputs, outputs, constants, opset):
    """A model of f32 inputs {name: shape} and f32 outputs of any shape."""
    graph = helper.make_graph(nodes, "network", [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
                              [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs],
                              [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), path)


def save_samples(folder, samples):
    """FOLDER/00.npy and so on."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for i, sample in enumerate(samples):
        np.save(f"{folder}/{i:02}.npy", sample)


def call(program, *words):
    """Runs the program. Errors: RuntimeError with what it said."""
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


@functools.cache
def targets(program):
    """The targets that the program has: what it lists where it is asked for another."""
    done = subprocess.run([program, "model.onnx", "--target", "?"], capture_output=True, text=True, check=False)
    return re.search(r"none of ([^;]+)", done.stderr)[1].split(", ")


def sqnr(reference, candidate):
    """Decibels; minus infinity for another shape and for NaN."""
    a, b = np.asarray(reference, np.float64), np.asarray(candidate, np.float64)
    if a.shape != b.shape or not np.isfinite(b).all():
        return -np.inf
    noise = np.sum((a - b) ** 2)
    return np.inf if noise == 0 else 10 * np.log10(np.sum(a * a) / noise) if np.any(a) else -np.inf
