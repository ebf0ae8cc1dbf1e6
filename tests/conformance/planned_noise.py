"""The noise that a plan promises: the FP32 network with the plan's roundings and nothing else."""
import numpy as np
import onnx
from onnx import helper, numpy_helper


def add_bias_shifts(plan, model):
    """Adds to each layer the largest shift that the plan's correction of its bias makes, up and down in turn by channel."""
    graph, shifts = model.graph, {n["name"]: n["largest_bias_shift"] for n in plan["nodes"] if "largest_bias_shift" in n}
    weights, nodes = {i.name: i.dims for i in graph.initializer}, list(graph.node)
    del graph.node[:]
    for node in nodes:
        graph.node.append(node)
        dims = weights.get(node.input[1]) if node.name in shifts else None
        if not dims or node.op_type not in ("Conv", "Gemm", "MatMul"):
            continue
        is_conv, transposed = node.op_type == "Conv", any(a.name == "transB" and a.i for a in node.attribute)
        shift = shifts[node.name] * (-1.0) ** np.arange(dims[0] if is_conv or transposed else dims[-1])
        shape = (-1,) + (1,) * (len(dims) - 2) if is_conv else (-1,)
        graph.initializer.append(numpy_helper.from_array(shift.astype(np.float32).reshape(shape), node.output[0] + "_shift"))
        graph.node[-1].output[0] = node.output[0] + "_unshifted"
        graph.node.append(helper.make_node("Add", [node.output[0] + "_unshifted", node.output[0] + "_shift"], [node.output[0]]))


def rounded_as_planned(plan, model):
    """The FP32 network with the roundings of activations that the plan tells of, and the shifts of its biases. A rounded value keeps
    its name, so that its readers and the network's outputs see it rounded; only "x", which must stay the input, gets another."""
    rounded = onnx.load_from_string(model.SerializeToString())
    add_bias_shifts(plan, rounded)
    graph, made = rounded.graph, {v for n in rounded.graph.node for v in n.output} | {"x"}
    nodes, pairs = list(graph.node), {}
    types = {"u8": np.uint8, "s8": np.int8}
    for value in plan["values"]:
        name = value["name"]
        if name not in made or value["type"] not in types:
            continue
        single = len(value["scale"]) == 1
        for suffix, numbers, dtype in (("_s", value["scale"], np.float32), ("_z", value["zero_point"], types[value["type"]])):
            graph.initializer.append(numpy_helper.from_array(np.array(numbers[0] if single else numbers, dtype), name + suffix))
        axis = {} if single else {"axis": 1}
        operands = [name + "_s", name + "_z"]
        before, behind = (name, name + "_r") if name == "x" else (name + "_w", name)
        pairs[name] = [helper.make_node("QuantizeLinear", [before, *operands], [name + "_q"], **axis),
                       helper.make_node("DequantizeLinear", [name + "_q", *operands], [behind], **axis)]
    del graph.node[:]
    graph.node.extend(pairs.get("x", []))
    for node in nodes:
        node.input[:] = [v + "_r" if v == "x" and v in pairs else v for v in node.input]
        made_here = list(node.output)
        node.output[:] = [v + "_w" if v in pairs else v for v in made_here]
        graph.node.append(node)
        for v in made_here:
            graph.node.extend(pairs.get(v, []))
    for opset in rounded.opset_import:  # scales per channel are of opset 13; what is older means the same there or is left out
        opset.version = opset.version if opset.domain else max(opset.version, 10)
    return rounded
