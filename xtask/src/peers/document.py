"""Generates docs/performance.md."""

import datetime
import importlib.metadata
import os
import pathlib

PACKAGES = ("onnxruntime", "openvino", "ncnn")

INTRODUCTION = """Written by `cargo xtask bench --peers`. All engines run the same network on the same input, with 32-bit floats and batch size 1,
taking turns in a single run. Times are medians. CPU ms is the processor time of all threads, which is the better comparison if the
machine was busy. `nominal` is the engine that judges frames: tract with this project's kernels (`kernels/`), on this processor's
widest vectors unless a narrower path is named (`NOMINAL_VECTORS`). `tract` is the same program with `--engine plain`. ncnn (through
pnnx) and LiteRT (through onnx2tf) compute only the anomaly map. The last column is the largest difference of the anomaly map from
ONNX Runtime's, relative to the map's largest value. Weights are random unless a table says otherwise; speed doesn't depend on them.

% of peak is the network's multiplications per second, relative to those of a large matrix product (the faster of NumPy's OpenBLAS
and ONNX Runtime, with as many threads). Minimal filtering (Winograd) needs fewer multiplications than the network has, so the figure
can exceed 100 %."""

SIZES = "The same network at other input sizes, on one thread, in ms. Multiplications grow with the area."
LOADING = """Time from the model file to the first result, on one thread. Memory is the peak resident size minus the size before the model was
read, so Python and the engine's library aren't counted."""
TRAINED = "Bundles trained on real parts, on one thread: the map's largest difference with such weights."


def described(rows, litert):
    """Returns the document. `rows` are those of drive.py; `litert` is the version of LiteRT, or None."""
    versions = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
    versions += [f"LiteRT {litert}"] if litert else []
    date = datetime.date.today().isoformat()
    lines = ["# Speed compared with other inference engines", "", INTRODUCTION, ""]
    lines += [f"{date}, {processor()}, {os.cpu_count()} processors; versions: {', '.join(versions)}."]
    if not litert:
        lines += ["LiteRT was left out because its converter needs Python 3.12 or 3.13."]
    main = [row for row in rows if row["table"] == "main"]
    have = {(row["graph"], row["engine"]) for row in main}
    graphs, engines = (list(dict.fromkeys(row[key] for row in main)) for key in ("graph", "engine"))
    missing = [f"{engine} on {graph}" for graph in graphs for engine in engines if (graph, engine) not in have]
    if missing:
        lines += ["", f"Left out because the converted model doesn't run: {', '.join(missing)}."]
    for threads, title in ((1, "One thread"), (2, "Two threads")):
        lines += ["", f"## {title}", ""] + speeds([row for row in main if row["threads"] == threads])
    lines += ["", "## Start and memory", "", LOADING, "", *table("network", "engine", "ms", "MiB")]
    for row in main:
        if row["threads"] == 1:
            lines.append(f"| {row['graph']} | {row['engine']} | {row['load_ms']:.0f} | {row['memory_mib']:.0f} |")
    at_sizes = {row["graph"].rpartition("-")[0] for row in rows if row["table"] == "sizes"}
    ours = [row for row in rows if row["threads"] == 1 and row["table"] != "bundles"]
    sizes = [row for row in ours if row["graph"].rpartition("-")[0] in at_sizes]
    sizes.sort(key=lambda row: (row["graph"].rpartition("-")[0], int(row["graph"].rpartition("-")[2])))
    lines += ["", "## Input sizes", "", SIZES, "", *table("network", "onnxruntime", "nominal", "×")]
    for graph in dict.fromkeys(row["graph"] for row in sizes):
        ms = {row["engine"]: row["median_ms"] for row in sizes if row["graph"] == graph}
        ratio = ms["onnxruntime"] / ms["nominal"]
        lines.append(f"| {graph} | {ms['onnxruntime']:.1f} | {ms['nominal']:.1f} | {ratio:.2f} |")
    trained = [row for row in rows if row["table"] == "bundles"]
    if trained:
        lines += ["", "## Trained weights", "", TRAINED, ""] + speeds(trained)
    return "\n".join(lines) + "\n"


def speeds(rows):
    lines = table("network", "engine", "ms", "× onnxruntime", "% of peak", "CPU ms", "largest difference of the map")
    for row in rows:
        lines.append(
            f"| {row['graph']} | {row['engine']} | {row['median_ms']:.1f} | {row['speedup_over_onnxruntime']:.2f} | "
            f"{row['percent_of_peak']:.0f} | {row['cpu_ms']:.1f} | {row['max_diff_over_max']:.1e} |"
        )
    return lines


def table(*columns):
    return ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]


def processor():
    facts = dict(
        line.split(":", 1) for line in pathlib.Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines() if ":" in line
    )
    facts = {name.strip(): value.strip() for name, value in facts.items()}
    if "model name" not in facts:
        return "processor unknown"
    return f"{facts['model name']} (family {facts.get('cpu family')}, model {facts.get('model')})"
