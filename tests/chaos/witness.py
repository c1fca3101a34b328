"""Watches a fleet while it works, from outside: the log and the records in Redis, and who answers clients.

  Witness.entries   every entry of the log, in order (the broker may trim it; the witness has them all)
  Witness.claims    what breaks a rule at once: {text}
  leases()          who holds what, now
"""
import json
import threading
import time
import uuid

import fleet as kit
import msgpack
import redis_reader
import zmq

TERMINAL_KINDS = ("job.succeeded", "job.failed", "job.canceled")


class Witness(threading.Thread):
    """Looks every 100 ms. What it keeps is only added to, so that other threads may read it."""

    def __init__(self, rig):
        super().__init__(name="witness", daemon=True)
        self.redis = redis_reader.Redis(rig.redis_path)
        self.enough = threading.Event()
        self.entries = []
        self.ended = {}  # job → kind of its terminal event
        self.members = {}  # worker → {pid, stage, worker}
        self.gone = {}  # pid → [(time_ns, kind)] of worker.lost and worker.left
        self.claims = set()
        self.done = {}  # (job, stream, seq) → (attempt, nonce) under which it was committed
        self.rows = {}  # (job, stream, seq) → its row
        self.attempts = {}  # (job, stream, seq) → highest attempt seen
        self.counters = {}  # (job, stream) → the stream's record at its end
        self.accounts = {}  # job → its reconciliation
        self.quiet = set()  # jobs whose records say no more

    def run(self):
        while not self.enough.wait(0.1):
            self.look()

    def look(self):
        try:
            self._read_log()
            self._read_jobs()
        except redis_reader.Away:
            pass  # it is told by who took it away

    def _read_log(self):
        while True:
            last = (self.entries[-1].epoch, self.entries[-1].n) if self.entries else (0, 0)
            page = self.redis.entries(last)
            for e in page:
                self._take(e, last)
                last = (e.epoch, e.n)
            if not page:
                return

    def _take(self, e, last):
        expected = last[1] + 1 if e.epoch == last[0] else 1
        if e.n != expected:
            self.claims.add(f"the log goes from {last[0]}-{last[1]} to {e.epoch}-{e.n}")
        self.entries.append(e)
        if e.kind in TERMINAL_KINDS:
            self.ended.setdefault(e.job, e.kind)
        elif e.topic.startswith("pool.live/"):
            return  # the same processes, for cameras
        elif e.kind == "worker.joined":
            body = json.loads(e.body)
            self.members[body["worker"]] = body
        elif e.kind in ("worker.lost", "worker.left"):
            body = json.loads(e.body)
            self.gone.setdefault(body["pid"], []).append((e.time_ns, e.kind))

    def _read_jobs(self):
        for job in self.redis.jobs():
            if job not in self.quiet:
                self._read_job(job, self.redis.job(job))

    def _read_job(self, job, fields):
        if "job" not in fields:
            return
        for name, value in fields.items():
            kind, *at = name.split("/")
            if kind == "chunk":
                key = (job, int(at[0]), int(at[1]))
                self.rows[key] = value["row"]
                self.attempts[key] = max(self.attempts.get(key, 0), value["attempt"])
                token = (value["attempt"], value["nonce"])
                known = self.done.get(key)
                if known and (value["state"] != "done" or token != known):
                    self.claims.add(f"chunk {key} was done by lease {known[0]}, and is {value['state']} by lease {token[0]} after it")
                if value["state"] == "done":
                    self.done.setdefault(key, token)
            elif kind == "stream":
                self.counters[(job, int(at[0]))] = value
        if "reconciliation" in fields:
            self.accounts[job] = fields["reconciliation"]
        if fields["job"]["state"] in kit.TERMINAL and fields["job"]["swept"]:
            self.quiet.add(job)

    def finish(self):
        """All that is there now was seen when this returns."""
        self.enough.set()
        self.join()
        self._read_log()
        self._read_jobs()


def leases(redis):
    """Leases in the records of all jobs now; raises redis_reader.Away."""
    found = []
    for job in redis.jobs():
        fields = redis.job(job)
        if fields and not (fields["job"]["state"] in kit.TERMINAL and fields["job"]["swept"]):
            found += redis_reader.leases_of(job, fields)
    return found


class Prober(threading.Thread):
    """Asks every broker every 50 ms who leads; keeps when the first answer of each epoch came, and what jobs'
    workers did (by the view of the job, which forgets the dead: the highest number seen counts)."""

    def __init__(self, endpoints):
        super().__init__(name="prober", daemon=True)
        self.endpoints = endpoints
        self.enough = threading.Event()
        self.first = {}  # epoch → time_ns of its first answer
        self.worked = {}  # (job, pool, worker) → items
        self.error = None

    def run(self):
        sockets = {}
        try:
            for at in self.endpoints:
                sockets[at] = zmq.Context.instance().socket(zmq.DEALER)
                sockets[at].setsockopt(zmq.LINGER, 0)
                sockets[at].setsockopt(zmq.RECONNECT_IVL, 20)
                sockets[at].setsockopt(zmq.SNDHWM, 4)
                sockets[at].connect(at)
            turn = 0
            while not self.enough.wait(0.05):
                turn += 1
                for s in sockets.values():
                    self._ask(s, {"type": "ping"})
                    if turn % 4 == 0:
                        self._ask(s, {"type": "jobs", "limit": 12})
                    while s.poll(0):
                        self._take(msgpack.unpackb(s.recv_multipart()[1], strict_map_key=False))
        except Exception as e:  # pylint: disable=broad-except
            self.error = e  # told by the campaign
        finally:
            for s in sockets.values():
                s.close()

    @staticmethod
    def _ask(s, fields):
        try:
            s.send_multipart([kit.PROTOCOL, msgpack.packb(dict(fields, req=uuid.uuid4().hex))], zmq.NOBLOCK)
        except zmq.Again:
            pass  # nobody there

    def _take(self, reply):
        if not reply.get("ok"):
            return
        if "epoch" in reply:
            self.first.setdefault(reply["epoch"], time.time_ns())
        for job in reply.get("jobs", []):
            for pool, workers in job["workers"].items():
                for worker, n in workers.items():
                    key = (job["job"], pool, worker)
                    self.worked[key] = max(self.worked.get(key, 0), n)

    def finish(self):
        self.enough.set()
        self.join()
        if self.error:
            raise AssertionError(f"the prober failed: {self.error}")
