"""Draws faults by a seed and does them: to those who hold a lease now, if somebody does.

A fault is drawn before it is done, so that the same seed gives the same kinds in the same order; whom it hits is
whoever holds a lease at that moment. What was ended is started again, at once or a while later.
"""
import heapq
import os
import random
import signal
import subprocess
import time
from dataclasses import dataclass, field

import redis_reader
import rig as rigs
import witness as witnesses

KINDS = {  # kind: (weight, what it is)
    "kill": (30, "SIGKILL a worker, start another"),
    "stop": (12, "SIGSTOP a worker until its leases are lost, SIGCONT"),
    "restart": (8, "SIGTERM a worker, start another"),
    "cut": (8, "reset all TCP connections of a worker"),
    "kill-broker": (8, "SIGKILL the leading broker, start another"),
    "stop-broker": (6, "SIGSTOP the leading broker until another leads, SIGCONT"),
    "restart-broker": (5, "SIGTERM the leading broker, start another"),
    "kill-redis": (8, "SIGKILL redis-server, start it again, one time in ten after 5 to 10 s"),
    "kill-postgres": (5, "SIGKILL PostgreSQL, start it again"),
    "stop-postgres": (5, "SIGSTOP PostgreSQL, SIGCONT 1 to 4 s later"),
    "disk": (5, "fill the disk of the results for 1 to 5 s"),
}
WORKER_KINDS = ("kill", "stop", "restart", "cut")
HELD_SHARE = 0.8  # of all faults, at least
LEASE_S = 0.625  # 2.5 rounds
LEAD_LIMIT_S = 15


@dataclass
class Fault:
    n: int
    kind: str
    target: str = ""
    pid: int = 0
    worker: str = ""  # id, when the target is a worker
    time_ns: int = 0
    until_ns: int = 0  # when the cause was taken away: process started again, continued, disk freed
    held: bool = False  # the target held a lease, or the lead with leases in force; a store: leases were in force
    leases: list = field(default_factory=list)  # of a worker
    epoch: int = 0  # before, of a broker
    note: str = ""


