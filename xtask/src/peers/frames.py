"""Times whole frames, from a JPEG's bytes to the verdict: one frame after the other, and several cameras at once."""

import concurrent.futures
import os
import pathlib
import statistics
import sys
import time

from worker import Worker

CAMERAS = {
    "640x480": "-",
    "1280x960": "-",
    "1920x1080": "-",
    "2592x1944": "-",
    "1920x1080-roi": "660,240,600,600",
}
"""Folders that `performance_graphs` wrote, and the region that is judged."""
PIPELINE = pathlib.Path(__file__).with_name("pipeline.py")
PIPELINES = ("python", "nominal")
STAGES = ("total_ms", "decode_ms", "prepare_ms", "network_ms")
AT_ONCE = (1, 2, 4)
SECONDS = 4
"""Measuring time for each pipeline and camera."""


def compare(time_frame, folder):
    """Returns rows for each camera and number of threads, and for several cameras at once."""
    folder = pathlib.Path(folder) / "frames"
    rows = []
    for camera in CAMERAS:
        for threads in (1, 2):
            rows += in_turn(time_frame, folder, camera, threads)
    for cameras in AT_ONCE:
        rows += at_once(time_frame, folder, "640x480", cameras)
    return rows


def start(pipeline, time_frame, folder, camera, threads):
    bundle = folder / camera
    frame = bundle / "frame.jpg"
    if pipeline == "python":
        command = [sys.executable, PIPELINE, bundle / "model.onnx", frame, CAMERAS[camera], threads]
    else:
        command = [time_frame, bundle, frame, threads]
    return Worker(pipeline, command, dict(os.environ))


def in_turn(time_frame, folder, camera, threads):
    """The pipelines take turns, so that other load on the machine affects both alike."""
    workers = {name: start(name, time_frame, folder, camera, threads) for name in PIPELINES}
    stages = {name: [] for name in workers}
    slowest = max(statistics.median(fours(worker.turn(3), 0)) for worker in workers.values())
    frames = max(1, int(250 / slowest))
    for _ in range(max(5, int(SECONDS * 1000 / (frames * slowest)))):
        for name, worker in workers.items():
            stages[name] += worker.turn(frames)
    rows = []
    for name, worker in workers.items():
        worker.end()
        medians = {stage: round(statistics.median(fours(stages[name], index)), 3) for index, stage in enumerate(STAGES)}
        memory = round(worker.memory_mib, 1)
        rows.append({"table": "frames", "camera": camera, "pipeline": name, "threads": threads, **medians, "memory_mib": memory})
        print(f"{camera:<15} {name:<8} {threads} " + "  ".join(f"{stage} {ms:.2f}" for stage, ms in medians.items()), flush=True)
    return rows


def at_once(time_frame, folder, camera, cameras):
    """Returns how many frames a second several cameras get, each with a judge on one thread."""
    rows = []
    workers = {name: [start(name, time_frame, folder, camera, 1) for _ in range(cameras)] for name in PIPELINES}
    rates = {name: [] for name in workers}
    with concurrent.futures.ThreadPoolExecutor(cameras) as pool:
        for _ in range(7):
            for name, judges in workers.items():
                frames = 15
                begun = time.perf_counter()
                list(pool.map(lambda judge: judge.turn(frames), judges))
                rates[name].append(cameras * frames / (time.perf_counter() - begun))
    for name, judges in workers.items():
        for judge in judges:
            judge.end()
        rate = round(statistics.median(rates[name]), 1)
        rows.append({"table": "at once", "camera": camera, "pipeline": name, "cameras": cameras, "frames_per_second": rate})
        print(f"{cameras} cameras at once, {camera}: {name} {rate:.1f} frames a second", flush=True)
    return rows


def fours(values, index):
    """Returns one of the four times of each frame."""
    return values[index::4]
