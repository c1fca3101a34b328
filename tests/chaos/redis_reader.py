"""Reads a fleet's Redis with a client of its own: RESP over the unix socket, the records by schema/redis/KEYS.md.

Nothing here is shared with the broker: a mistake of its store would not be a mistake of its auditor, too.
"""
import socket
from collections import namedtuple

import msgpack

PREFIX = "sl:{default}:"
Lease = namedtuple("Lease", "unit job stream seq attempt nonce holder")
Entry = namedtuple("Entry", "epoch n topic kind job time_ns audit body")


class Away(Exception):
    """Redis does not answer now."""


class Redis:
    """One connection, made anew after a failure. For one thread."""

    def __init__(self, path):
        self.path = path
        self.stream = None

    def call(self, *words):
        try:
            if self.stream is None:
                with socket.socket(socket.AF_UNIX) as link:  # the stream keeps it open
                    link.settimeout(1)
                    link.connect(self.path)
                    self.stream = link.makefile("rwb")
            words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
            self.stream.write(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
            self.stream.flush()
            return self._reply()
        except (OSError, EOFError) as e:
            self.close()
            raise Away(str(e)) from e

    def close(self):
        stream, self.stream = self.stream, None
        if stream:
            try:
                stream.close()
            except OSError:
                pass  # what it had not sent yet

    def _reply(self):
        line = self.stream.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError("Redis ended the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            raise EOFError(rest.decode())  # LOADING, for one
        if kind == b":":
            return int(rest)
        if kind == b"$":
            if int(rest) < 0:
                return None
            data = self.stream.read(int(rest) + 2)
            if len(data) != int(rest) + 2:
                raise EOFError("Redis ended the connection")
            return data[:-2]
        return None if int(rest) < 0 else [self._reply() for _ in range(int(rest))]

    # what the keys hold

    def lead(self):
        """{field: text} of the lead: epoch, number, broker, holder, until_ms."""
        flat = self.call("HGETALL", PREFIX + "lead")
        return {k.decode(): v.decode() for k, v in zip(flat[::2], flat[1::2])}

    def jobs(self):
        """Names of all jobs that have a record."""
        return sorted(r[4:].decode() for r in self.call("SMEMBERS", PREFIX + "records") if r.startswith(b"job:"))

    def job(self, job):
        """{field: map, or bytes for S/ and D/} of a job's record; empty when there is none."""
        flat = self.call("HGETALL", PREFIX + "record:job:" + job)
        fields = {}
        for name, value in zip(flat[::2], flat[1::2]):
            name = name.decode()
            fields[name] = value if name[:2] in ("S/", "D/") else msgpack.unpackb(value, strict_map_key=False)
        return fields

    def entries(self, after=(0, 0)):
        """Entries of the log with a higher id, oldest first: those of at most 1000 commits."""
        raw = self.call("XRANGE", PREFIX + "log", f"({after[0]}-{after[1]}", "+", "COUNT", 1000)
        return [e for one in raw for e in entries_of(one) if (e.epoch, e.n) > tuple(after)]


def entries_of(raw):
    """One entry, or a page of many."""
    at, flat = raw
    fields = dict(zip((k.decode() for k in flat[::2]), flat[1::2]))
    if "page" in fields:
        return [Entry(e["epoch"], e["n"], e["topic"], e["kind"], e["job"], e["time_ns"], e["audit"], e["body"])
                for e in msgpack.unpackb(fields["page"], strict_map_key=False)["entries"]]
    fields = {k: v.decode() for k, v in fields.items()}
    epoch, n = at.decode().split("-")
    return [Entry(int(epoch), int(n), fields["topic"], fields["kind"], fields["job"], int(fields["time_ns"]),
                  fields["audit"] == "1", fields["body"])]


def leases_of(job, fields):
    """Leases that a job's record names."""
    if "job" not in fields:
        return []
    found = []
    for unit in ("scan", "final", "sweep"):
        u = fields["job"].get(unit) or {}
        if u.get("state") == 2:
            found.append(Lease(unit, job, -1, 0, u["attempt"], u["nonce"], u["holder"]))
    for name, c in fields.items():
        if name.startswith("chunk/") and c["state"] == "leased":
            _, stream, seq = name.split("/")
            found.append(Lease("chunk", job, int(stream), int(seq), c["attempt"], c["nonce"], c["holder"]))
    return found
