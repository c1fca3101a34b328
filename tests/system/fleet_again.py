#!/usr/bin/python3
"""A job that failed is retried and ends with the same bytes; ended jobs are removed, with their results if asked."""
import os
import sys

sys.path.insert(0, os.path.join(os.environ["SIGHTLINE_SOURCE_DIR"], "tests/support"))
import fleet as kit  # noqa: E402  pylint: disable=wrong-import-position


class Again(kit.FleetTest):
    quick = {"sample_fps": 1}

    @classmethod
    def prepare(cls):
        cls.path = kit.clip(os.path.join(cls.fleet.media, "a.mp4"), 24)
        job = cls.fleet.submit("a.mp4")
        if cls.fleet.follow(job)["state"] != "succeeded":
            raise AssertionError("an undisturbed job did not succeed")
        cls.reference = kit.digests(cls.fleet.folder_of(job))

    def work_of(self, job):
        return os.path.join(self.fleet.results, ".work", job)

    def parts_before(self, job, chunk):
        """Files of the chunks before this one; none when the job was swept."""
        try:
            names = os.listdir(os.path.join(self.work_of(job), "parts/0"))
        except FileNotFoundError:
            names = []
        return {name for name in names if int(name.split(".")[0]) < chunk}

    def test_retry(self):
        with open(self.path, "rb") as file:
            whole = file.read()
        job = self.fleet.submit("a.mp4")
        self.fleet.midway(job, 2)
        with open(self.path, "r+b") as file:  # the same file, as ingest has it open
            file.truncate(len(whole) // 4)
        failed = self.fleet.follow(job)
        with open(self.path, "r+b") as file:
            file.write(whole)
        self.assertEqual(failed["state"], "failed")
        self.assertGreaterEqual(len(failed["dead"]), 1, failed)
        dead = min(d["seq"] for d in failed["dead"])
        self.assertTrue(all(d["causes"] for d in failed["dead"]))
        frames = failed["reconciliation"]["streams"][0]["ingest"]
        self.assertTrue(failed["reconciliation"]["balanced"], failed["reconciliation"])
        self.assertEqual((frames["in"], frames["out"]), (240, 20 * dead))
        self.assertEqual(kit.frames_in(os.path.join(self.fleet.folder_of(job), "a.mp4/video.mp4")), 20 * dead)
        kept = self.parts_before(job, dead)
        self.assertEqual(len({name.split(".")[0] for name in kept}), dead)

        self.assertEqual(self.fleet.request("retry", job=job)["state"], "running")
        kit.eventually("the job goes on", lambda: self.fleet.job(job)["chunks_done"] > dead)
        self.assertLessEqual(self.parts_before(job, dead), kept)  # what was done is not done again
        now = self.succeed(job, swept=True)
        self.assertEqual((now["retries"], now["dead"]), (1, []))
        self.assert_same(self.fleet.folder_of(job), self.reference)
        self.assertFalse(os.path.exists(self.work_of(job)))
        with self.assertRaises(kit.Refused) as refused:
            self.fleet.request("retry", job=job)
        self.assertEqual(refused.exception.code, "CONFLICT")
        alerts = [e["body"]["alert"] for e in self.fleet.log("alert.") if e["job"] == job]
        self.assertEqual(len(alerts), len(set(alerts)))

    def gone(self, job):
        try:
            self.fleet.job(job)
        except kit.Refused as refused:
            return refused.code == "NOT_FOUND"
        return False

    def test_forget(self):
        one, two = (self.fleet.submit("a.mp4", params=self.quick) for _ in range(2))
        for job in (one, two):
            self.succeed(job)
        listed = self.fleet.request("prune", dry_run=True)["jobs"]
        self.assertLessEqual({one, two}, set(listed))
        self.assertEqual(self.fleet.request("prune", older_than_s=3600)["jobs"], [])
        self.fleet.request("forget", job=one, results=True)
        kit.eventually("the job is gone", lambda: self.gone(one))
        self.assertFalse(os.path.exists(self.fleet.folder_of(one)) or os.path.exists(self.work_of(one)))
        self.fleet.request("forget", job=two)
        kit.eventually("the other one, too", lambda: self.gone(two))
        self.assertTrue(os.path.exists(self.fleet.folder_of(two)))
        self.assertFalse(os.path.exists(self.work_of(two)))
        self.assertEqual([e["kind"] for e in self.fleet.log(f"job.{one}.state")][-1], "job.forgotten")
        running = self.fleet.submit("a.mp4")
        with self.assertRaises(kit.Refused) as refused:
            self.fleet.request("forget", job=running)
        self.assertEqual(refused.exception.code, "CONFLICT")
        self.succeed(running)


if __name__ == "__main__":
    kit.main()
