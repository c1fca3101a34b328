"""The table of a campaign: what was done, how soon it was noticed and mended, and what it cost.

Times come from outside or from what the broker logged and published, never from the adversary's wishes:
  declared   SIGKILL of a worker → the time of its event worker.lost
  released   SIGKILL of a worker → each lease that it held is granted again (the broker's log line `leased`)
  repaired   SIGKILL of a worker → a home asks again for pieces that it had asked for before (log line `fetched`
             of a token for the second time); only where a home had to. What was lost and not asked for then falls
             to the backstop, 15 s later: those are counted (`pieces_overdue`)
  fail-over  the leading broker is ended or stopped → the first answer of a broker with a higher epoch
Kills of workers near trouble of a broker, of Redis or of the disk (from 2 s before it until 3 s after it was over)
count as faults, and not for these times: there is nobody then who could notice. A fail-over counts when Redis was
there. "With spare capacity": leases count when another worker of the stage was left alone; there is room for all chunks at
every home.
"""
import math
from collections import Counter

from adversary import KINDS

AMONG = ("kill-broker", "stop-broker", "restart-broker", "kill-redis", "disk")
LATER_S = 20


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, math.ceil(share * len(values)) - 1)] if values else None


class Table:
    """`cpu`: {stage: CPU seconds of the undisturbed run}; `worked`: the prober's."""

    def __init__(self, rig, witness, prober, adversary, cpu):
        self.rig = rig
        self.witness = witness
        self.prober = prober
        self.faults = adversary.faults
        self.cpu = cpu
        self.leased = rig.log_lines("broker", "leased")
        self.fetched = rig.log_lines("broker", "fetched")

    def undisturbed(self, fault, kinds):
        """Did this fault come alone, as far as `kinds` are concerned?"""
        return not any(other.kind in kinds and other is not fault
                       and other.time_ns - 2_000_000_000 < fault.time_ns < (other.until_ns or other.time_ns) + 3_000_000_000
                       for other in self.faults)

    def times(self):
        """{name: [seconds]}."""
        found = {"declared": [], "released": [], "repaired": []}
        for fault in self.faults:
            if fault.kind != "kill" or not self.undisturbed(fault, AMONG):
                continue
            lost = [t for t, kind in self.witness.gone.get(fault.pid, []) if kind == "worker.lost"]
            if not lost:
                continue
            found["declared"].append((lost[0] - fault.time_ns) / 1e9)
            if self._spare(fault):
                found["released"] += [t for t in (self._granted(fault, lease) for lease in fault.leases) if t is not None]
            again = self._asked_again(fault, found["declared"][-1])
            if again is not None and fault.target.split("-")[0] in ("ingest", "preprocess", "detect"):
                found["repaired"].append(again)
        found["fail-over"] = [t for t in map(self.fail_over, self.faults) if t is not None]
        return found

    def _spare(self, fault):
        """Was there, in the two seconds after, another worker of its stage that nobody struck?"""
        stage = fault.target.split("-")[0]
        others = {n for n in self.rig.workers if n.split("-")[0] == stage and n != fault.target}
        struck = {f.target for f in self.faults if f.time_ns < fault.time_ns + 2_000_000_000
                  and (f.until_ns or f.time_ns) + 1_000_000_000 > fault.time_ns}
        return bool(others - struck)

    def _granted(self, fault, lease):
        for line in self.leased:
            f, seconds = line["fields"], line["time_ms"] / 1e3 - fault.time_ns / 1e9
            if 0 <= seconds < LATER_S and (f["unit"], f["job"]) == (lease.unit, lease.job) and int(f["attempt"]) > lease.attempt \
                    and (lease.unit != "chunk" or (int(f["stream"]), int(f["seq"])) == (lease.stream, lease.seq)):
                return seconds
        return None

    def _asked_again(self, fault, lost_s):
        """The first question for pieces that had been asked for before, within a second of the loss: homes ask at
        once when they hear of it. None: nothing of the dead had to be asked for."""
        before = set()
        for line in self.fetched:
            f, seconds = line["fields"], line["time_ms"] / 1e3 - fault.time_ns / 1e9
            token = (f["job"], f["stream"], f["seq"], f["attempt"])
            if seconds < lost_s:
                before.add(token)
            elif seconds < lost_s + 1 and token in before:
                return seconds
        return None

    def fail_over(self, fault):
        """Seconds; None when it is none, or Redis was away, too."""
        if fault.kind not in ("kill-broker", "stop-broker", "restart-broker") or not self.undisturbed(fault, ("kill-redis",)):
            return None
        later = [t for epoch, t in self.prober.first.items() if epoch > fault.epoch and t > fault.time_ns]
        return (min(later) - fault.time_ns) / 1e9 if later else None

    def repeated(self):
        """Items worked beyond what was needed, by stage, in chunks; and all of them weighted by what a chunk costs
        a stage of the undisturbed run's CPU time. An item counts whole also when part of it was wanted."""
        needed, done = Counter(), Counter()
        for (job, _, _), row in self.witness.rows.items():
            needed[job, "preprocess"] += 1
            needed[job, "annotate"] += 1
            needed[job, "detect"] += row["batches"] if any(j == job and p.startswith("detect/") for j, p, _ in self.prober.worked) else 0
        for (job, pool, _), n in self.prober.worked.items():
            done[job, pool.split("/")[0]] += n
        for job in {j for j, _ in needed}:
            needed[job, "annotate"] += 2  # final and sweep
        chunks = len(self.witness.rows) or 1
        total = sum(self.cpu[s] for s in ("preprocess", "detect", "annotate")) or 1
        by_stage = {}
        for stage in ("preprocess", "detect", "annotate"):
            extra = sum(max(0, done[job, s] - needed[job, s]) for job, s in needed if s == stage)
            items = sum(n for (_, s), n in needed.items() if s == stage)
            by_stage[stage] = extra * chunks / (items or 1)  # items of a stage → chunks
        return by_stage, sum(by_stage[s] * self.cpu[s] / total for s in by_stage)

    def false_releases(self):
        """Leases taken from workers that lived, were never stopped and whose connections were not cut. A lease that
        a broker recorded and did not live to tell its holder of was never held, and is none of these."""
        told = {(f["holder"], f["unit"], f["job"], f.get("stream", "-1"), f.get("seq", "0")) for f in (line["fields"] for line in self.leased)}
        found = []
        for line in self.rig.log_lines("broker", "lease_lost", "worker.lost"):
            f = line["fields"]
            if line["event"] == "lease_lost" and (f["holder"], f["unit"], f["job"], f["stream"], f["seq"]) not in told:
                continue
            member = self.witness.members.get(f.get("holder") or f.get("worker"))
            if not member:
                continue
            at = line["time_ms"] * 1_000_000
            struck = [x for x in self.faults if x.pid == member["pid"] and x.time_ns - 100_000_000 <= at
                      and (x.kind in ("kill", "restart") or not x.until_ns or at < x.until_ns + 3_000_000_000)]
            if not struck:
                found.append(f"{line['event']} {line['text']}")
        return found

    def value(self):
        """All of it, as JSON has it."""
        kinds, held = Counter(f.kind for f in self.faults), Counter(f.kind for f in self.faults if f.held)
        times = self.times()
        by_stage, repeated = self.repeated()
        struck = sum(not f.kind.endswith("postgres") for f in self.faults)  # which costs nobody any work
        return {
            "faults": {k: {"count": kinds[k], "held": held[k]} for k in KINDS if kinds[k]},
            "held_share": sum(held.values()) / max(1, len(self.faults)),
            "times_s": {name: {"n": len(v), "p50": percentile(v, 0.5), "p99": percentile(v, 0.99), "max": max(v, default=None)}
                        for name, v in times.items()},
            "repeated_chunks": {**by_stage, "all": repeated}, "repeated_per_fault": repeated / max(1, struck),
            "false_releases": self.false_releases(), "chunks": len(self.witness.rows),
            "fail_overs_s": {f.n: t for f in self.faults for t in [self.fail_over(f)] if t is not None},
            "overdue": len(self.rig.log_lines("annotate", "pieces_overdue")), "leases_over": sum(max(0, n - 1) for n in self.witness.attempts.values()),
        }


