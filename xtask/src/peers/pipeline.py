"""Judges a frame with libjpeg-turbo, OpenCV and onnxruntime, as one would write it in Python:
python pipeline.py MODEL FRAME.jpg X,Y,WIDTH,HEIGHT|- THREADS.

Answers as `time_frame` does: `ready`, the milliseconds to the first score and the resident memory before in KiB; then, for each line of
standard input, a number of frames, four times in milliseconds for each: of the whole, and of decoding, preparing and the network.
OpenCV's wheels decode JPEGs with libjpeg-turbo.
"""

import pathlib
import sys
import time

import cv2
import numpy as np
import onnxruntime

import engines


def main(model, frame, roi, threads):
    cv2.setNumThreads(int(threads))
    encoded = np.fromfile(frame, np.uint8)
    before = engines.resident()
    start = time.perf_counter()
    session = engines.onnxruntime_session(onnxruntime, model, int(threads))
    _, _, height, width = session.get_inputs()[0].shape
    judge(session, encoded, roi, (width, height))
    print("ready", (time.perf_counter() - start) * 1e3, before, flush=True)
    for line in sys.stdin:
        times = [judge(session, encoded, roi, (width, height)) for _ in range(int(line))]
        print(" ".join(f"{1e3 * value:.4f}" for four in times for value in four), flush=True)


def judge(session, encoded, roi, size):
    """Returns the four times in seconds."""
    begun = time.perf_counter()
    image = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    decoded = time.perf_counter()
    if roi != "-":
        x, y, width, height = map(int, roi.split(","))
        image = image[y : y + height, x : x + width]
    # INTER_AREA is OpenCV's filter without aliasing.
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    values = np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
    prepared = time.perf_counter()
    session.run(list(engines.OUTPUTS), {"image": values})
    done = time.perf_counter()
    return done - begun, decoded - begun, prepared - decoded, done - prepared


main(*sys.argv[1:])
