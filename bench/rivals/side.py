"""What the sides of bench/jobs share. Each side is a file of this folder, run as its client and as its workers:

  side_NAME.py submit ADDRESS N              N no-op jobs, as fast as its client can; says `start NS`, ends when all are kept
  side_NAME.py pace ADDRESS N RATE BURST     N jobs, RATE a second, BURST at a time
  side_NAME.py work ADDRESS STARTS           a worker, until SIGTERM; says `ready`; appends to the file STARTS, for each
                                             job, the nanoseconds from its submit to its start (int64)

and has a function left(ADDRESS): the number of jobs that are not finished, as its server counts them. Its client is
an object with BULK, send(n), which may leave the last n unacknowledged, and finish(), which waits for them.
"""
import os
import signal
import struct
import sys
import time

STARTS = "SIGHTLINE_BENCH_STARTS"  # inherited by workers that fork


def stamp():
    return time.monotonic_ns()


class Starts:
    """Where a worker writes how long each job waited. Appends are whole below PIPE_BUF: forks may share it."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)

    def one(self, submitted):
        os.write(self.fd, struct.pack("<q", time.monotonic_ns() - submitted))

    def many(self, all_submitted):
        now = time.monotonic_ns()
        os.write(self.fd, struct.pack(f"<{len(all_submitted)}q", *(now - t for t in all_submitted)))


def say_start():
    print("start", stamp(), flush=True)


def submit(client, n):
    say_start()
    for done in range(0, n, client.BULK):
        client.send(min(client.BULK, n - done))
    client.finish()


def pace(client, n, rate, burst):
    """At the times of a steady rate; what is late follows at once."""
    say_start()
    start = time.monotonic()
    for i in range(0, n, burst):
        wait = start + i / rate - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        client.send(min(burst, n - i))
    client.finish()


def main(client, work):
    role, address, *rest = sys.argv[1:]
    if role == "submit":
        submit(client(address), int(rest[0]))
    elif role == "pace":
        pace(client(address), int(rest[0]), float(rest[1]), int(rest[2]))
    else:
        os.environ[STARTS] = rest[0]
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # what it holds is nobody's any more
        work(address, rest[0])
