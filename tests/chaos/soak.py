"""A fleet under churn for a while: memory and file descriptors of those that stay, and what slope they have.

The first worker of each stage and both brokers stay; others are killed, drained, started anew, and their number
goes up and down. Jobs flow all the time.
"""
import os
import random
import shutil
import signal
import time
from dataclasses import dataclass, field

import campaign
import fleet as kit
import load as loads
import rig as rigs
import witness as witnesses

WORKERS = {"ingest": 2, "preprocess": 2, "detect": 2, "annotate": 2, "alert": 1}
MEASURES = ("rss_kb", "pss_kb", "fds")
BOUND = {"rss_kb": 1024, "fds": 2}  # a minute, at most
SLACK = {"rss_kb": 24 * 1024, "fds": 20}  # over the whole, whatever its length: allocators breathe, ingest keeps 16 inputs open


@dataclass
class Series:
    name: str
    pid: int
    samples: list = field(default_factory=list)  # (minutes, {measure: value})

    def slope(self, measure, after):
        """Least squares: units a minute, of samples after so many minutes."""
        points = [(t, v[measure]) for t, v in self.samples if t >= after]
        n = len(points)
        if n < 2:
            return 0.0
        mean_t, mean_v = sum(t for t, _ in points) / n, sum(v for _, v in points) / n
        square = sum((t - mean_t) ** 2 for t, _ in points)
        return sum((t - mean_t) * (v - mean_v) for t, v in points) / square if square else 0.0


def sample(pid):
    """{measure: value} of a process; None when it is gone."""
    values = {}
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
            for line in file:
                if line.startswith(("Rss:", "Pss:")):
                    values[line[:3].lower() + "_kb"] = int(line.split()[1])
        values["fds"] = len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return None
    return values


class Churn:
    """Ends, starts, adds and drains workers that are not the first of their stage."""

    def __init__(self, rig, witness, seed):
        self.rig = rig
        self.witness = witness
        self.client = loads.Client(rig.endpoints)
        self.random = random.Random(f"soak {seed}")
        self.asked = set()
        self.count = 0

    def turn(self):
        stage = self.random.choice(["ingest", "preprocess", "detect", "annotate"])
        living = [n for n in self.rig.alive(stage) if not n.endswith("-1")]
        what = self.random.choice(["kill", "term", "drain", "start"]) if living else "start"
        if what == "start" and len(living) >= 3:
            what = "term"
        if what == "start":
            free = next(i for i in range(2, 9) if f"{stage}-{i}" not in self.rig.alive(stage) and self._ended(f"{stage}-{i}"))
            self.rig.launch(f"{stage}-{free}")
        else:
            process = self.rig.processes[self.random.choice(sorted(living))]
            worker = next((w for w, m in list(self.witness.members.items()) if m["pid"] == process.pid), "")
            self.asked.add(process.pid)
            if what == "kill":
                process.kill()
            elif what == "drain" and worker:
                self._drain(worker)
            else:
                process.signal(signal.SIGTERM)
        self.count += 1

    def _drain(self, worker):
        try:
            self.client.request(limit_s=10, type="drain", worker=worker)
        except kit.Refused as e:
            if e.code not in ("CONFLICT", "NOT_FOUND"):  # it is on its way out already
                raise

    def _ended(self, name):
        return name not in self.rig.processes or not self.rig.processes[name].alive()


def run(minutes, seed, say=lambda text: None):
    """Says {minutes, jobs, churn, processes: [{name, slopes, first, last}], violated: [sentence]}."""
    # Little is kept, so that what is kept is soon all there is.
    rig = rigs.Rig(WORKERS, retention={"jobs": 20, "log_entries": 1000})
    witness = load = churn = None
    try:
        loads.make_inputs(rig.media)
        rig.start()
        witness = witnesses.Witness(rig)
        witness.start()
        load = loads.Load(rig.endpoints, witness, seed, 3)
        load.start()
        kit.eventually("the first jobs end", lambda: len(witness.ended) >= 3, 180, 0.1)
        churn = Churn(rig, witness, seed)
        staying = [n for n in rig.brokers + rig.workers if n.endswith("-1") or n in rig.brokers]
        series = [Series(n, rig.processes[n].pid) for n in staying + ["redis"]]
        begun = time.monotonic()
        churn_at = 0
        done = set()
        while (now := (time.monotonic() - begun) / 60) < minutes:
            for s in series:
                values = sample(s.pid)
                if values:
                    s.samples.append((now, values))
            if now * 60 >= churn_at:
                churn.turn()
                churn_at = now * 60 + churn.random.uniform(1, 4)
                say(f"{now:.1f} of {minutes:g} minutes, {len(witness.ended)} jobs, {churn.count} changes of workers")
            for job in witness.quiet - done:  # the disk is small
                shutil.rmtree(os.path.join(rig.results, job), ignore_errors=True)
                done.add(job)
            if load.error:
                raise AssertionError(f"the client that submits failed: {load.error}")
            time.sleep(min(1, minutes))  # the distance of samples
        load.finish()
        kit.eventually("the last jobs end", lambda: load.acknowledged.keys() <= witness.ended.keys(), 120, 0.1)
        violated = [f"job {j} ended as {k}" for j, k in witness.ended.items() if k != "job.succeeded"]
        violated += [f"{name} ended with status {status}: …{end[-300:]}" for name, status, end in rig.unasked(churn.asked)]
        return {"minutes": minutes, "seed": seed, "jobs": len(witness.ended), "churn": churn.count, **judged(series, minutes, violated)}
    finally:
        for thread in (load, witness):
            if thread:
                thread.enough.set()
        if churn:
            churn.client.close()
        rig.remove()


def judged(series, minutes, violated):
    """Slopes of the last three quarters, and those that are not flat. Redis holds the jobs: reported, not judged."""
    after = minutes / 4
    processes = []
    for s in series:
        slopes = {m: s.slope(m, after) for m in MEASURES}
        processes.append({"name": s.name, "samples": len(s.samples), "a_minute": slopes,
                          "first": s.samples[0][1], "last": s.samples[-1][1], "most": {m: max(v[m] for _, v in s.samples) for m in MEASURES}})
        for m, bound in BOUND.items():
            grown = slopes[m] * (minutes - after)
            if s.name != "redis" and grown > max(bound * (minutes - after), SLACK[m]):
                violated.append(f"{s.name}: {m} rises by {slopes[m]:.1f} a minute, {grown:.0f} in {minutes - after:.1f} minutes")
    return {"processes": processes, "violated": violated}


def markdown(result):
    """The table for people."""
    lines = [f"{result['minutes']:g} minutes, seed {result['seed']}: {result['jobs']} jobs, {result['churn']} changes of workers; {campaign.machine()}.", "",
             "| process | RSS, first → last (most) | RSS a minute | PSS a minute | descriptors, first → last (most) | a minute |",
             "|---|---:|---:|---:|---:|---:|"]
    for p in result["processes"]:
        first, last, most, slope = p["first"], p["last"], p["most"], p["a_minute"]
        lines.append(f"| {p['name']} | {first['rss_kb'] / 1024:.1f} → {last['rss_kb'] / 1024:.1f} MB ({most['rss_kb'] / 1024:.1f}) "
                     f"| {slope['rss_kb'] / 1024:+.2f} MB | {slope['pss_kb'] / 1024:+.2f} MB "
                     f"| {first['fds']} → {last['fds']} ({most['fds']}) | {slope['fds']:+.2f} |")
    return "\n".join(lines)
