"""The list of networks that networks.py builds. @network puts a function on it, once for every variant."""
from dataclasses import dataclass, fields

from network_builder import Net

NETWORKS = {}  # name -> Entry
HABITS = {f.name for f in fields(Net)}


@dataclass
class Entry:
    build: object       # (Net, options) -> outputs
    habits: dict        # of the exporter: Net's
    options: dict       # of the function
    quick: bool         # built and judged by every check
    sizes: float        # how far the engines may be apart in FP32, of the output's range


def network(name=None, quick=False, sizes=1e-4, **more):
    def register(function):
        habits = {k: v for k, v in more.items() if k in HABITS}
        NETWORKS[name or function.__name__] = Entry(function, habits, {k: v for k, v in more.items() if k not in HABITS}, quick, sizes)
        return function
    return register


def build(name):
    """The ONNX model of a network, and the shapes of its inputs by name."""
    entry = NETWORKS[name]
    net = Net(seed=sum(map(ord, name)), **entry.habits)
    model = net.model(*entry.build(net, **entry.options))
    return model, {str(v): v.shape for v in net.inputs}
