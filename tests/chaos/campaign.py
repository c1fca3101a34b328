"""A whole campaign: a fleet, its undisturbed run, the load, the faults, the audit, the table. For scripts/chaos
and the tests of it."""
import os
import platform
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

import adversary as adversaries
import auditor as auditors
import fleet as kit
import load as loads
import rig as rigs
import table as tables
import witness as witnesses

WORKERS = {"ingest": 1, "preprocess": 2, "detect": 2, "annotate": 3, "alert": 1}


@dataclass
class Outcome:
    findings: list  # [(check, sentence)]
    faults: list
    table: dict = None
    jobs: Counter = field(default_factory=Counter)  # by work
    seconds: float = 0
    folder: str = ""  # when it was kept


def undisturbed(rig, witness, auditor):
    """Each work once, by itself: what it must give for ever after. Says the jobs, and CPU seconds by stage."""
    client = loads.Client(rig.endpoints)
    try:
        def joined():
            pools = client.request(type="pools")["pools"]
            return sum(len(p["workers"]) for p in pools if not p["stage"].startswith("live/")) == len(rig.workers)
        kit.eventually("all workers join", joined, 120, 0.1)
        before = cpu_by_stage(rig)
        jobs = {}
        for work, _, _ in loads.WORK:
            jobs[client.request(type="submit", key=f"undisturbed-{work}", **loads.submit_fields(work))["job"]] = work
        kit.eventually("the undisturbed jobs are swept", lambda: jobs.keys() <= witness.quiet, 300, 0.1)
        after = cpu_by_stage(rig)
    finally:
        client.close()
    for job, work in jobs.items():
        auditor.learn(job, work)
    if len([a for e in auditor.expected.values() for a in e["alerts"]]) == 0:
        raise AssertionError("no undisturbed job gave an alert: nothing could be lost")
    return jobs, {s: after[s] - before[s] for s in after}


def cpu_by_stage(rig):
    used = Counter()
    for p in rig.processes.values():
        used[p.stage] += p.cpu_s()
    return used


def run(kills, seed, kinds=None, work=None, off="", pace_s=1.0, patience_s=90, settle_s=180, stages=rigs.STAGES, many=3, keep=None, say=lambda text: None):
    """Runs a campaign and says its Outcome. `off`: a protection that the brokers switch off (proof_test.py).
    `keep`: a folder that is left with logs, stores and results."""
    begun = time.monotonic()
    kinds = list(kinds or adversaries.KINDS)
    if keep:
        os.makedirs(keep, exist_ok=True)
    rig = rigs.Rig(WORKERS, off=off, folder=keep)
    shm = auditors.shared_memory(rig)
    witness = prober = load = None
    try:
        loads.make_inputs(rig.media)
        rig.start()
        witness = witnesses.Witness(rig)
        prober = witnesses.Prober(rig.endpoints)
        auditor = auditors.Auditor(rig, witness)
        witness.start()
        prober.start()
        say("undisturbed run")
        jobs, cpu = undisturbed(rig, witness, auditor)

        load = loads.Load(rig.endpoints, witness, seed, many, work)
        load.start()

        def look():
            for job in sorted(witness.quiet - auditor.audited):
                if job in load.acknowledged and witness.ended.get(job) == "job.succeeded":
                    auditor.compare(job, load.acknowledged[job])
            if load.error:
                raise AssertionError(f"the client that submits failed: {load.error}")

        evil = adversaries.Adversary(rig, witness, seed, pace_s, patience_s, stages, look)
        cards = adversaries.deck(kills, seed, kinds)
        say(f"{kills} faults, seed {seed}")
        try:
            evil.campaign(cards, lambda f: say(f"{f.n}/{kills} {f.kind} {f.target}{' held' if f.held else ''} {f.note}"))
            say("waiting for the last jobs")
            load.finish()
        except AssertionError as e:  # the audit says what became of the rest
            auditor.found("the fleet goes on", str(e))
            load.enough.set()
            evil.calm()
        jobs.update(load.acknowledged)
        settle(jobs, witness, auditor, evil, settle_s)
        prober.finish()
        witness.finish()
        auditor.audit(jobs, set(witness.redis.jobs()))
        auditor.check_files(jobs)
        auditor.check_living(evil.asked)
        auditor.check_ended(rig.finish(), shm)
        value = tables.Table(rig, witness, prober, evil, cpu).value()
        if value["held_share"] < adversaries.HELD_SHARE:
            auditor.found("the faults hit", f"only {value['held_share']:.0%} of the faults hit a process that held a lease")
        return Outcome(auditor.findings, evil.faults, value, Counter(jobs.values()), time.monotonic() - begun, keep or "")
    finally:
        for thread in (load, prober, witness):
            if thread:
                thread.enough.set()
        rig.remove(keep is not None)


def settle(jobs, witness, auditor, evil, limit_s):
    """Until every job was swept, every alert delivered and every row written; what is not in time, the audit finds."""
    end = time.monotonic() + limit_s
    quiet = lambda: jobs.keys() <= witness.quiet and auditor.audited_to_the_end() and not auditor.undelivered()  # noqa: E731
    while time.monotonic() < end and not quiet():
        evil.wait(0.2)
    evil.turn()


def print_progress(who, text):
    """One line that is overwritten on a terminal, lines of a log elsewhere."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{who}: {text}", end="", file=sys.stderr, flush=True)
    else:
        print(f"{who}: {text}", file=sys.stderr, flush=True)


def machine():
    """What was measured, and where."""
    version = subprocess.run([kit.PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    return f"{os.cpu_count()} CPUs, {platform.system()} {platform.release()}, load {os.getloadavg()[1]:.1f}; {version}"


def record(name, text):
    """Puts the text between the marks of this name in bench/RESULTS.md."""
    path = os.path.join(kit.SOURCE, "bench/RESULTS.md")
    with open(path, encoding="utf-8") as file:
        before, rest = file.read().split(f"<!-- {name}: begin -->\n")
    after = rest.split(f"<!-- {name}: end -->")[1]
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{before}<!-- {name}: begin -->\n{text}\n<!-- {name}: end -->{after}")


def test_main():
    """Runs the tests of a file; status 77 when something that they need is not here (root, for one)."""
    why = rigs.missing()
    if why:
        print("skipped:", why)
        sys.exit(1 if os.environ.get("SIGHTLINE_REQUIRE_DATA") == "1" else 77)
    kit.main()
