#!/usr/bin/python3
"""A fleet that looks after itself: two brokers and all workers under one supervisor, killed, drained, scaled.

  supervisor ── broker-1, broker-2 (one leads)
             └─ ingest, preprocess, detect, annotate, alert
"""
import json
import os
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.environ["SIGHTLINE_SOURCE_DIR"], "tests", "support"))
import fleet as kit  # noqa: E402
from fleet import PROGRAM, clip, eventually, sightline  # noqa: E402


class Supervised(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fleet = kit.Fleet(restart=True, brokers=2, detect=1)
        clip(os.path.join(cls.fleet.media, "long.mp4"), 30)

    @classmethod
    def tearDownClass(cls):
        state = cls.fleet.state
        pids = [p["pid"] for p in cls.processes()]
        cls.fleet.down()
        left = [pid for pid in pids if kit.started_at(pid) is not None]
        assert not left, f"processes that outlived the fleet in {state}: {left}"

    @classmethod
    def processes(cls):
        return json.loads(sightline("status", "--state", cls.fleet.state, "--json").stdout)["processes"]

    def of(self, name):
        return next((p for p in self.processes() if p["name"] == name), None)

    def run_ok(self, *words):
        done = sightline(*words, env=self.fleet.env)
        self.assertEqual(done.returncode, 0, f"{words}: {done.stdout}{done.stderr}")
        return done.stdout

    def test_a_killed_worker_is_started_again_and_its_job_ends_well(self):
        job = self.fleet.submit("long.mp4")
        self.fleet.midway(job)
        for name, number, cause in (("annotate-1", signal.SIGKILL, "signal 9 (Killed)"),
                                    ("detect-1", signal.SIGSEGV, "signal 11 (Segmentation fault)")):
            before = self.of(name)
            worker = self.fleet.id_of(before["pid"])
            os.kill(before["pid"], number)
            after = eventually(f"{name} is back", lambda n=name, b=before: (p := self.of(n))["pid"] != b["pid"] and p["alive"] and p)
            self.assertEqual((after["restarts"], after["last_cause"]), (before["restarts"] + 1, cause))
            lost = eventually("its end is told", lambda w=worker: [e for e in self.fleet.log("pool.") if e["body"]["worker"] == w
                                                                 and e["kind"] in ("worker.lost", "worker.crashed")])
            self.assertEqual(lost[0]["kind"] == "worker.crashed", number == signal.SIGSEGV, lost)
            eventually(f"{name} has joined", lambda p=after["pid"]: self.fleet.id_of(p))
        self.assertEqual(self.fleet.follow(job)["state"], "succeeded")

    def test_scale_waits_until_it_is_so(self):
        self.run_ok("scale", "detect=3")
        detect = [w for w in self.fleet.members().values() if w[1] == "detect"]
        self.assertEqual(len(detect), 3)
        youngest = self.of("detect-3")["pid"]
        self.run_ok("scale", "detect=1")
        self.assertIsNone(kit.started_at(youngest))
        eventually("one is left", lambda: [w[1] for w in self.fleet.members().values()].count("detect") == 1)
        refused = sightline("scale", "detect=many", env=self.fleet.env)
        self.assertEqual(refused.returncode, 2, refused.stderr)

    def test_who_was_drained_stays_away_until_the_fleet_is_scaled(self):
        self.run_ok("pools", "drain", "alert", "--wait")
        eventually("it left", lambda: self.of("alert-1")["state"] == "left")
        self.assertEqual(self.of("alert-1")["last_cause"], "left")
        self.run_ok("scale", "alert=1")
        self.assertEqual([w[1] for w in self.fleet.members().values()].count("alert"), 1)

    def test_a_follower_misses_nothing_and_hears_nothing_twice_when_the_leader_is_killed(self):
        script = subprocess.Popen([sys.executable, os.path.join(kit.SOURCE, "scripts/alerts.py"), "--broker", self.fleet.endpoint],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (script.kill(), script.communicate()))
        self.assertEqual(script.stderr.readline().strip(), "subscribed")
        done = subprocess.Popen([PROGRAM, "submit", os.path.join(self.fleet.media, "long.mp4"), "--watch", "--json"], env=self.fleet.env,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        lines = [json.loads(done.stdout.readline())]
        job = lines[0]["job"]
        self.fleet.midway(job)
        epoch = self.fleet.request("ping")["epoch"]
        for name in ("broker-1", "broker-2"):  # the standby, which is started again, and the leader
            before = self.of(name)
            os.kill(before["pid"], signal.SIGKILL)
            eventually(f"{name} is back", lambda n=name, b=before: self.of(n)["alive"] and self.of(n)["pid"] != b["pid"])
        eventually("another leads", lambda: self.fleet.request("ping")["epoch"] > epoch)
        out, err = done.communicate(timeout=180)
        self.assertEqual(done.returncode, 0, err)
        lines += map(json.loads, out.splitlines())
        heard = [e["body"]["alert"] for e in lines if e["kind"] == "alert"]
        kept = [e["body"]["alert"] for e in self.fleet.log("alert.") if e["body"]["job"] == job]
        self.assertTrue(kept)
        self.assertEqual(sorted(heard), sorted(kept))
        printed = [json.loads(script.stdout.readline()) for _ in kept]
        self.assertEqual(sorted(a["alert"] for a in printed if a["job"] == job), sorted(kept))
        self.assertEqual([e["kind"] for e in lines if e["kind"] in ("job.started", "job.succeeded")], ["job.started", "job.succeeded"])


if __name__ == "__main__":
    kit.main()
