#!/usr/bin/env python3
"""Turns the XML of bench_kernels into a table: time per call, and the share of what the probe does in registers.

    scripts/bench_table.py RESULTS.xml

A benchmark's name is "kernel;shape;level;amount;unit" (tests/bench/bench.h). The mean of its samples counts.
"""
import sys
import xml.etree.ElementTree as ElementTree


def read(path):
    for result in ElementTree.parse(path).iter("BenchmarkResults"):
        kernel, shape, level, amount, unit = result.get("name").split(";")
        nanoseconds = float(result.find("mean").get("value"))
        yield kernel, shape, level, unit, nanoseconds, float(amount) / nanoseconds


def main():
    results = list(read(sys.argv[1]))
    peaks = {(level, unit): rate for kernel, _, level, unit, _, rate in results if kernel == "probe"}
    print("| kernel | shape | level | us | rate | of the probe |")
    print("| --- | --- | --- | --- | --- | --- |")
    for kernel, shape, level, unit, nanoseconds, rate in sorted(results, key=lambda r: (r[0] != "probe", r[0], r[1])):
        peak = peaks.get((level, unit))
        share = f"{100 * rate / peak:.0f} %" if peak and kernel != "probe" else ""
        measure = "GB/s" if unit == "byte" else "GMAC/s, " + unit.removeprefix("mac_")
        print(f"| {kernel} | {shape} | {level} | {nanoseconds / 1000:.2f} | {rate:.1f} {measure} | {share} |")


if __name__ == "__main__":
    main()