def deck(count, seed, kinds):
    """Kinds in the order of their turn: each kind three times if there is room, the rest by weight. Half of what
    hits workers has stretches of its own, the other half comes into the middle of everything else."""
    draw = random.Random(f"deck {seed}")
    cards = [k for k in kinds for _ in range(3 if count >= 3 * len(kinds) else 1)][:count]
    cards += draw.choices(list(kinds), [KINDS[k][0] for k in kinds], k=count - len(cards))
    draw.shuffle(cards)
    workers = [k for k in cards if k in WORKER_KINDS]
    calm, storm = workers[::2], workers[1::2] + [k for k in cards if k not in WORKER_KINDS]
    draw.shuffle(storm)
    stretches = max(1, count // 60)
    return [k for i in range(stretches) for part in (storm, calm) for k in part[i * len(part) // stretches:(i + 1) * len(part) // stretches]]


class Adversary:
    """`look`: called often, from this thread, for whatever has to be done meanwhile."""

    def __init__(self, rig, witness, seed, pace_s=1.0, patience_s=90, stages=rigs.STAGES, look=lambda: None):
        self.rig = rig
        self.witness = witness
        self.random = random.Random(f"adversary {seed}")
        self.pace_s = pace_s
        self.stages = stages  # of the workers that are struck
        self.patience_s = patience_s  # for somebody to strike, or the fleet does not go on
        self.look = look
        self.redis = redis_reader.Redis(rig.redis_path)
        self.later = []  # heap of (when, n, action)
        self.faults = []
        self.asked = set()  # pids that we ended
        self.begun = time.monotonic()

    # --- time

    def _after(self, seconds, action):
        heapq.heappush(self.later, (time.monotonic() + seconds, len(self.later) + id(action), action))

    def turn(self):
        """What is due, and what else is to do."""
        while self.later and self.later[0][0] <= time.monotonic():
            heapq.heappop(self.later)[2]()
        self.look()

    def wait(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.turn()
            time.sleep(0.01)

    def wait_for(self, what, condition, limit_s):
        end = time.monotonic() + limit_s
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"not within {limit_s} s: {what}")
            self.turn()
            time.sleep(0.01)

    def calm(self):
        """Everything was started again and goes on."""
        self.wait_for("all that was ended is started again", lambda: not self.later, 120)

    # --- who

    def leases(self):
        try:
            return witnesses.leases(self.redis)
        except redis_reader.Away:
            return []

    def leader(self):
        """(name of the process that leads and lives, or "", and the epoch)."""
        try:
            lead = self.redis.lead()
        except redis_reader.Away:
            return "", 0
        epoch = int(lead.get("epoch", 0))
        name = self.rig.bodies.get(self.rig.leader_of(epoch), "")
        living = name in self.rig.alive("broker") and self.rig.processes[name].pid == self.rig.leader_of(epoch)
        return (name if living and lead.get("holder") else ""), epoch

    def holders(self):
        """{name: [lease]} of living workers that hold a lease now."""
        found = {}
        for lease in self.leases():
            member = self.witness.members.get(lease.holder)
            name = self.rig.bodies.get(member["pid"]) if member else None
            if name and name in self.rig.alive(*rigs.STAGES) and self.rig.processes[name].pid == member["pid"]:
                found.setdefault(name, []).append(lease)
        return found

    def worker_of(self, name):
        pid = self.rig.processes[name].pid
        return next((w for w, m in list(self.witness.members.items()) if m["pid"] == pid), "")

    # --- faults

    def campaign(self, kinds, said=lambda fault: None):
        """Does them all, then waits until everything runs again."""
        for n, kind in enumerate(kinds, 1):
            fault = Fault(n, kind)
            getattr(self, "_" + kind.replace("-", "_"))(fault)
            self.faults.append(fault)
            said(fault)
            self.wait(self.random.expovariate(1 / self.pace_s))
            if self.random.random() < 0.6:  # else the next one comes into the middle of it
                self.wait_for("a broker leads again", lambda: self.leader()[0], self.patience_s)
        self.calm()

    def _aim(self, fault, stages):
        """A worker: one that holds a lease if the share of such faults must not fall, else whoever is there."""
        held = sum(f.held for f in self.faults)
        idle = not {"ingest", "annotate"} & set(stages) or held >= (HELD_SHARE + 0.03) * (len(self.faults) + 1) and self.random.random() < 0.5
        found = {}

        def choose():
            nonlocal found
            found = {n: l for n, l in self.holders().items() if n.split("-")[0] in stages}
            if idle:
                found = {n: found.get(n, []) for n in self.rig.alive(*stages) if self.worker_of(n)}
            return bool(found)
        self.wait_for("somebody to strike", choose, self.patience_s)
        # By stage first: there are always more homes than others.
        stage = self.random.choice(sorted({n.split("-")[0] for n in found}))
        name = self.random.choice(sorted(n for n in found if n.split("-")[0] == stage))
        fault.target, fault.pid, fault.worker = name, self.rig.processes[name].pid, self.worker_of(name)
        fault.leases, fault.held = found[name], bool(found[name])
        fault.time_ns = time.time_ns()
        return self.rig.processes[name]

    def _aim_at_leader(self, fault):
        def choose():
            name, epoch = self.leader()
            fault.target, fault.epoch = name, epoch
            return name and self.rig.standby(name) and self.leases()
        self.wait_for("a broker that leads, leases, and a standby", choose, self.patience_s)
        fault.pid, fault.held, fault.time_ns = self.rig.processes[fault.target].pid, True, time.time_ns()
        return self.rig.processes[fault.target]

    def _aim_at_store(self, fault, name):
        def choose():
            return name in self.rig.alive(name) and self.leases()
        self.wait_for(f"{name} and leases", choose, self.patience_s)
        fault.target, fault.pid, fault.held, fault.time_ns = name, self.rig.processes[name].pid, True, time.time_ns()
        return self.rig.processes[name]

    def _back(self, fault, seconds):
        def back():
            self.rig.revive(fault.target)
            fault.until_ns = time.time_ns()
        if seconds <= 0:
            back()
        else:
            self._after(seconds, back)

    def _pause(self, longest=3.0):
        return 0 if self.random.random() < 0.5 else self.random.uniform(0.1, longest)

    def _end(self, fault, process, number):
        self.asked.add(process.pid)
        fault.time_ns = time.time_ns()
        if number == signal.SIGKILL:
            process.kill()
        else:
            process.signal(number)

    def _kill(self, fault):
        self._end(fault, self._aim(fault, self.stages), signal.SIGKILL)
        self._back(fault, self._pause())

    def _stop(self, fault):
        process = self._aim(fault, self.stages)
        seconds = LEASE_S + 0.5 + self.random.uniform(0, 1.5)
        process.signal(signal.SIGSTOP)
        fault.note = f"{seconds:.1f} s"

        def go_on():
            process.signal(signal.SIGCONT)
            fault.until_ns = time.time_ns()
        self._after(seconds, go_on)

    def _restart(self, fault):
        process = self._aim(fault, self.stages)
        self._end(fault, process, signal.SIGTERM)

        def back():
            if process.alive():
                self._after(0.05, back)
            else:
                self._back(fault, 0)
        self._after(0.05, back)

    def _cut(self, fault):
        process = self._aim(fault, ("detect", "annotate"))
        cut = lost = 0
        for _ in range(3):
            # Frozen for a moment, far less than a lease: what the others send it then lies in the connections.
            process.signal(signal.SIGSTOP)
            frozen = time.monotonic()
            found = connections(process.pid)
            while found and not any(queued for _, queued in found) and time.monotonic() < frozen + 0.2:
                found = connections(process.pid)
            cut_connections([port for port, _ in found])
            process.signal(signal.SIGCONT)
            cut, lost = cut + len(found), lost + sum(queued for _, queued in found)
            self.wait(0.05)
        fault.until_ns = time.time_ns()
        fault.note = f"{cut} connections, {lost} bytes on their way"

    def _kill_broker(self, fault):
        self._end(fault, self._aim_at_leader(fault), signal.SIGKILL)
        self._back(fault, self._pause())

    def _restart_broker(self, fault):
        process = self._aim_at_leader(fault)
        self._end(fault, process, signal.SIGTERM)
        self.wait_for("the broker ends", lambda: not process.alive(), 30)
        self._back(fault, self._pause())

    def _stop_broker(self, fault):
        process = self._aim_at_leader(fault)
        process.signal(signal.SIGSTOP)
        self.wait_for("another broker leads", lambda: self.leader()[1] > fault.epoch, LEAD_LIMIT_S)
        self.wait(self.random.uniform(0, 1))
        process.signal(signal.SIGCONT)
        fault.until_ns = time.time_ns()

    def _kill_redis(self, fault):
        self._end(fault, self._aim_at_store(fault, "redis"), signal.SIGKILL)
        away = self.random.uniform(5, 10) if self.random.random() < 0.1 else self._pause(1.5)
        fault.note = f"away {away:.1f} s"
        self._back(fault, away)

    def _kill_postgres(self, fault):
        self._end(fault, self._aim_at_store(fault, "postgres"), signal.SIGKILL)
        self._back(fault, self._pause())

    def _stop_postgres(self, fault):
        process = self._aim_at_store(fault, "postgres")
        everybody = [process.pid] + rigs.children_of(process.pid)
        seconds = self.random.uniform(1, 4)
        fault.note = f"{seconds:.1f} s"
        process.stopped = True
        for pid in everybody:
            os.kill(pid, signal.SIGSTOP)

        def go_on():
            for pid in everybody:
                try:
                    os.kill(pid, signal.SIGCONT)
                except ProcessLookupError:
                    pass  # a connection's, which ended
            process.stopped = False
            fault.until_ns = time.time_ns()
        self._after(seconds, go_on)

    def _disk(self, fault):
        held = []
        self.wait_for("leases", lambda: held.extend(self.leases()) or held, self.patience_s)
        filler = os.path.join(self.rig.results, f".filler-{fault.n}")
        seconds = self.random.uniform(1, 5)
        fault.target, fault.held, fault.time_ns, fault.note = "results", True, time.time_ns(), f"{seconds:.1f} s"
        with open(filler, "wb") as out:
            space = os.statvfs(self.rig.results)
            size = space.f_bavail * space.f_frsize
            while size >= space.f_frsize:  # others write meanwhile
                try:
                    os.posix_fallocate(out.fileno(), os.fstat(out.fileno()).st_size, size)
                except OSError:
                    size //= 2

        def free():
            os.unlink(filler)
            fault.until_ns = time.time_ns()
        self._after(seconds, free)


def connections(pid):
    """Established TCP connections of a process: [(its port, bytes in their queues)]. Reads /proc, which is quick."""
    inodes = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            inodes.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except OSError:
            pass  # closed meanwhile
    found = []
    with open("/proc/net/tcp", encoding="utf-8") as file:
        for line in list(file)[1:]:
            _, here, _, state, queues, _, _, _, _, inode, *_ = line.split()
            if state == "01" and f"socket:[{inode}]" in inodes:
                found.append((int(here.split(":")[1], 16), sum(int(n, 16) for n in queues.split(":"))))
    return found


def cut_connections(ports):
    """Resets the TCP connections of these ports of the loopback: what was on its way is lost."""
    if ports:
        subprocess.run(["ss", "-HKtn", "state", "established", "( " + " or ".join(f"sport = :{p}" for p in sorted(set(ports))) + " )"],
                       capture_output=True, check=True)
