#!/usr/bin/python3
"""Workers come, go and die in mid-job: nothing is lost, nothing is counted twice, the bytes are the same.

  ingest ─▶ preprocess ─▶ detect ─▶ annotate      one of each is killed while a job runs, and replaced
"""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.environ["SIGHTLINE_SOURCE_DIR"], "tests/support"))
import fleet as kit  # noqa: E402  pylint: disable=wrong-import-position


class Workers(kit.FleetTest):
    workers = {"detect": 1}

    @classmethod
    def prepare(cls):
        kit.clip(os.path.join(cls.fleet.media, "a.mp4"), 24)
        job = cls.fleet.submit("a.mp4")
        if cls.fleet.follow(job)["state"] != "succeeded":
            raise AssertionError("an undisturbed job did not succeed")
        cls.reference = kit.digests(cls.fleet.folder_of(job))
        cls.counters = cls.fleet.job(job)["streams"][0]["counters"]

    def whole(self, job):
        """The job's end, its bytes and its numbers are those of an undisturbed one."""
        now = self.succeed(job)
        self.assert_same(self.fleet.folder_of(job), self.reference)
        self.assertEqual(now["streams"][0]["counters"], self.counters)
        return now

    def test_detect_process_joins_a_running_job(self):
        job = self.fleet.submit("a.mp4")
        self.fleet.midway(job)
        more = self.fleet.worker("detect")
        worker = self.fleet.id_of(more.pid)
        now = self.whole(job)
        pool = next(p for p in now["workers"] if p.startswith("detect/"))
        self.assertGreater(now["workers"][pool].get(worker, 0), 0, now["workers"])

    def killed(self, stage):
        job = self.fleet.submit("a.mp4")
        self.fleet.midway(job)
        for pid in self.fleet.pids(stage):
            worker = self.fleet.id_of(pid)
            self.fleet.kill(pid)
            kit.eventually(f"{stage} {pid} is declared lost", lambda p=pid: not self.fleet.id_of(p), 20)
            lost = [e for e in self.fleet.log("pool.") if e["kind"] == "worker.lost" and e["body"]["worker"] == worker]
            self.assertEqual(len(lost), 1)
        self.fleet.worker(stage)
        self.whole(job)

    def test_ingest_killed(self):
        self.killed("ingest")

    def test_preprocess_killed(self):
        self.killed("preprocess")

    def test_detect_killed(self):
        self.killed("detect")

    def test_annotate_killed(self):
        self.killed("annotate")

    def test_one_of_each_killed_in_one_job(self):
        job = self.fleet.submit("a.mp4")
        for chunks, stage in enumerate(("annotate", "preprocess", "detect", "ingest"), 1):
            self.fleet.midway(job, chunks)
            self.fleet.kill(self.fleet.pids(stage)[0])
            self.fleet.worker(stage)
        self.whole(job)

    def drained(self, stage):
        """SIGTERM on a busy worker: it ends by itself with 0, having lost nothing; nobody has to miss it first."""
        first = self.fleet.worker(stage)
        worker = self.fleet.id_of(first.pid)
        job = self.fleet.submit("a.mp4")
        kit.eventually(f"the {stage} worker is busy", lambda: any(
            w["worker"] == worker and w["state"] == "busy" for p in self.fleet.request("pools")["pools"] for w in p["workers"]), every_s=0.005)
        self.fleet.kill(first.pid, signal.SIGTERM)
        self.assertEqual(first.wait(30), 0)
        self.whole(job)
        said = [e["kind"] for e in self.fleet.log("pool.") if e["body"]["worker"] == worker]
        self.assertEqual(said, ["worker.joined", "worker.left"])

    def test_busy_detect_leaves(self):
        self.drained("detect")

    def test_busy_annotate_leaves(self):
        self.drained("annotate")

    def test_the_only_annotate_leaves(self):
        job = self.fleet.submit("a.mp4")
        self.fleet.midway(job)
        for pid in self.fleet.pids("annotate"):
            self.fleet.kill(pid, signal.SIGTERM)
            kit.eventually("it has left", lambda p=pid: kit.started_at(p) is None, 30)
        waiting = self.fleet.job(job)
        self.assertEqual((waiting["state"], waiting["waiting_for"]), ("running", ["annotate"]))
        self.fleet.worker("annotate")
        self.whole(job)

    def test_ten_jobs_at_once(self):
        jobs = [self.fleet.submit("a.mp4", params={"sample_fps": 2, "exporters": ["json", "csv"]}) for _ in range(10)]
        first_end = None
        progressed = set()
        while first_end is None:
            now = {j["job"]: j for j in self.fleet.request("jobs", limit=20)["jobs"] if j["job"] in jobs}
            progressed |= {j for j in jobs if now[j]["chunks_done"] > 0}
            first_end = next((j for j in jobs if now[j]["state"] in kit.TERMINAL), None)
        self.assertEqual(len(progressed), 10, "each job got somewhere before the first one ended")
        for job in jobs:
            self.assertEqual(self.succeed(job)["chunks_done"], 12)
        same = [kit.digests(self.fleet.folder_of(job)) for job in jobs]
        self.assertTrue(all(d == same[0] for d in same))


if __name__ == "__main__":
    kit.main()
