#!/usr/bin/python3
"""PostgreSQL away for a whole minute, ended and then frozen, while jobs run: they go on, health and events say so,
and when it is back every row is there once, in order per job. The broker ends promptly beside a frozen one, and
nothing of the trail is lost by that.
"""
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.environ["SIGHTLINE_SOURCE_DIR"], "tests/support"))
import fleet as kit  # noqa: E402  pylint: disable=wrong-import-position

AWAY_S = 60
KINDS = ["job.queued", "job.started", "job.succeeded"]


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


class PostgresMinute(kit.FleetTest):
    workers = {"detect": 1, "annotate": 1}

    @classmethod
    def prepare(cls):
        kit.clip(os.path.join(cls.fleet.media, "a.mp4"), 4)

    def postgres(self):
        return self.fleet.processes["postgres"]

    def part(self, name):
        return {p["name"]: p for p in self.fleet.request("health")["parts"]}[name]

    def told(self, kind):
        return [e for e in self.fleet.log("broker.") if e["kind"] == kind]

    def work(self, seconds):
        """Jobs one after the other for so long; each submit and each look is answered promptly. Says the jobs."""
        jobs, slowest, end = [], 0.0, time.monotonic() + seconds
        while time.monotonic() < end or not jobs:
            begun = time.monotonic()
            jobs.append(self.fleet.submit("a.mp4"))
            small = self.fleet.request("submit", pipeline="noop", preset="noop")["job"]
            self.fleet.request("cancel", job=small)
            slowest = max(slowest, time.monotonic() - begun)
            self.succeed(jobs[-1])
        return jobs, slowest

    def check_rows(self, jobs):
        """When the trail has everything: each job's events once and in order, and just what the log holds."""
        last = lambda: self.fleet.request("ping")["events_last"]  # noqa: E731
        position = lambda: subprocess.run(  # noqa: E731
            ["psql", "-XqAt", "-d", self.fleet.settings["postgres"]["dsn"], "-c", "SELECT epoch || '-' || n FROM sightline.position"],
            capture_output=True, text=True, check=True, timeout=30).stdout.strip()
        kit.eventually("the trail has everything", lambda: position() == last(), 60, 0.1)
        rows = self.fleet.audit()
        ids = [(r["epoch"], r["n"]) for r in rows]
        self.assertEqual(ids, sorted(set(ids)))
        for job in jobs:
            kinds = [r["kind"] for r in rows if r["job"] == job and r["topic"].endswith(".state")]
            self.assertEqual(kinds, KINDS, job)
        log = [(e["id"], e["kind"], e["job"]) for e in self.fleet.log() if e["kind"] != "job.progress"]
        whole = []  # the rows as the log tells them, small jobs one by one
        for r in rows:
            if r["topic"] == "jobs.noop":
                whole += [(f"{r['epoch']}-{r['n']}", "job." + r["kind"].split(".")[1], j) for j in r["body"]["jobs"]]
            else:
                whole.append((f"{r['epoch']}-{r['n']}", r["kind"], r["job"]))
        self.assertEqual(whole[-len(log):], log)

    def test_1_ended_for_a_minute(self):
        before = self.fleet.job(self.fleet.submit("a.mp4"))["job"]
        self.succeed(before)
        with open(f"/proc/{self.postgres()}/cmdline", "rb") as file:
            command = file.read().decode().split("\0")[:-1]
        status = os.stat(f"/proc/{self.postgres()}")
        away, back = len(self.told("audit.away")), len(self.told("audit.back"))
        self.fleet.kill(self.postgres(), signal.SIGQUIT)
        kit.eventually("PostgreSQL is gone", lambda: kit.started_at(self.postgres()) is None, 30)
        jobs, _ = self.work(AWAY_S)
        self.assertFalse(self.part("audit")["ok"], "health says so")
        self.assertTrue(self.fleet.request("health")["admitting"], "nothing is refused meanwhile")
        self.assertEqual(len(self.told("audit.away")), away + 1)
        log = open(os.path.join(self.fleet.folder, "postgres.log"), "w", encoding="utf-8")
        with log:
            again = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.fleet.state, user=status.st_uid, group=status.st_gid)
        self.fleet.started.append(("postgres", again))
        self.fleet.processes["postgres"] = again.pid
        self.fleet.born["postgres"] = kit.started_at(again.pid)
        kit.eventually("health says that it is back", lambda: self.part("audit")["ok"], 60, 0.1)
        kit.eventually("and so do the events", lambda: len(self.told("audit.back")) == back + 1, 20, 0.1)
        self.check_rows([before, *jobs])

    def freeze(self):
        everybody = [self.postgres(), *children_of(self.postgres())]
        for pid in everybody:
            os.kill(pid, signal.SIGSTOP)

        def go_on():
            for pid in everybody:
                try:
                    os.kill(pid, signal.SIGCONT)
                except ProcessLookupError:
                    pass  # a connection's, which ended
        self.addCleanup(go_on)
        return go_on

    def test_2_frozen_for_a_minute(self):
        known = len(self.told("audit.away"))
        go_on = self.freeze()
        jobs, slowest = self.work(AWAY_S)
        self.assertFalse(self.part("audit")["ok"], "a frozen one is away, too")
        self.assertEqual(len(self.told("audit.away")), known + 1)
        print(f"the slowest submit beside a frozen PostgreSQL: {slowest:.2f} s")
        go_on()
        kit.eventually("health says that it is back", lambda: self.part("audit")["ok"], 60, 0.1)
        self.check_rows(jobs)

    def test_3_the_broker_ends_beside_a_frozen_one(self):
        go_on = self.freeze()
        job = self.fleet.submit("a.mp4")
        self.succeed(job)
        kit.eventually("it is noticed", lambda: not self.part("audit")["ok"], 30, 0.1)
        broker = self.fleet.pids("broker")[0]
        self.fleet.kill(broker, signal.SIGTERM)
        # As long as the trail gets (2 s) and a connection that is being made (3 s), not the minutes of a TCP connection.
        kit.eventually("the broker ends", lambda: kit.started_at(broker) is None, 30)
        self.fleet.broker()
        self.fleet.client.close()
        self.fleet.client = kit.Client(self.fleet.endpoint)
        later = self.fleet.submit("a.mp4")
        self.succeed(later)
        go_on()
        self.check_rows([job, later])


if __name__ == "__main__":
    kit.main()
