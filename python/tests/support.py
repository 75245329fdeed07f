"""What the tests of the model file share: the repository, the built program, the blocks of a document."""

import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))

COMPLETE = "the tests need the built program: `cargo xtask test` builds it, and sets LNN_PROGRAM to its path"


def program():
    """The path of the built `lnn`."""
    path = os.environ.get("LNN_PROGRAM")
    if not path:
        sys.exit(COMPLETE)
    return path


def run(folder, *arguments):
    """Runs `lnn` in a folder; it must succeed."""
    done = subprocess.run([program(), *arguments], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"lnn {' '.join(arguments)}: {done.returncode}\n{done.stderr}")
    return done


def refused(folder, *arguments):
    """What `lnn` says as it refuses, exit code 1."""
    done = subprocess.run([program(), *arguments], cwd=folder, capture_output=True, text=True)
    if done.returncode != 1:
        raise AssertionError(f"lnn {' '.join(arguments)}: {done.returncode} instead of 1\n{done.stderr}")
    return done.stderr


def load_golden(name):
    """Golden values: layers as pairs of arrays, all else as arrays."""
    values = json.loads((ROOT / "golden" / name).read_text())
    layers = [(np.array(layer["weight"]), np.array(layer["bias"])) for layer in values.pop("layers")]
    return {"layers": layers, **{name: np.array(value) for name, value in values.items()}}


def blocks(document, *languages):
    """The code blocks of a document in these languages, in their order: pairs of language and text."""
    text = (ROOT / document).read_text()
    found = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [(language, code) for language, code in found if language in languages]


def save_table(path, **columns):
    """A CSV with these columns; a column of several numbers a row becomes several."""
    named = {}
    for name, values in columns.items():
        values = np.asarray(values, float)
        if values.ndim == 1:
            named[name] = values
        else:
            named.update({f"{name}{j}": values[:, j] for j in range(values.shape[1])})
    lines = [",".join(named)] + [",".join(repr(float(x)) for x in row) for row in zip(*named.values())]
    pathlib.Path(path).write_text("\n".join(lines) + "\n")


def load_table(path):
    """A CSV as a dict of arrays."""
    lines = pathlib.Path(path).read_text().splitlines()
    rows = np.array([[float(field) for field in line.split(",")] for line in lines[1:]])
    return dict(zip(lines[0].split(","), rows.T))


def columns(table, stem):
    """The columns stem0, stem1, … side by side."""
    count = 0
    while f"{stem}{count}" in table:
        count += 1
    return np.stack([table[f"{stem}{j}"] for j in range(count)], 1)
