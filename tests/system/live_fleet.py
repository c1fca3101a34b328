#!/usr/bin/python3
"""A fleet with an RTSP camera: its alerts arrive, and go on whoever of the fleet is killed, each told once."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.environ["SIGHTLINE_SOURCE_DIR"], "tests/support"))
import cameras  # noqa: E402  pylint: disable=wrong-import-position
import fleet as kit  # noqa: E402  pylint: disable=wrong-import-position

RULES = [{"name": "person", "classes": ["person"], "min_score": 0.4, "min_frames": 2, "cooldown_s": 1, "debounce_s": 0.5}]


class LiveFleet(cameras.LiveTest):
    workers = {"ingest": 2, "preprocess": 2, "detect": 2, "annotate": 2}

    @classmethod
    def prepare(cls):
        cls.rtsp = cameras.RtspCamera(cameras.transport_stream(os.path.join(cls.fleet.folder, "a.ts")))
        cls.addClassCleanup(cls.rtsp.kill)

    def setUp(self):
        super().setUp()
        if "gate" not in [c["camera"] for c in self.fleet.request("cameras")["cameras"]]:
            self.add("gate", self.rtsp.url, fps=5, preset="live", params={"rules": RULES}, snapshots=True)
        self.streams("gate")

    def holder(self, lease):
        """The process that has a lease of the camera."""
        worker = self.camera("gate")["worker" if lease == "camera" else "home"]
        return next(w["pid"] for p in self.fleet.request("pools")["pools"] for w in p["workers"] if w["worker"] == worker)

    def detector(self):
        return next(w["pid"] for p in self.fleet.request("pools")["pools"] if p["stage"] == "live/detect" for w in p["workers"])

    def survives(self, pid, stage):
        self.fleet.kill(pid)
        self.alerts_go_on("gate")
        self.assert_told_once("gate")
        self.assert_balanced("gate")
        self.fleet.worker(stage)

    def test_alerts_arrive_with_their_pictures(self):
        alerts = self.alerts_go_on("gate")
        for a in alerts:
            self.assertEqual((a["camera"], a["rule"], a["class_name"]), ("gate", "person", "person"))
            self.assertTrue(a["model"].startswith(kit.default_model()), a)
            self.assertTrue(a["preset"].startswith("live@"), a)
            root, path = a["snapshot"].split(":", 1)
            self.assertEqual(root, "out")
            file = os.path.join(self.fleet.results, path)
            kit.eventually("the picture is written", lambda f=file: os.path.exists(f), 20)
            with open(file, "rb") as picture:
                self.assertEqual(picture.read(2), b"\xff\xd8")
        self.assert_told_once("gate")
        self.assert_balanced("gate")

    def test_the_connection_moves_when_its_worker_is_killed(self):
        before = self.camera("gate")["worker"]
        self.survives(self.holder("camera"), "ingest")
        self.assertNotEqual(self.camera("gate")["worker"], before)

    def test_the_home_moves_when_its_worker_is_killed_and_goes_on_with_its_tracks(self):
        now = self.camera("gate")
        self.survives(self.holder("watch"), "annotate")
        after = self.camera("gate")
        self.assertNotEqual(after["home"], now["home"])
        self.assertGreater(after["session"], now["session"])
        self.assertGreater(after["step"], now["step"])

    def test_a_detector_that_is_killed_costs_its_frames_alone(self):
        self.survives(self.detector(), "detect")

    def test_the_broker_is_killed_and_another_goes_on(self):
        self.fleet.kill(self.fleet.pids("broker")[0])
        self.fleet.broker()
        self.alerts_go_on("gate")
        self.assert_told_once("gate")
        self.assert_balanced("gate")

    def test_the_camera_goes_and_returns(self):
        self.rtsp.kill()
        kit.eventually("it is told", lambda: self.camera("gate")["state"] != "streaming", 30)
        self.rtsp.start()
        self.alerts_go_on("gate")
        kinds = [e["kind"] for e in self.fleet.log("camera.gate")]
        self.assertIn("camera.offline", kinds)
        self.assertEqual(kinds[-1], "camera.online")

    def test_a_worker_that_is_told_to_leave_hands_its_lease_over(self):
        for lease, stage in (("camera", "ingest"), ("watch", "annotate")):
            self.fleet.worker(stage)
            pid = self.holder(lease)
            self.fleet.kill(pid, signal.SIGTERM)
            kit.eventually(f"{stage} {pid} has left", lambda p=pid: kit.started_at(p) is None, 60)
            self.alerts_go_on("gate")
            self.assert_told_once("gate")
            self.assert_balanced("gate")

    def test_batch_work_goes_on_beside_it(self):
        kit.clip(os.path.join(self.fleet.media, "a.mp4"), 12)
        job = self.fleet.submit("a.mp4")
        self.alerts_go_on("gate")
        self.succeed(job)
        self.assert_balanced("gate")

    def test_a_camera_with_labels_waits_for_a_worker_that_has_them(self):
        self.add("north", "synthetic://?fps=5", fps=2, labels={"site": "north"})
        self.addCleanup(lambda: self.fleet.request("camera_remove", camera="north"))
        kit.eventually("it says what it waits for", lambda: any("site=north" in w for w in self.camera("north")["waiting_for"]), 30)
        process = self.fleet._start("ingest", ["worker", "ingest", "--label", "site=north", "--only", "live"])
        now = self.streams("north")
        worker = next(w for p in self.fleet.request("pools")["pools"] for w in p["workers"] if w["worker"] == now["worker"])
        self.assertEqual(worker["pid"], process.pid)
        self.assertNotIn(process.pid, self.fleet.members())  # no batch work

    def test_rules_change_at_once_and_interrupt_nothing(self):
        connects = self.camera("gate")["connects"]
        self.fleet.request("rule_set", of="gate", rule={"name": "crowd", "kind": "count", "classes": ["person"], "limit": 0,
                                                        "min_score": 0.4, "min_frames": 1, "cooldown_s": 0})
        kit.eventually("the new rule tells", lambda: [a for a in self.alerts("gate") if a["rule"] == "crowd"], 60, 0.1)
        self.fleet.request("rule_remove", of="gate", rule="crowd")
        self.assertEqual(self.camera("gate")["connects"], connects)
        # Another camera comes and goes; this one does not notice.
        self.add("other", "synthetic://?fps=5", fps=2)
        self.streams("other")
        self.fleet.request("camera_remove", camera="other")
        self.assertEqual(self.camera("gate")["connects"], connects)
        self.assert_balanced("gate")


if __name__ == "__main__":
    cameras.needs_rtsp()
    cameras.main()
