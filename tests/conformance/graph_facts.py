"""Facts of a drawn network that follow from its nodes alone."""
from onnx import TensorProto, helper

# Where a small error may become a large one.
UNSTEADY = {"Ceil", "Floor", "Round", "Sign", "ThresholdedRelu", "Reciprocal", "Pow", "Exp", "Log", "Greater", "Less", "GreaterOrEqual",
            "LessOrEqual", "Equal", "TopK", "NonMaxSuppression", "ArgMax", "Hardmax", "Shrink", "Mod", "MaxUnpool", "GridSample", "Loop"}


def all_nodes(graph):
    """The nodes of a graph or function and of all bodies in it."""
    left = [*graph.node]
    while left:
        node = left.pop()
        yield node
        left += [n for a in node.attribute for n in a.g.node]


def nodes_of(model):
    return [n for part in (model.graph, *model.functions) for n in all_nodes(part)]


def casts_to(model, *kinds):
    return any(a.name == "to" and a.i in kinds for n in nodes_of(model) for a in n.attribute)


def is_unsteady(model):
    return casts_to(model, TensorProto.INT32, TensorProto.INT64) or bool(UNSTEADY & {n.op_type for n in nodes_of(model)})


def crops_by_auto_pad(model):
    """True for a pool whose windows stand so far apart that auto_pad needs none: ONNX Runtime's AveragePool leaves elements in front
    out then, and its MaxPool fails, while its Conv and our engine do not pad."""
    def is_apart(node):
        at = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        return at.get("auto_pad", b"").startswith(b"SAME") and any(s > k + 1 for s, k in zip(at.get("strides", []), at["kernel_shape"]))
    return any(n.op_type in ("AveragePool", "MaxPool", "LpPool") and is_apart(n) for n in nodes_of(model))
