#!/usr/bin/python3
"""Two fleets side by side on one machine: once on the same Redis and PostgreSQL under different names, once with
everything of their own. Neither sees, takes or ends what is the other's.
"""
import json
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.environ["SIGHTLINE_SOURCE_DIR"], "tests/support"))
import fleet as kit  # noqa: E402  pylint: disable=wrong-import-position


class Second(kit.Fleet):
    """A second fleet, on the stores of the first."""

    def __init__(self, first, name):  # pylint: disable=super-init-not-called
        self.first = first
        self.folder = os.path.join(first.folder, name)
        self.media, self.results, self.state = first.media, os.path.join(self.folder, "results"), os.path.join(self.folder, "none")
        self.started, self.ended, self.processes, self.born, self.client = [], set(), {}, {}, None
        os.makedirs(os.path.join(self.folder, "run"))
        os.makedirs(self.results)
        settings = json.loads(json.dumps(first.settings))
        settings["fleet"]["name"] = name
        settings["roots"]["out"] = self.results
        self.endpoint = "ipc://" + os.path.join(self.folder, "run", "b")
        settings["broker"] = {"endpoint": self.endpoint, "run_dir": os.path.join(self.folder, "run")}
        self.settings = settings
        self.config = os.path.join(self.folder, "fleet.yaml")
        with open(self.config, "w", encoding="utf-8") as out:
            json.dump(settings, out)
        self.client = kit.Client(self.endpoint)
        self.broker()
        for stage in ("ingest", "preprocess", "detect", "annotate", "alert"):
            self.worker(stage)


class TwoFleets(kit.FleetTest):
    workers = {"detect": 1}

    @classmethod
    def prepare(cls):
        kit.clip(os.path.join(cls.fleet.media, "a.mp4"), 8)
        job = cls.fleet.submit("a.mp4")
        if cls.fleet.follow(job)["state"] != "succeeded":
            raise AssertionError("an undisturbed job did not succeed")
        cls.reference = kit.digests(cls.fleet.folder_of(job))

    def both(self, other):
        """Jobs of both at once: the same bytes; each knows, tells and keeps its own alone."""
        fleets = [self.fleet, other]
        jobs = [fleet.request("submit", inputs=[{"root": "media", "path": "a.mp4"}], key="the same key")["job"] for fleet in fleets]
        self.assertNotEqual(*jobs)
        for fleet, job in zip(fleets, jobs):
            now = fleet.follow(job)
            self.assertEqual(now["state"], "succeeded", now.get("error"))
            self.assert_same(fleet.folder_of(job), self.reference)
        for fleet, mine, theirs in ((self.fleet, *jobs), (other, *reversed(jobs))):
            self.assertRaises(kit.Refused, fleet.job, theirs)
            self.assertNotIn(theirs, [j["job"] for j in fleet.request("jobs")["jobs"]])
            told = {e["job"] for e in fleet.log("job.")}
            self.assertIn(mine, told)
            self.assertNotIn(theirs, told)
            self.assertEqual(len(fleet.members()), 5)
        return jobs

    def test_on_the_same_stores(self):
        other = Second(self.fleet, "second")
        try:
            jobs = self.both(other)
            # One end of the fleet is not the other's: its broker dies, and the first one's work goes on.
            other.kill(other.pids("broker")[0])
            job = self.fleet.submit("a.mp4")
            self.succeed(job)
            other.broker()
            self.assertEqual(other.job(jobs[1])["state"], "succeeded")
            self.assertRaises(kit.Refused, other.job, job)
            self.assertEqual(other.dead(), [])
        finally:
            other.client.close()
            other.client = None
            for _, process in reversed(other.started):
                process.terminate()
            for _, process in other.started:
                process.wait(20)
        self.assertEqual(self.fleet.request("ping")["fleet"], "default")

    def test_with_everything_of_its_own(self):
        other = kit.Fleet(detect=1)
        try:
            shutil.copy(os.path.join(self.fleet.media, "a.mp4"), other.media)
            self.both(other)
        finally:
            other.down()
        self.succeed(self.fleet.submit("a.mp4", params={"sample_fps": 1}))


if __name__ == "__main__":
    kit.main()
