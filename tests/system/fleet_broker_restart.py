#!/usr/bin/python3
"""The broker may die: killed in mid-job and started again, it knows the job from Redis, and it finishes.

Same bytes as an undisturbed job; every audit event is in PostgreSQL once and in order; a subscriber and the
log agree with it.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.environ["SIGHTLINE_SOURCE_DIR"], "tests/support"))
import fleet as kit  # noqa: E402  pylint: disable=wrong-import-position


class BrokerRestart(kit.FleetTest):
    workers = {"detect": 2, "annotate": 2}

    @classmethod
    def prepare(cls):
        kit.clip(os.path.join(cls.fleet.media, "a.mp4"), 24)
        job = cls.fleet.submit("a.mp4")
        if cls.fleet.follow(job)["state"] != "succeeded":
            raise AssertionError("an undisturbed job did not succeed")
        cls.reference = kit.digests(cls.fleet.folder_of(job))
        cls.kinds = [e["kind"] for e in cls.fleet.log() if e["job"] == job and e["kind"] != "job.progress"]

    def restart(self):
        self.fleet.kill(self.fleet.pids("broker")[0])
        broker = self.fleet.broker()
        self.fleet.client.close()
        self.fleet.client = kit.Client(self.fleet.endpoint)
        return broker

    def check_audit(self, job):
        """Each event of the job once, in order, the end last; the trail is what the log holds."""
        kept = lambda: [e for e in self.fleet.log() if e["job"] == job and e["kind"] != "job.progress"]
        rows = kit.eventually("the audit trail has the job's end",
                              lambda: (lambda r: r if r and r[-1]["kind"] == "job.succeeded" else None)(self.fleet.audit(f"job = '{job}'")))
        self.assertEqual([r["kind"] for r in rows], self.kinds)
        ids = [(r["epoch"], r["n"]) for r in rows]
        self.assertEqual(ids, sorted(set(ids)))
        self.assertEqual([(f"{r['epoch']}-{r['n']}", r["topic"], r["kind"]) for r in rows],
                         [(e["id"], e["topic"], e["kind"]) for e in kept()])
        alerts = [r["body"]["alert"] for r in rows if r["kind"] == "alert"]
        self.assertEqual(len(alerts), len(set(alerts)))

    def test_killed_in_mid_job(self):
        epoch = self.fleet.request("ping")["epoch"]
        before = set(self.fleet.members())
        job = self.fleet.submit("a.mp4", tags={"who": "me"}, priority=7)
        seen = self.fleet.midway(job, 2)
        self.restart()
        known = self.fleet.job(job)
        self.assertEqual((known["tags"], known["priority"], known["state"]), ({"who": "me"}, 7, "running"))
        self.assertGreaterEqual(known["chunks_done"], seen["chunks_done"])  # what was told is not taken back
        self.assertGreater(self.fleet.request("ping")["epoch"], epoch)
        now = self.succeed(job)
        self.assertEqual(now["chunks_done"], now["chunks_total"])
        self.assert_same(self.fleet.folder_of(job), self.reference)
        self.check_audit(job)
        self.assertEqual(set(self.fleet.members()), before)  # the same workers, none started anew

    def test_killed_at_every_turn(self):
        # As soon as it is known, between scan and first chunk, in the middle, while it is being joined.
        job = self.fleet.submit("a.mp4")
        for chunks in (0, 1, 6):
            if chunks:
                self.fleet.midway(job, chunks)
            self.restart()
            self.assertIn(job, [j["job"] for j in self.fleet.request("jobs")["jobs"]])
        kit.eventually("the last chunk is done", lambda: (lambda j: j["chunks_total"] and j["chunks_done"] == j["chunks_total"])(self.fleet.job(job)), every_s=0.002)
        self.restart()
        self.succeed(job)
        self.assert_same(self.fleet.folder_of(job), self.reference)
        self.check_audit(job)
        swept = self.fleet.follow(job, swept=True)
        self.assertTrue(swept["swept"])
        self.assertFalse(os.path.exists(os.path.join(self.fleet.results, ".work", job)))

    def test_submit_that_is_not_answered(self):
        # The same key is the same job, also for the broker that did not see the first request.
        ask = {"type": "submit", "key": "k-1", "inputs": [{"root": "media", "path": "a.mp4"}], "params": {"sample_fps": 1}}
        first = self.fleet.client.request(**ask)["job"]
        self.restart()
        self.assertEqual(self.fleet.client.request(**ask)["job"], first)
        self.succeed(first)

    def test_ended_jobs_are_known(self):
        job = self.fleet.submit("a.mp4", params={"sample_fps": 1})
        ended = self.succeed(job, swept=True)
        self.restart()
        again = self.fleet.job(job)
        for field in ("state", "ended_ns", "streams", "frames_done", "chunks_done"):
            self.assertEqual(again[field], ended[field], field)
        self.assertIn("manifest", self.fleet.request("artifacts", job=job))


if __name__ == "__main__":
    kit.main()
