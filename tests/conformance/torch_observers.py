"""The scales of PyTorch's observers, for presets.py, which calls this with a Python that has torch.

    torch_observers.py VALUES.npz

Prints JSON: for each array "a:NAME" the scale and zero point of HistogramObserver on all of it, with and without reduce_range; for each
"w:NAME" the scales of the symmetric extremes per channel of axis 0 and of all, as the qconfigs fbgemm and qnnpack have them.
"""
import json
import sys

import numpy as np
import torch
from torch.ao.quantization.observer import HistogramObserver, MinMaxObserver, PerChannelMinMaxObserver


def histogram(values, reduce_range):
    """The search alone, on the histogram of its documentation: forward() of version 1.13 rounds the ends to whole numbers."""
    observer = HistogramObserver(reduce_range=reduce_range)
    low, high = values.min(), values.max()
    observer.min_val, observer.max_val = low.clone(), high.clone()
    observer.histogram = torch.histc(values, observer.bins, min=float(low), max=float(high))
    scale, zero_point = observer.calculate_qparams()
    return float(scale), int(zero_point)


def extremes(observer, values):
    observer(values)
    return observer.calculate_qparams()[0].double().reshape(-1).tolist()


def main():
    found = {}
    with np.load(sys.argv[1]) as arrays:
        for key in arrays.files:
            kind, name = key.split(":", 1)
            values = torch.from_numpy(arrays[key])
            if kind == "a":
                found[name] = {"fbgemm": histogram(values, True), "qnnpack": histogram(values, False)}
            else:
                found[name] = {
                    "fbgemm": extremes(PerChannelMinMaxObserver(dtype=torch.qint8, qscheme=torch.per_channel_symmetric), values),
                    "qnnpack": extremes(MinMaxObserver(dtype=torch.qint8, qscheme=torch.per_tensor_symmetric), values)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
