"""Says what a fleet's end holds against its promises: Redis, PostgreSQL and the files, by the documents alone
(schema/PROTOCOL.md, schema/redis/KEYS.md, schema/postgres/*.sql). Shares no code with the broker.

Each finding is (check, sentence). No finding: nothing was lost, nothing was done twice.
"""
import json
import os
import shutil
import subprocess
from collections import Counter

import fleet as kit
from witness import TERMINAL_KINDS

CHECKS = ("the same bytes", "frames balance", "no chunk committed twice", "no job lost", "audit exactly once and in order",
          "one end a job, its last event", "alerts exactly once", "no innocent is struck", "nothing left behind", "nobody died unasked",
          "the fleet goes on", "the faults hit")


class Auditor:
    """`expected`: {work: Undisturbed}."""

    def __init__(self, rig, witness):
        self.rig = rig
        self.witness = witness
        self.expected = {}
        self.findings = []
        self.audited = set()  # jobs whose results were compared and removed

    def found(self, check, sentence):
        assert check in CHECKS
        self.findings.append((check, sentence))

    # --- what an undisturbed run gives

    def learn(self, job, work):
        """Keeps what this job, which nobody disturbed, gave."""
        if self.witness.ended.get(job) != "job.succeeded":
            raise AssertionError(f"the undisturbed job {job} ({work}) ended as {self.witness.ended.get(job)}")
        self.expected[work] = {
            "files": kit.digests(os.path.join(self.rig.results, job)),
            "alerts": sorted(a.removeprefix(job) for a in self._alerts_of(job)),
            "frames": {s: record["info"]["frames"] for s, record in self._streams_of(job).items()},
            "chunks": {s: record["chunks"] for s, record in self._streams_of(job).items()},
        }
        self.compare(job, work)

    def _alerts_of(self, job):
        return [json.loads(e.body)["alert"] for e in self.witness.entries if e.kind == "alert" and e.job == job]

    def _streams_of(self, job):
        return {stream: record for (j, stream), record in self.witness.counters.items() if j == job}

    # --- job by job, when its records say no more

    def compare(self, job, work):
        """The results of an ended job; they are removed, for the disk is small."""
        folder = os.path.join(self.rig.results, job)
        expected = self.expected[work]["files"]
        got = kit.digests(folder)
        self.audited.add(job)
        for path in sorted(expected.keys() | got.keys()):
            if expected.get(path) != got.get(path):
                why = "is missing" if path not in got else "should not be there" if path not in expected else "differs"
                self.found("the same bytes", f"job {job} ({work}): {path} {why}")
        shutil.rmtree(folder, ignore_errors=True)

    def _check_job(self, job, work):
        expected = self.expected[work]
        kind = self.witness.ended.get(job)
        if kind != "job.succeeded":
            why = [e.body for e in self.witness.entries if e.job == job and e.kind == kind]
            self.found("no job lost", f"job {job} ({work}) " + (f"ended as {kind}: {why[0]}" if kind else "never ended"))
            return
        if job not in self.audited:
            self.found("no job lost", f"job {job} ({work}) was never swept")
        streams = self._streams_of(job)
        for stream, frames in expected["frames"].items():
            record = streams.get(stream, {"counters": {"read": 0, "annotated": 0, "dropped": {}}, "done": 0})
            c = record["counters"]
            if not (c["read"] == frames == c["annotated"] + sum(c["dropped"].values())):
                self.found("frames balance", f"job {job} ({work}) stream {stream} of {frames} frames: {c}")
            if record["done"] != expected["chunks"][stream]:
                self.found("no chunk committed twice", f"job {job} ({work}) stream {stream}: {record['done']} chunks done of {expected['chunks'][stream]}")
        self._check_account(job, work, expected)
        total, last = sum(expected["chunks"].values()), 0
        for e in self.witness.entries:
            if e.job == job and e.kind == "job.progress":
                done = json.loads(e.body)["chunks_done"]
                if not last <= done <= min(total, last + 1):
                    self.found("no chunk committed twice", f"job {job} ({work}): progress of {done} chunks after {last}, of {total}")
                last = done
        alerts = self._alerts_of(job)
        if sorted(a.removeprefix(job) for a in alerts) != expected["alerts"]:
            self.found("alerts exactly once", f"job {job} ({work}): {len(alerts)} alerts, {len(set(alerts))} different; undisturbed {len(expected['alerts'])}")

    def _check_account(self, job, work, expected):
        account = self.witness.accounts.get(job)
        if not account or not account["balanced"] or len(account["streams"]) != len(expected["frames"]):
            self.found("frames balance", f"job {job} ({work}): the account is {account}")
            return
        for stream, a in enumerate(account["streams"]):
            for stage in ("ingest", "preprocess", "detect", "annotate"):
                if a[stage]["in"] != a[stage]["out"] + sum(a[stage]["dropped"].values()):
                    self.found("frames balance", f"job {job} ({work}) stream {stream} {stage}: {a[stage]}")
            if not expected["frames"][stream] == a["ingest"]["in"] == a["annotate"]["out"]:
                self.found("frames balance", f"job {job} ({work}) stream {stream} of {expected['frames'][stream]} frames: {a}")

    # --- at the end

    def audit(self, acknowledged, known):
        """All checks but what is left behind. acknowledged: {job: work}; known: jobs that Redis holds."""
        for job, work in acknowledged.items():
            self._check_job(job, work)
        for job in sorted(acknowledged.keys() - known):
            self.found("no job lost", f"job {job} was acknowledged, and Redis does not have it")
        for job in sorted(known - acknowledged.keys()):
            self.found("no job lost", f"Redis holds the job {job}, which no client was told of: a submit was taken twice")
        for text in sorted(self.witness.claims):
            self.found("no chunk committed twice" if text.startswith("chunk") else "one end a job, its last event", text)
        for e in self.witness.entries:
            if e.kind in ("job.strike", "job.dead"):
                self.found("no innocent is struck", f"{e.topic}: {e.body}")
        self._check_ends(acknowledged)
        self._check_trail()
        self._check_delivered()

    def _check_ends(self, acknowledged):
        ends, after = Counter(), {}
        for e in self.witness.entries:
            if e.job and ends[e.job]:
                after.setdefault(e.job, e)
            if e.kind in TERMINAL_KINDS:
                ends[e.job] += 1
        for job in acknowledged:
            if ends[job] != 1:
                self.found("one end a job, its last event", f"job {job} has {ends[job]} terminal events")
        for job, e in after.items():
            self.found("one end a job, its last event", f"job {job}: {e.kind} {e.epoch}-{e.n} after its end")

    def rows(self):
        """Rows of the audit trail by id: [(epoch, n, transaction, topic, kind, job, body)]."""
        done = subprocess.run(["psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.rig.dsn, "-c",
                               "SELECT json_build_array(epoch, n, xmin::text::bigint, topic, kind, job, body) FROM sightline.audit ORDER BY epoch, n"],
                              capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            return None
        return [tuple(json.loads(line)) for line in done.stdout.splitlines()]

    def audited_to_the_end(self):
        """Is the last row that the log wants in the trail?"""
        wanted = [e for e in self.witness.entries if e.audit]
        rows = self.rows()
        return rows is not None and bool(rows) and (not wanted or (wanted[-1].epoch, wanted[-1].n) in {r[:2] for r in rows})

    def _check_trail(self):
        rows = self.rows()
        if rows is None:
            return self.found("audit exactly once and in order", "the audit trail cannot be read")
        wanted = {(e.epoch, e.n): e for e in self.witness.entries if e.audit}
        times = Counter(r[:2] for r in rows)
        name = "audit exactly once and in order"
        for at, n in times.items():
            if n > 1:
                self.found(name, f"the event {at[0]}-{at[1]} has {n} rows")
            if at not in wanted:
                self.found(name, f"the row {at[0]}-{at[1]} is of no event of the log")
        missing = wanted.keys() - times.keys()
        if missing:
            self.found(name, f"{len(missing)} of {len(wanted)} events have no row, the first {min(missing)}")
        last = {}
        for epoch, n, transaction, topic, kind, job, body in rows:
            if transaction < last.get(job, 0):
                self.found(name, f"job '{job}': the row {epoch}-{n} was written before one of a lower id")
            last[job] = transaction
            e = wanted.get((epoch, n))
            if e and (e.topic, e.kind, e.job, json.loads(e.body)) != (topic, kind, job, body):
                self.found(name, f"the row {epoch}-{n} is not what the log says: {kind} {body}")

    def _check_delivered(self):
        """The alert stage's target, a file: it has every alert once."""
        lines = []
        if os.path.exists(self.rig.alerts):
            with open(self.rig.alerts, encoding="utf-8", errors="replace") as file:
                lines = [json.loads(line)["alert"] for line in file if line.endswith("}\n")]
        logged = [json.loads(e.body)["alert"] for e in self.witness.entries if e.kind == "alert"]
        for alert, n in (Counter(logged) - Counter(set(logged))).items():
            self.found("alerts exactly once", f"the log has {alert} {n + 1} times")
        for alert, n in (Counter(lines) - Counter(logged)).items():
            self.found("alerts exactly once", f"{alert} was delivered {n} times too often")
        for alert in set(logged) - set(lines):
            self.found("alerts exactly once", f"{alert} was never delivered")

    def undelivered(self):
        """How many alerts of the log the target does not have yet."""
        if not os.path.exists(self.rig.alerts):
            lines = []
        else:
            with open(self.rig.alerts, encoding="utf-8", errors="replace") as file:
                lines = [json.loads(line)["alert"] for line in file if line.endswith("}\n")]
        return len({json.loads(e.body)["alert"] for e in self.witness.entries if e.kind == "alert"} - set(lines))

    def check_files(self, acknowledged):
        """After all was swept: below the results' root there is nothing but the results that are still to be looked at."""
        found = {}
        for at, _, names in os.walk(self.rig.results):
            below = os.path.relpath(at, self.rig.results).split(os.sep)
            if below[0] in acknowledged and below[0] not in self.audited:
                continue
            if below != ["."] or names:
                found.setdefault(os.sep.join(below[:2]), []).extend(names)
        for folder, names in found.items():
            self.found("nothing left behind", f"below the results: {folder}" + (f" with {len(names)} files, like {names[0]}" if names else ""))

    def check_living(self, asked):
        """Before anybody is asked to end."""
        for name, status, end in self.rig.unasked(asked):
            self.found("nobody died unasked", f"{name} ended with status {status}: …{end[-400:]}")

    def check_ended(self, late, shm_before):
        """After everybody was asked to end."""
        for name in late:
            self.found("nothing left behind", f"{name} did not end when it was asked to")
        for pid in (p for p in os.listdir("/proc") if p.isdigit() and int(p) != os.getpid()):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if self.rig.folder.encode() + b"/" in file.read():
                        self.found("nothing left behind", f"process {pid}")
            except OSError:
                pass  # it ended meanwhile
        with open("/proc/net/unix", encoding="utf-8", errors="replace") as file:
            for line in file:
                if self.rig.folder in line:
                    self.found("nothing left behind", f"an open socket: {line.split()[-1]}")
        for name in os.listdir(self.rig.run):
            self.found("nothing left behind", f"a socket file in the run folder: {name}")
        for name in sorted(shared_memory(self.rig) - shm_before):
            self.found("nothing left behind", f"shared memory: {name}")


def shared_memory(rig):
    """Shared memory that is ours by name, or System V's made by a process of the rig."""
    ours = {f"/dev/shm/{n}" for n in os.listdir("/dev/shm") if "sightline" in n or n.startswith("sl-")}
    pids = {p.pid for p in rig.everyone}
    with open("/proc/sysvipc/shm", encoding="utf-8") as file:
        for line in list(file)[1:]:
            fields = line.split()
            if int(fields[4]) in pids:
                ours.add(f"System V segment {fields[1]} of process {fields[4]}")
    return ours
