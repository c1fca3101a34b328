"""A bed for alerts: a Redis that holds some which wait for targets, a broker and alert workers, and receivers.

Alerts are put where schema/redis/KEYS.md says that the outbox is, so that nothing has to be seen by a camera first.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
sys.path += [os.path.join(SOURCE, "scripts"), os.path.join(SOURCE, "tests/chaos")]

from redis_reader import Redis  # noqa: E402  pylint: disable=wrong-import-position
from submit import Client  # noqa: E402  pylint: disable=wrong-import-position


class Failed(Exception):
    """Something did other work than it should, or none."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until(what, seconds, ready):
    end = time.monotonic() + seconds
    while not (value := ready()):
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(0.02)
    return value


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def alert(n):
    return {"schema_version": 1, "alert": f"gate-{n % 20}-{n:016x}", "kind": "new", "update": 0, "key": f"gate-{n % 20}-{n:016x}:new",
            "job": "", "camera": f"gate-{n % 20}", "stream": f"gate-{n % 20}", "rule": "watch", "zone": "drive", "roi_hit": True,
            "class_name": "person", "frame": n, "time_s": n / 5, "capture_ns": time.time_ns(), "decided_ns": time.time_ns(),
            "box": {"x": 10, "y": 20, "width": 30, "height": 60, "score": 0.75, "class_id": 0, "pool": 0, "track": n},
            "model": "yolox_nano@1", "preset": "live@1", "snapshot": "", "trace": ["score 0.75, 3 frames in a row", "inside 'drive'"]}


class Bed:
    """A Redis, receivers, and what was started; all of it ends with the `with`."""

    def __init__(self, build):
        self.build, self.started = build, []
        self.broker = self.worker = None

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="sl-alerts-")
        return self

    def __exit__(self, *_):
        for process in reversed(self.started):
            process.send_signal(signal.SIGTERM)
        for process in reversed(self.started):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, name, argv):
        with open(os.path.join(self.folder, name + ".log"), "wb") as log:
            self.started.append(subprocess.Popen(argv, stdout=log, stderr=log))  # pylint: disable=consider-using-with
        return self.started[-1]

    def path(self, name):
        return os.path.join(self.folder, name)

    def lines(self, name):
        try:
            with open(self.path(name), encoding="utf-8") as file:
                return sum(1 for _ in file)
        except OSError:
            return 0

    def receiver(self, sink, slow=False, answer=False, trust=False):
        """A target of this sink, and a function that counts the keys that came."""
        port = free_port()
        if sink == "outbox":
            return {"sink": "log", "options": {}}, None
        if sink == "log":
            return {"sink": "log", "options": {"path": self.path("alerts.jsonl")}}, lambda: self.lines("alerts.jsonl")
        if sink == "redis_stream":
            self.start("stream", ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", self.folder])
            until("redis-server", 20, lambda: listens(port))
            count = lambda: int(subprocess.run(["redis-cli", "-p", str(port), "xlen", "sightline:alerts"], capture_output=True, text=True,  # noqa: E731
                                               check=True).stdout)
            return {"sink": sink, "options": {"url": f"redis://127.0.0.1:{port}", "maxlen": 10_000_000}}, count
        if sink == "mqtt":
            with open(self.path("mosquitto.conf"), "w", encoding="utf-8") as file:
                file.write(f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\nmax_queued_messages 0\n")
            self.start("mosquitto", ["/usr/sbin/mosquitto", "-c", self.path("mosquitto.conf")])
            until("mosquitto", 20, lambda: listens(port))
            with open(self.path("mqtt"), "wb") as out:
                self.started.append(subprocess.Popen(["mosquitto_sub", "-p", str(port), "-q", "1", "-t", "sightline/+/alerts", "-F", "%t"],  # pylint: disable=consider-using-with
                                                     stdout=out))
            return {"sink": sink, "options": {"host": "127.0.0.1", "port": port}}, lambda: self.lines("mqtt")
        out = sink + ("-slow" if slow else "")
        argv = ["/usr/bin/python3", os.path.join(SOURCE, "tests/support/alert_receiver.py"), sink, "--port", str(port), "--out",
                self.path(out)] + (["--delay", "0.1"] if slow else []) + (["--answer", self.path("answer")] if answer else []) + (["--trust"] if trust else [])
        self.start("receiver-" + out, argv)
        until("the receiver", 20, lambda: listens(port))
        options = {"host": "127.0.0.1", "port": port} if sink == "tcp" else {"url": f"http://127.0.0.1:{port}/alarm"}
        if sink == "hikvision":
            options |= {"width": 1280, "height": 720, "heartbeat_s": 0}
        return {"sink": sink, "options": options}, lambda: self.lines(out)

    def fill(self, path, targets, n):
        """n alerts that wait for these targets, as schema/redis/KEYS.md has them."""
        redis = Redis(path)
        redis.call("SET", "sl:{default}:version", "1")
        for target in targets:
            redis.call("HSET", "sl:{default}:record:fleet", "delivered/" + target, "0-0")
        redis.call("SADD", "sl:{default}:records", "fleet")
        for i in range(1, n + 1):
            one = alert(i)
            redis.call("XADD", "sl:{default}:log", f"1-{i}", "topic", "alert." + one["stream"], "kind", "alert", "job", "",
                       "time_ns", one["decided_ns"], "audit", "0", "body", json.dumps(one))
        redis.close()

    def fleet(self, targets, n):
        """Broker and alert worker with these targets, for each of which n alerts wait."""
        redis = self.path("redis.sock")
        self.start("redis", ["redis-server", "--port", "0", "--unixsocket", redis, "--dir", self.folder, "--save", "", "--appendonly", "yes",
                             "--appendfsync", "no"])
        until("redis-server", 20, lambda: os.path.exists(redis))
        self.fill(redis, targets, n)
        subprocess.run(["redis-cli", "-s", redis, "config", "set", "appendfsync", "always"], check=True, capture_output=True)
        self.config, self.endpoint = self.path("sightline.yaml"), "ipc://" + self.path("broker")
        with open(self.config, "w", encoding="utf-8") as file:
            json.dump({"broker": {"endpoint": self.endpoint, "run_dir": self.path("run")}, "redis": {"url": "unix://" + redis},
                       "log": {"format": "json"}, "alerts": {"targets": [{"name": name} | t for name, t in targets.items()]}}, file)
        self.client = Client(self.endpoint)
        self.start_broker()
        self.start_worker()

    def start_broker(self):
        self.broker = self.start("broker", [os.path.join(self.build, "sightline"), "broker", "--config", self.config])
        until("the broker", 30, lambda: self.client.request({"type": "ping"}))

    def start_worker(self):
        self.worker = self.start("alert", [os.path.join(self.build, "sightline"), "worker", "alert", "--config", self.config])

    def again(self, name, process):
        """A process that was killed, started once more."""
        self.start(name + "-again", process.args)

    def kill(self, process):
        process.kill()
        process.wait()
        self.started.remove(process)

    def sinks(self):
        """What `sinks` answers, by target."""
        return {t["target"]: t for t in self.client.request({"type": "sinks"})["targets"]}
