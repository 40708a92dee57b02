"""Unpacks selected files from a wheel: unpack.py WHEEL FOLDER FROM=TO ...

FROM is the name of a file in the wheel, or of a folder with a trailing slash; TO is its path below FOLDER.
A rule that matches nothing is an error, because the wheel then isn't the one that the rules were written for.
"""

import os
import shutil
import sys
import zipfile

wheel, folder, *rules = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for rule in rules:
        source, target = rule.split("=", 1)
        found = False
        for entry in archive.infolist():
            is_below = source.endswith("/") and entry.filename.startswith(source)
            if entry.is_dir() or not (is_below or entry.filename == source):
                continue
            place = os.path.normpath(os.path.join(folder, target + entry.filename[len(source):]))
            if os.path.commonpath([place, os.path.normpath(folder)]) != os.path.normpath(folder):
                sys.exit(f"{wheel}: {entry.filename} would be written outside {folder}")
            os.makedirs(os.path.dirname(place), exist_ok=True)
            with archive.open(entry) as reader, open(place, "wb") as writer:
                shutil.copyfileobj(reader, writer, 1 << 20)
            found = True
        if not found:
            sys.exit(f"{wheel} does not contain {source}")
