#!/usr/bin/python3
"""`sightline live`: one camera in one process. Alerts are lines of JSON on stdout, what the camera does is on stderr."""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

sys.path.insert(0, os.path.join(os.environ["SIGHTLINE_SOURCE_DIR"], "tests/support"))
import fleet as kit  # noqa: E402  pylint: disable=wrong-import-position

ZONES = """
zones:
  - {name: square, points: [[0.2, 0.2], [0.9, 0.2], [0.9, 1], [0.2, 1]]}
rules:
  - {name: entered, kind: enter, classes: [person], zone: square, min_score: 0.4, cooldown_s: 0}
  - {name: lingers, kind: dwell, classes: [person], zone: square, dwell_s: 1, min_score: 0.4}
"""


def live(*words, seconds=12, **more):
    return kit.sightline("live", *words, "--model", kit.default_model(), "--duration", str(seconds), cwd=kit.SOURCE, **more)


class Live(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sl-live-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name, text=None):
        path = os.path.join(self.folder, name)
        if text is not None:
            with open(path, "w", encoding="utf-8") as out:
                out.write(text)
        return path

    def alerts(self, done):
        self.assertEqual(done.returncode, 0, done.stderr)
        alerts = [json.loads(line) for line in done.stdout.splitlines()]
        keys = [a["key"] for a in alerts]
        self.assertEqual(len(keys), len(set(keys)))
        return alerts

    def counts(self, done):
        """Of the last line: frames looked at, detected, still, alerts; and what was dropped, by reason."""
        end = re.search(r"end: (\d+) frames looked at, (\d+) detected, (\d+) still, (\d+) alerts; dropped (\{.*\})", done.stderr)
        self.assertTrue(end, done.stderr)
        return *(int(n) for n in end.groups()[:4]), json.loads(end.group(5))

    def test_a_file_is_a_camera_whose_alerts_are_lines_of_json(self):
        done = live(kit.CLIP)
        alerts = self.alerts(done)
        self.assertTrue([a for a in alerts if a["kind"] == "new"], done.stderr)
        for a in alerts:
            self.assertEqual((a["camera"], a["stream"], a["rule"], a["class_name"]), ("camera", "camera", "person", "person"))
            self.assertGreater(a["capture_ns"], 0)
            self.assertGreaterEqual(a["decided_ns"], a["capture_ns"])
            self.assertGreater(a["box"]["track"], 0)
        read, detected, _, told, dropped = self.counts(done)
        self.assertGreater(detected, 0)
        self.assertEqual(told, len(alerts))
        self.assertGreaterEqual(read, detected + sum(dropped.values()))
        self.assertIn("camera: streaming", done.stderr)

    def test_alerts_are_as_their_schema_says(self):
        try:
            import jsonschema  # pylint: disable=import-outside-toplevel
        except ImportError:
            self.skipTest("python3-jsonschema is not installed")
        with open(os.path.join(kit.SOURCE, "schema/json/alert.schema.json"), encoding="utf-8") as file:
            schema = json.load(file)
        alerts = self.alerts(live(kit.CLIP, "--zones", self.path("zones.yaml", ZONES)))
        self.assertTrue({"entered", "lingers"} & {a["rule"] for a in alerts}, alerts)
        for a in alerts:
            jsonschema.validate(a, schema)
            self.assertEqual(a["zone"], "square")

    def test_nothing_moves_so_nothing_is_detected_but_now_and_then(self):
        done = live("synthetic://?boxes=0&fps=10", "--fps", "10", seconds=6)
        self.assertEqual(self.alerts(done), [])
        read, detected, still, _, _ = self.counts(done)
        self.assertGreater(still, 10)
        self.assertLess(detected, read / 4)
        done = live("synthetic://?boxes=0&fps=10", "--fps", "10", "--all", seconds=6)
        _, detected, still, _, _ = self.counts(done)
        self.assertEqual(still, 0)
        self.assertGreater(detected, 4)

    def test_annotated_frames_in_a_file_that_plays(self):
        path = self.path("live.mp4")
        self.alerts(live(kit.CLIP, "--show", f"file:{path}", seconds=8))
        self.assertGreater(kit.frames_in(path), 5)

    def test_annotated_frames_for_a_browser(self):
        with subprocess.Popen([kit.PROGRAM, "live", kit.CLIP, "--model", kit.default_model(), "--show", "mjpeg:0"], cwd=kit.SOURCE,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            try:
                where = re.search(r"http://\S+", process.stderr.readline()).group(0)
                with urllib.request.urlopen(where, timeout=60) as page:
                    self.assertIn(b"/stream", page.read())
                with urllib.request.urlopen(where + "frame.jpg", timeout=60) as picture:
                    self.assertEqual(picture.headers["Content-Type"], "image/jpeg")
                    self.assertEqual(picture.read(2), b"\xff\xd8")
                with urllib.request.urlopen(where + "stream", timeout=60) as stream:
                    self.assertIn("multipart/x-mixed-replace", stream.headers["Content-Type"])
                    data = b""
                    while data.count(b"--frame") < 3:
                        data += stream.read(4096)
                begun = time.monotonic()
                process.send_signal(signal.SIGINT)
                self.assertEqual(process.wait(60), 0)
                self.assertLess(time.monotonic() - begun, 30)
            finally:
                if process.poll() is None:
                    process.kill()

    def test_mistakes_are_told_and_credentials_are_not(self):
        for words, text in ((["rtsp://admin:pass%21word@127.0.0.1/x"], "secret"), (["nothing/here.mp4"], "url"),
                            ([kit.CLIP, "--show", "hologram"], "mjpeg:PORT"), ([kit.CLIP, "--show", "window"], "opens no windows"),
                            ([kit.CLIP, "--zones", self.path("z.yaml", "zones: [{name: a}]")], "points"),
                            ([kit.CLIP, "--preset", "nothing"], "preset")):
            done = live(*words, seconds=2)
            self.assertNotEqual(done.returncode, 0, words)
            self.assertIn(text, done.stderr)
            self.assertNotIn("word", done.stdout + done.stderr.replace("password", ""))

    def test_a_camera_that_never_came_is_a_failure_with_its_reason(self):
        done = live("rtsp://127.0.0.1:9/x", seconds=3)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("refused", done.stderr)


if __name__ == "__main__":
    kit.main()