TARGETS = {"declared": 1.0, "released": 1.0, "repaired": 1.0, "fail-over": 2.0}
WHAT = {"declared": "killed worker → declared lost", "released": "killed worker → its leases granted again",
        "repaired": "killed worker → its pieces asked for again", "fail-over": "leader gone → a standby answers"}


def markdown(value):
    """The table for people: two tables, and lines under them."""
    lines = ["| fault | count | held a lease |", "|---|---:|---:|"]
    lines += [f"| {k} | {v['count']} | {v['held']} |" for k, v in value["faults"].items()]
    total = sum(v["count"] for v in value["faults"].values())
    lines += [f"| **all** | {total} | {value['held_share']:.0%} (at least 80 %) |", "",
              "| time | n | p50 | p99 | longest | target (p99) | |", "|---|---:|---:|---:|---:|---:|---|"]
    for name, v in value["times_s"].items():
        if v["n"]:
            verdict = "met" if v["p99"] <= TARGETS[name] else "**missed**"
            lines.append(f"| {WHAT[name]} | {v['n']} | {v['p50']:.2f} s | {v['p99']:.2f} s | {v['max']:.2f} s | {TARGETS[name]:.0f} s | {verdict} |")
    r = value["repeated_chunks"]
    lines += ["", f"Work repeated: {value['repeated_per_fault']:.2f} chunks a fault (those of PostgreSQL aside; target 0.5, "
              f"{'met' if value['repeated_per_fault'] <= 0.5 else '**missed**'}); in items of all {value['chunks']} chunks: preprocess {r['preprocess']:.1f}, "
              f"detect {r['detect']:.1f}, annotate {r['annotate']:.1f} chunks' worth, weighted by CPU time {r['all']:.1f}.",
              f"Leases beyond the first of a chunk: {value['leases_over']}. Leases taken from workers that lived and were left alone: "
              f"{len(value['false_releases'])} (aim 0). Chunks that waited for the backstop: {value['overdue']}."]
    return "\n".join(lines)
