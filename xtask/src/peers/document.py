"""Generates docs/performance.md."""

import datetime
import importlib.metadata
import os
import pathlib

PACKAGES = ("onnxruntime", "openvino", "ncnn", "opencv-python-headless")

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
FRAMES = """From a JPEG's bytes to the verdict, in ms: `python` decodes with libjpeg-turbo (`cv2.imdecode`), resizes with OpenCV and runs
ONNX Runtime, as in `xtask/src/peers/pipeline.py`; `nominal` is a bundle of the default method (local Gaussians on EfficientNet-Lite0, about
65,000 pixels), opened by the judge. Frames are 4:2:2, quality 90. `roi` judges 600 × 600 pixels. Memory is as above."""
AT_ONCE = """Frames a second that several cameras get together, at 640 × 480, each with a judge on a thread of its own."""
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
    ours = [row for row in rows if row["table"] in ("main", "sizes") and row["threads"] == 1]
    sizes = [row for row in ours if row["graph"].rpartition("-")[0] in at_sizes]
    sizes.sort(key=lambda row: (row["graph"].rpartition("-")[0], int(row["graph"].rpartition("-")[2])))
    lines += ["", "## Input sizes", "", SIZES, "", *table("network", "onnxruntime", "nominal", "×")]
    for graph in dict.fromkeys(row["graph"] for row in sizes):
        ms = {row["engine"]: row["median_ms"] for row in sizes if row["graph"] == graph}
        ratio = ms["onnxruntime"] / ms["nominal"]
        lines.append(f"| {graph} | {ms['onnxruntime']:.1f} | {ms['nominal']:.1f} | {ratio:.2f} |")
    lines += ["", "## Whole frames", "", FRAMES, ""] + whole_frames([row for row in rows if row["table"] == "frames"])
    lines += ["", "## Several cameras at once", "", AT_ONCE, ""] + at_once([row for row in rows if row["table"] == "at once"])
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


def whole_frames(rows):
    lines = table("frame", "threads", "pipeline", "decode", "prepare", "network", "whole", "× python", "decode and prepare, × python", "MiB")
    for row in rows:
        (python,) = [
            other
            for other in rows
            if (other["camera"], other["threads"], other["pipeline"]) == (row["camera"], row["threads"], "python")
        ]
        before = [one["decode_ms"] + one["prepare_ms"] for one in (python, row)]
        lines.append(
            f"| {row['camera']} | {row['threads']} | {row['pipeline']} | {row['decode_ms']:.2f} | {row['prepare_ms']:.2f} | "
            f"{row['network_ms']:.2f} | {row['total_ms']:.2f} | {python['total_ms'] / row['total_ms']:.2f} | "
            f"{before[0] / before[1]:.2f} | {row['memory_mib']:.0f} |"
        )
    return lines


def at_once(rows):
    lines = table("cameras", "python", "nominal", "×")
    for cameras in dict.fromkeys(row["cameras"] for row in rows):
        rate = {row["pipeline"]: row["frames_per_second"] for row in rows if row["cameras"] == cameras}
        ratio = rate["nominal"] / rate["python"]
        lines.append(f"| {cameras} | {rate['python']:.0f} | {rate['nominal']:.0f} | {ratio:.2f} |")
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
