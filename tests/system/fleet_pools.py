#!/usr/bin/python3
"""Pools in mid-job: drained, reloaded with another configuration, refused one, scaled: no chunk is lost, the bytes are the same."""
import os
import sys

sys.path.insert(0, os.path.join(os.environ["SIGHTLINE_SOURCE_DIR"], "tests/support"))
import fleet as kit  # noqa: E402  pylint: disable=wrong-import-position


class Pools(kit.FleetTest):
    workers = {"detect": 1, "annotate": 2}

    @classmethod
    def prepare(cls):
        kit.clip(os.path.join(cls.fleet.media, "a.mp4"), 24)
        job = cls.fleet.submit("a.mp4")
        if cls.fleet.follow(job)["state"] != "succeeded":
            raise AssertionError("an undisturbed job did not succeed")
        cls.reference = kit.digests(cls.fleet.folder_of(job))

    def pool(self, stage):
        return next(p for p in self.fleet.request("pools")["pools"] if p["stage"] == stage)

    def workers_of(self, stage):
        return {w["worker"]: w for w in self.pool(stage)["workers"]}

    def whole(self, job):
        self.succeed(job)
        self.assert_same(self.fleet.folder_of(job), self.reference)

    def test_a_drained_home_hands_back_and_leaves(self):
        one = sorted(self.workers_of("annotate"))[0]
        pid = self.workers_of("annotate")[one]["pid"]
        job = self.fleet.submit("a.mp4")
        self.fleet.midway(job)
        self.fleet.ended.add(pid)
        self.assertEqual(self.fleet.request("drain", worker=one, deadline_s=20)["workers"], [one])
        kit.eventually("the drained worker leaves", lambda: one not in self.workers_of("annotate"), 30)
        self.whole(job)
        left = [e for e in self.fleet.log("pool.annotate") if e["body"].get("worker") == one]
        self.assertEqual([e["kind"] for e in left], ["worker.joined", "worker.left"])
        self.fleet.worker("annotate")

    def test_a_pool_is_reloaded_worker_by_worker_without_losing_a_chunk(self):
        job = self.fleet.submit("a.mp4")
        self.fleet.midway(job)
        for stage in ("preprocess", "detect", "annotate"):
            old = self.workers_of(stage)
            pool = self.pool(stage)["pool"]
            self.assertEqual(sorted(self.fleet.request("reload", pool=pool, deadline_s=20)["workers"]), sorted(old))
            with self.assertRaises(kit.Refused) as again:
                self.fleet.request("reload", pool=pool)
            self.assertEqual(again.exception.code, "CONFLICT")
            kit.eventually(f"{pool} is back", lambda s=stage, o=old: not set(o) & set(self.workers_of(s)) and self.pool(s)["state"] == "ready"
                           and len(self.workers_of(s)) == len(o), 60)
            # The same processes, begun again.
            self.assertEqual({w["pid"] for w in old.values()}, {w["pid"] for w in self.workers_of(stage).values()})
        self.whole(job)

    def test_a_configuration_that_cannot_be_served_is_refused_and_the_worker_goes_on(self):
        with open(self.fleet.config, encoding="utf-8") as file:
            good = file.read()
        before = self.workers_of("preprocess")
        try:
            with open(self.fleet.config, "w", encoding="utf-8") as file:
                file.write(good + "\nnonsense: {a: 1}\n")
            self.fleet.request("reload", pool="preprocess")
            kit.eventually("the reload is refused", lambda: "nonsense" in self.pool("preprocess")["last_error"], 30)
        finally:
            with open(self.fleet.config, "w", encoding="utf-8") as file:
                file.write(good)
        self.assertEqual(self.pool("preprocess")["state"], "ready")
        self.assertEqual(set(before), set(self.workers_of("preprocess")))
        self.whole(self.fleet.submit("a.mp4"))

    def test_orders_that_make_no_sense_are_refused(self):
        for fields, code in (({"type": "drain"}, "INVALID_PARAMS"), ({"type": "drain", "pool": "nobody"}, "NOT_FOUND"),
                             ({"type": "drain", "pool": "detect", "deadline_s": -1}, "INVALID_PARAMS"),
                             ({"type": "reload", "pool": "nobody"}, "NOT_FOUND")):
            with self.assertRaises(kit.Refused) as refused:
                self.fleet.client.request(**fields)
            self.assertEqual(refused.exception.code, code, fields)


if __name__ == "__main__":
    kit.main()
