"""NATS JetStream, by its text protocol: a stream of work-queue retention in files, publishes acknowledged by the
stream with up to 1024 in flight, a durable pull consumer with explicit acknowledgement, 256 fetched at a time."""
import json
import os
import re
import socket

import side

FETCHED = 256
STREAM, SUBJECT, CONSUMER = "jobs", "jobs.noop", "workers"
INBOX = b"_INBOX.%d" % os.getpid()
# A message for a worker: its reply subject is what it is acknowledged by.
JOB = re.compile(rb"MSG \S+ \d+ (\$JS\.ACK\S+) \d+\r\n(\d+)\r\n")
END = re.compile(rb"NATS/1\.0 (?:404|408|409)[^\r]*\r\n(?:[^\r]+\r\n)*\r\n\r\n")


def connect(address):
    host, port = address.rsplit(":", 1)
    at = socket.create_connection((host, int(port)))
    at.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    at.recv(1 << 16)  # INFO
    at.sendall(b'CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}\r\nPING\r\n')
    until(at, b"PONG\r\n")
    return at


def until(at, end):
    data = b""
    while end not in data:
        more = at.recv(1 << 16)
        if not more:
            raise ConnectionError("nats-server hung up")
        data += more
    return data


def ask(at, subject, body):
    """One request to JetStream's API."""
    text = json.dumps(body).encode() if body is not None else b""
    at.sendall(b"SUB %s 9\r\nUNSUB 9 1\r\nPUB %s %s %d\r\n%s\r\n" % (INBOX, subject.encode(), INBOX, len(text), text))
    data = b""
    while not (found := re.search(rb"MSG \S+ 9 (\d+)\r\n", data)) or len(data) < found.end() + int(found[1]) + 2:
        data += at.recv(1 << 16)
    answer = json.loads(data[found.end():found.end() + int(found[1])])
    if "error" in answer:
        raise RuntimeError(f"nats-server refused {subject}: {answer['error']}")
    return answer


def prepare(address):
    at = connect(address)
    ask(at, f"$JS.API.STREAM.CREATE.{STREAM}", {"name": STREAM, "subjects": [SUBJECT], "storage": "file", "retention": "workqueue"})
    ask(at, f"$JS.API.CONSUMER.DURABLE.CREATE.{STREAM}.{CONSUMER}",
        {"stream_name": STREAM, "config": {"durable_name": CONSUMER, "ack_policy": "explicit", "ack_wait": 60_000_000_000,
                                           "max_ack_pending": 20000}})


def publish(n):
    out = []
    for _ in range(n):
        body = b"%d" % side.stamp()
        out.append(b"PUB jobs.noop %s %d\r\n%s\r\n" % (INBOX, len(body), body))
    return b"".join(out)


class Client:
    BULK = 512

    def __init__(self, address):
        self.at, self.rest, self.sent, self.kept = connect(address), b"", 0, 0
        self.at.sendall(b"SUB %s 1\r\n" % INBOX)

    def send(self, n):  # one lot is acknowledged while the next is on its way
        self.at.sendall(publish(n))
        self.finish()
        self.sent += n

    def finish(self):
        while self.kept < self.sent:
            data = self.at.recv(1 << 18)
            if not data:
                raise ConnectionError("nats-server hung up")
            self.rest += data
            if b'"error"' in self.rest:
                raise RuntimeError(f"nats-server answered {self.rest[:300]!r}")
            whole = self.rest.rfind(b"\r\n") + 1  # each answer ends so
            self.kept += self.rest.count(b'"seq":', 0, whole)
            self.rest = self.rest[whole:]


def work(address, path):
    at, starts = connect(address), side.Starts(path)
    at.sendall(b"SUB %s 2\r\n" % INBOX)
    options = json.dumps({"batch": FETCHED, "expires": 30_000_000_000}).encode()
    pull = b"PUB $JS.API.CONSUMER.MSG.NEXT.%s.%s %s %d\r\n%s\r\n" % (STREAM.encode(), CONSUMER.encode(), INBOX, len(options), options)
    at.sendall(pull + pull)  # the next is on its way while one is worked on
    print("ready", flush=True)
    room, rest = FETCHED, b""
    while data := at.recv(1 << 18):
        rest += data
        if b"PING\r\n" in data:
            at.sendall(b"PONG\r\n")
        replies, submitted, end = [], [], 0
        for found in JOB.finditer(rest):
            replies.append(found[1])
            submitted.append(int(found[2]))
            end = found.end()
        ended = END.search(rest, end)
        rest = rest[ended.end() if ended else end:]
        out = b""
        if replies:
            starts.many(submitted)
            out = b"".join(b"PUB %s 4\r\n+ACK\r\n" % reply for reply in replies)
            room -= len(replies)
        if ended or room <= 0:
            out, room = out + pull, FETCHED
        if out:
            at.sendall(out)


def left(address):
    at = connect(address)
    state = ask(at, f"$JS.API.STREAM.INFO.{STREAM}", None)["state"]
    at.close()
    return state["messages"]


if __name__ == "__main__":
    side.main(Client, work)
