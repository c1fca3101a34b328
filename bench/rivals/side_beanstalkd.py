"""beanstalkd, by its text protocol, pipelined: 256 puts in flight, a worker reserves 64 jobs at a time."""
import re
import socket

import side

RESERVED = 64


def connect(address):
    host, port = address.rsplit(":", 1)
    at = socket.create_connection((host, int(port)))
    at.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return at


def put(n):
    out = []
    for _ in range(n):
        body = b"%d" % side.stamp()
        out.append(b"put 0 0 60 %d\r\n%s\r\n" % (len(body), body))
    return b"".join(out)


def expect(at, word, n):
    """Reads n answers that begin with `word`."""
    seen, rest = 0, b""
    while seen < n:
        data = at.recv(1 << 16)
        if not data:
            raise ConnectionError("beanstalkd hung up")
        lines = (rest + data).split(b"\r\n")
        rest = lines.pop()
        for line in lines:
            if not line.startswith(word):
                raise RuntimeError(f"beanstalkd answered {line!r}")
        seen += len(lines)


class Client:
    BULK = 256

    def __init__(self, address):
        self.at = connect(address)

    def send(self, n):
        self.at.sendall(put(n))
        expect(self.at, b"INSERTED", n)

    def finish(self):
        pass


def work(address, path):
    at, starts = connect(address), side.Starts(path)
    ask = b"reserve\r\n" + b"reserve-with-timeout 0\r\n" * (RESERVED - 1)
    at.sendall(ask)
    print("ready", flush=True)
    rest, answers, jobs, submitted = b"", 0, [], []
    while data := at.recv(1 << 16):
        lines = (rest + data).split(b"\r\n")
        rest = lines.pop()
        for line in lines:
            if line.startswith(b"RESERVED"):
                jobs.append(line.split()[1])
                answers += 1
            elif line == b"TIMED_OUT":
                answers += 1
            elif line.isdigit():
                submitted.append(int(line))
            elif line != b"DELETED":
                raise RuntimeError(f"beanstalkd answered {line!r}")
        if answers == RESERVED and len(submitted) == len(jobs):
            starts.many(submitted)
            at.sendall(b"".join(b"delete %s\r\n" % job for job in jobs) + ask)
            answers, jobs, submitted = 0, [], []


def left(address):
    at = connect(address)
    at.sendall(b"stats\r\n")
    text = at.recv(1 << 16)
    at.close()
    return sum(int(n) for n in re.findall(rb"current-jobs-(?:ready|reserved|delayed): (\d+)", text))


if __name__ == "__main__":
    side.main(Client, work)
