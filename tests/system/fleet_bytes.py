#!/usr/bin/python3
"""The same bytes: `sightline run` against a fleet, 1 against 4 detect processes, one time against the next.

Artifacts are compared by SHA-256, the manifest but for its job id, alerts as events but for the job.
"""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.environ["SIGHTLINE_SOURCE_DIR"], "tests/support"))
import fleet as kit  # noqa: E402  pylint: disable=wrong-import-position

FILES = ["detections.csv", "detections.json", "detections.vtt", "sheet.png", "tracks.json", "video.mp4"]


def alerts_of(events, job):
    """What is said of a job's alerts, in order, without the job and the time."""
    bodies = [dict(e["body"]) for e in events if e["kind"] == "alert" and e["job"] == job]
    for body in bodies:
        body.pop("job")
        body.pop("decided_ns")  # by the clock
        for field in ("alert", "key"):
            body[field] = body[field].removeprefix(job + "-")
    return sorted(bodies, key=lambda b: b["stream"])  # their order is that of their stream


class Bytes(kit.FleetTest):
    workers = {"detect": 1}
    maxDiff = None

    @classmethod
    def prepare(cls):
        kit.clip(os.path.join(cls.fleet.media, "a.mp4"), 16)
        kit.clip(os.path.join(cls.fleet.media, "sub/b.mp4"), 4, start=30)
        cls.out = os.path.join(cls.fleet.folder, "run")
        cls.reference, cls.alerts = cls.run_once("one")

    @classmethod
    def run_once(cls, name):
        done = kit.sightline("run", cls.fleet.media, "-o", cls.out, "--name", name, "--json")
        if done.returncode != 0:
            raise AssertionError(f"run: status {done.returncode}: {done.stderr}")
        with open(os.path.join(cls.out, "audit.jsonl"), encoding="utf-8") as file:
            return kit.digests(os.path.join(cls.out, name)), alerts_of(map(json.loads, file), name)

    def in_fleet(self):
        job = self.fleet.submit(".")
        now = self.succeed(job)
        self.assert_same(self.fleet.folder_of(job), self.reference)
        self.assertEqual(alerts_of(self.fleet.log("alert."), job), self.alerts)
        return now

    def test_reference_is_whole(self):
        self.assertEqual(sorted(self.reference), sorted(["manifest.json"] + [f"{v}/{f}" for v in ("a.mp4", "sub/b.mp4") for f in FILES]))
        self.assertGreater(len(self.alerts), 0)
        self.assertEqual(kit.frames_in(os.path.join(self.out, "one/a.mp4/video.mp4")), 160)

    def test_run_twice(self):
        again, alerts = self.run_once("two")
        self.assertEqual(again, self.reference)
        self.assertEqual(alerts, self.alerts)

    def test_fleet_with_one_and_four_detect_processes(self):
        def detect(now):
            return next(workers for pool, workers in now["workers"].items() if pool.startswith("detect/"))

        self.assertEqual(len(detect(self.in_fleet())), 1)
        for _ in range(3):
            self.fleet.worker("detect")
        counters = detect(self.in_fleet())
        self.assertGreaterEqual(len([n for n in counters.values() if n > 0]), 2, counters)

    def test_another_pool_beside(self):
        # A pool that has no part in the job leaves no trace in its results.
        other = self.fleet.worker("detect", model="hog_people")
        self.addCleanup(self.fleet.kill, other.pid)
        self.in_fleet()


if __name__ == "__main__":
    kit.main()
