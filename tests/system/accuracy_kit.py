"""What the tests of accuracy and of clips share: where things are, `sightline run`, checks that are counted."""
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

SOURCE = os.environ.get("SIGHTLINE_SOURCE_DIR") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.join(os.environ.get("SIGHTLINE_BINARY_DIR") or os.path.join(SOURCE, "build"), "sightline")
VTEST = os.environ.get("SIGHTLINE_VTEST") or os.path.join(SOURCE, ".sightline/clips/vtest.avi")
DATA = os.environ.get("SIGHTLINE_TEST_DATA", "")

failures = []


def need(path, variable):
    """Ends the test where data is missing: a skip (77), or a failure when it is required."""
    if os.path.exists(path):
        return path
    print(f"skipped: there is no {path or 'data'}; set {variable}")
    sys.exit(1 if os.environ.get("SIGHTLINE_REQUIRE_DATA") == "1" else 77)


def need_model(name="yolox_nano"):
    done = subprocess.run([PROGRAM, "models", "list", "--json"], cwd=SOURCE, capture_output=True, check=True)
    if any(m["model"] == name and m["usable"] for m in json.loads(done.stdout)["models"]):
        return name
    print(f"skipped: the model {name} is not usable here; set SIGHTLINE_MODEL_PATH")
    sys.exit(1 if os.environ.get("SIGHTLINE_REQUIRE_DATA") == "1" else 77)


def check(what, ok, evidence=""):
    print(("ok      " if ok else "FAILED  ") + what + (f": {evidence}" if evidence != "" else ""), flush=True)
    if not ok:
        failures.append(what)


def verdict():
    if failures:
        print(f"{len(failures)} checks failed")
    sys.exit(1 if failures else 0)


@contextlib.contextmanager
def folder():
    path = tempfile.mkdtemp(prefix="sl-accuracy-")
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


class Run:
    """One `sightline run` and what it left."""

    def __init__(self, inputs, out, *settings):
        words = [PROGRAM, "run", *inputs, "-o", out, "--name", "job"]
        for setting in settings:
            words += ["--set", setting]
        done = subprocess.run(words, cwd=SOURCE, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(done.stdout[-2000:], done.stderr[-2000:])
            sys.exit(f"`{' '.join(words)}` ended with {done.returncode}")
        self.folder = os.path.join(out, "job")
        with open(os.path.join(self.folder, "manifest.json"), encoding="utf-8") as text:
            self.manifest = json.load(text)

    def path(self, stream, name):
        return os.path.join(self.folder, stream, name)

    def detections(self, stream):
        with open(self.path(stream, "detections.json"), encoding="utf-8") as text:
            return json.load(text)

    def meta(self, stream, kind="video"):
        return next(o["meta"] for o in self.manifest["outputs"][stream] if o["type"] == kind)
