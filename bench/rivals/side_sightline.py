"""Sightline: jobs of the pipeline noop, submitted 500 a message. A job is done when it has succeeded and all audit
rows are in PostgreSQL."""
import itertools
import json
import os
import subprocess
import sys

import msgpack
import zmq

import side


class Socket:
    """The jobs socket of PROTOCOL.md section 3."""

    def __init__(self, address):
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect(address)

    def send(self, **request):
        self.socket.send_multipart([b"SL1", msgpack.packb(request)])

    def receive(self):
        if not self.socket.poll(20_000):
            raise TimeoutError("the broker does not answer")
        reply = msgpack.unpackb(self.socket.recv_multipart()[1])
        if not reply["ok"]:
            raise RuntimeError(f"{reply['code']}: {reply['message']}")
        return reply

    def ask(self, **request):
        self.send(**request)
        return self.receive()


class Client:
    BULK = 500

    def __init__(self, address):
        self.at, self.waiting, self.numbers = Socket(address), False, itertools.count()
        self.run = f"{os.getpid()}.{side.stamp()}"
        self.at.ask(type="ping")

    def send(self, n):  # one lot is acknowledged while the next is on its way
        jobs = [{"name": f"{self.run}.{next(self.numbers)}-{side.stamp()}"} for _ in range(n)]
        self.at.send(type="submit_many", pipeline="noop", preset="noop", jobs=jobs)
        self.finish()
        self.waiting = True

    def finish(self):
        if self.waiting:
            for job in self.at.receive()["jobs"]:
                if "job" not in job:
                    raise RuntimeError(f"{job['code']}: {job['message']}")
        self.waiting = False


def worker_command(_, starts):
    os.environ["SIGHTLINE_NOOP_STARTS"] = starts
    return [os.environ["SIGHTLINE_BENCH_PROGRAM"], "worker", "noop"]


socket, psql = None, None


def ask(address, **request):
    global socket
    if socket is None:
        socket = Socket(address)
    return socket.ask(**request)


def ready(address, n):
    return sum(len(pool["workers"]) for pool in ask(address, type="pools")["pools"] if pool["pool"] == "noop") == n


def close():
    global socket, psql
    if psql:
        psql.stdin.close()
        psql.stdout.close()
        psql.wait()
    if socket:
        socket.socket.close()
    socket = psql = None


def left(address):
    global psql
    if any(ask(address, type="jobs", state=state, limit=1)["jobs"] for state in ("queued", "running")):
        return 1
    if psql is None:
        psql = subprocess.Popen([os.environ["SIGHTLINE_BENCH_PSQL"], "-qAtX", "-v", "ON_ERROR_STOP=1", os.environ["SIGHTLINE_BENCH_DSN"]],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    print("SELECT epoch || '-' || n FROM sightline.position;", file=psql.stdin, flush=True)
    return int(psql.stdout.readline().strip() != ask(address, type="ping")["events_last"])


def check(_, jobs):
    """The trail has each event of each of so many jobs, once."""
    print("SELECT json_object_agg(kind, n) FROM (SELECT kind, count(DISTINCT job) || '/' || count(*) AS n "
          "FROM sightline.job_event GROUP BY kind) k;", file=psql.stdin, flush=True)
    kinds, wanted = json.loads(psql.stdout.readline()), f"{jobs}/{jobs}"
    if any(kinds.get(kind) != wanted for kind in ("job.queued", "job.started", "job.succeeded")):
        raise RuntimeError(f"the audit trail of {jobs} jobs has {kinds}")


if __name__ == "__main__":
    side.main(Client, lambda *_: sys.exit("its worker is `sightline worker noop`"))
