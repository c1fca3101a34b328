#!/usr/bin/python3
"""What strangers and broken peers send: refused or ignored, and the fleet goes on serving a job meanwhile.

PROTOCOL.md section 2: nothing that a peer sends ends a process. Three kinds of socket are sent to: jobs and
workers (ROUTER, the broker's), and the PULL of a worker of each stage.
"""
import json
import os
import sys
import tempfile
import time
import uuid

sys.path.insert(0, os.path.join(os.environ["SIGHTLINE_SOURCE_DIR"], "tests/support"))
import fleet as kit  # noqa: E402  pylint: disable=wrong-import-position

import msgpack  # noqa: E402
import zmq  # noqa: E402



def nested(depth, kind=b"\x91"):
    return b"\x82\xa4type\xa4ping\xa1x" + kind * depth + b"\xc0"


# Name: header frame. None of them is a message.
HEADERS = {
    "empty": b"",
    "garbage": bytes(range(256)) * 8,
    "text": b"GET / HTTP/1.1\r\n\r\n",
    "nil": b"\xc0",
    "array": msgpack.packb(["ping"]),
    "truncated": msgpack.packb({"type": "ping", "req": "abcdef"})[:-3],
    "trailing": msgpack.packb({"type": "ping"}) + b"\x00",
    "no type": msgpack.packb({"req": "1"}),
    "type is no text": msgpack.packb({"type": 7}),
    "array of 4 G": b"\x82\xa4type\xa4ping\xa1x\xdd\xff\xff\xff\xff",
    "map of 4 G": b"\xdf\xff\xff\xff\xff\xa4type\xa4ping",
    "text of 4 G": b"\x82\xa4type\xa4ping\xa1x\xdb\xff\xff\xff\xff",
    "nested arrays": nested(500_000),
    "nested maps": nested(300_000, b"\x81\xa1k"),
}
# Fields of wrong types and values, for every field that submit knows.
WRONG = [b"\xff\xfe", "x\udcff".encode("utf-8", "surrogateescape"), -1, 2**63, 1.5, True, None, [], {}, [[]], {"a": {"b": []}}, "x" * 5000, [None], {"": None}]
FIELDS = ("key", "inputs", "output", "pipeline", "preset", "params", "priority", "tenant", "tags", "name", "req")


def raw_text(data):
    """msgpack of a text that is no UTF-8."""
    return b"\xd9" + bytes([len(data)]) + data


class Hostile(kit.FleetTest):
    workers = {"detect": 1}

    @classmethod
    def prepare(cls):
        kit.clip(os.path.join(cls.fleet.media, "a.mp4"), 8)
        undisturbed = cls.fleet.submit("a.mp4", params={"sample_fps": 5})
        cls.fleet.follow(undisturbed)
        cls.expected = kit.digests(cls.fleet.folder_of(undisturbed))

    def setUp(self):
        super().setUp()
        # A job that runs along, and is to end well; then the next one, on the same processes.
        self.job = self.undisturbed = self.fleet.submit("a.mp4", params={"sample_fps": 5})
        self.addCleanup(self.goes_on)

    def goes_on(self):
        self.succeed(self.undisturbed)
        self.assert_same(self.fleet.folder_of(self.undisturbed), self.expected)
        self.succeed(self.job)
        self.succeed(self.fleet.submit("a.mp4", params={"sample_fps": 1, "exporters": ["json"]}))
        self.assertTrue(self.fleet.request("health")["ready"])

    def socket(self, kind, endpoint, **options):
        socket = zmq.Context.instance().socket(kind)
        socket.setsockopt(zmq.LINGER, 2000)
        if "id" in options:
            socket.setsockopt(zmq.ROUTING_ID, options["id"].encode())
        socket.connect(endpoint)
        self.addCleanup(socket.close)
        return socket

    def answer(self, socket, limit_s=20):
        self.assertTrue(socket.poll(limit_s * 1000), "no answer")
        frames = socket.recv_multipart()
        self.assertEqual(frames[0], b"SL1")
        return msgpack.unpackb(frames[1], unicode_errors="surrogateescape", strict_map_key=False)

    def bad_messages(self):
        """What the broker has refused so far."""
        return self.fleet.request("health")["counts"]["bad_messages"]

    def refused_by(self, worker):
        """What a worker has refused so far, as its beats say."""
        return next(w["bad_messages"] for p in self.fleet.request("pools")["pools"] for w in p["workers"] if w["worker"] == worker)

    def counts(self, what, count, before, more):
        kit.eventually(f"{what} are counted: {more} more than {before}", lambda: count() >= before + more, 20)

    # the jobs socket

    def test_jobs_messages(self):
        before = self.bad_messages()
        for name, header in HEADERS.items():
            with self.subTest(name):
                socket = self.socket(zmq.DEALER, self.fleet.endpoint)
                socket.send_multipart([b"SL1", header])
                reply = self.answer(socket)
                self.assertEqual((reply["ok"], reply["code"]), (False, "BAD_MESSAGE"), reply)
        for frames in ([b"SL2", msgpack.packb({"type": "ping"})], [b"HELLO", b""]):
            socket = self.socket(zmq.DEALER, self.fleet.endpoint)
            socket.send_multipart(frames)
            self.assertEqual(self.answer(socket)["code"], "UNSUPPORTED_VERSION")
        for frames in ([b""], [b"SL1"], [b"", b""], [b"", b"", b"", b"SL1"], [b"x" * 100]):
            self.socket(zmq.DEALER, self.fleet.endpoint).send_multipart(frames)
        self.counts("bad requests", self.bad_messages, before, len(HEADERS) + 2)
        # Frames behind the header are not part of a request; they change nothing.
        socket = self.socket(zmq.DEALER, self.fleet.endpoint)
        socket.send_multipart([b"SL1", msgpack.packb({"type": "ping"}), b"more", b""])
        self.assertTrue(self.answer(socket)["ok"])

    def test_jobs_oversized(self):
        socket = self.socket(zmq.DEALER, self.fleet.endpoint)
        socket.send_multipart([b"SL1", msgpack.packb({"type": "ping", "x": b"\0" * (2 << 20)})])
        self.assertFalse(socket.poll(1000), "over 1 MiB there is no answer: the connection is cut")
        req = self.socket(zmq.REQ, self.fleet.endpoint)
        req.send_multipart([b"SL1", msgpack.packb({"type": "ping"})])
        self.assertTrue(self.answer(req)["ok"])

    def test_jobs_wrong_fields(self):
        socket = self.socket(zmq.DEALER, self.fleet.endpoint)
        good = {"type": "submit", "inputs": [{"root": "media", "path": "none.mp4"}]}
        for field in FIELDS:
            for value in WRONG:
                for wrapped in ([value] if field != "params" else [value] + [{p: value} for p in ("model", "confidence", "classes", "rules", "crop")]):
                    socket.send_multipart([b"SL1", msgpack.packb({**good, field: wrapped})])
                    self.assertFalse(self.answer(socket)["ok"], (field, wrapped))
        for kind, fields in {"job": ["job"], "jobs": ["limit", "state", "tag"], "cancel": ["job", "keep_partial"], "artifacts": ["job"],
                             "log": ["since", "topics", "limit"], "nonsense": ["x"]}.items():
            for field in fields:
                for value in WRONG:
                    socket.send_multipart([b"SL1", msgpack.packb({"type": kind, field: value})])
                    self.answer(socket)
        # Non-text keys, and text that is no UTF-8, wherever text is taken.
        socket.send_multipart([b"SL1", b"\x82\xa4type\xa4ping\x07\x07"])
        self.answer(socket)

    def test_jobs_text_that_is_no_utf8(self):
        bad = raw_text(b"p\xff\xfe")
        inputs = msgpack.packb("inputs") + msgpack.packb([{"root": "media", "path": "a.mp4"}])
        submit = msgpack.packb("type") + msgpack.packb("submit")
        key = lambda name: msgpack.packb(name)
        params = lambda value: key("params") + b"\x81" + value
        bodies = {
            "req": b"\x82" + key("type") + key("ping") + key("req") + bad,
            "job": b"\x82" + key("type") + key("job") + key("job") + bad,
            "type": b"\x81" + key("type") + bad,
            "preset": b"\x83" + submit + inputs + key("preset") + bad,
            "root": b"\x82" + submit + key("inputs") + b"\x91\x82" + key("root") + bad + key("path") + key("a.mp4"),
            "path": b"\x82" + submit + key("inputs") + b"\x91\x82" + key("root") + key("media") + key("path") + bad,
            "parameter": b"\x83" + submit + inputs + params(bad + b"\x01"),
            "parameter's value": b"\x83" + submit + inputs + params(key("confidence") + bad),
            "model": b"\x83" + submit + inputs + params(key("model") + bad),
            "rules": b"\x83" + submit + inputs + params(key("rules") + bad),
            "log's topic": b"\x82" + key("type") + key("log") + key("topics") + b"\x91" + bad,
        }
        for name, body in bodies.items():
            with self.subTest(name):
                socket = self.socket(zmq.DEALER, self.fleet.endpoint)
                socket.send_multipart([b"SL1", body])
                self.answer(socket)
        # In fields that are kept and told of: refused, or carried through without harm.
        for name, field in {"tenant": key("tenant") + bad, "tags": key("tags") + b"\x81" + bad + bad, "class": params(key("classes") + b"\x91" + bad),
                            "key": key("key") + bad}.items():
            with self.subTest(name):
                socket = self.socket(zmq.DEALER, self.fleet.endpoint)
                socket.send_multipart([b"SL1", b"\x83" + submit + inputs + field])
                reply = self.answer(socket)
                if reply["ok"]:
                    socket.send_multipart([b"SL1", msgpack.packb({"type": "cancel", "job": reply["job"]})])
                    self.assertTrue(self.answer(socket)["ok"])
        socket.send_multipart([b"SL1", msgpack.packb({"type": "jobs"})])
        self.assertTrue(self.answer(socket)["ok"])

    def test_half_a_request_then_gone(self):
        for _ in range(20):
            socket = zmq.Context.instance().socket(zmq.DEALER)
            socket.setsockopt(zmq.LINGER, 0)
            socket.connect(self.fleet.endpoint)
            socket.send_multipart([b"SL1", msgpack.packb({"type": "jobs"})])
            socket.close()

    # the workers socket

    def hello(self, **more):
        worker = uuid.uuid4().hex
        socket = self.socket(zmq.DEALER, self.fleet.endpoint + ".workers", id=worker)
        hello = {"type": "hello", "worker": worker, "stage": "alert", "pool": "nobody", "host": "h", "process": "p", "pid": 1,
                 "endpoints": ["ipc:///nowhere/at/all"], "slots": 0, "engine": "", "roots": ["media", "out"], "version": ""}
        hello.update(more)
        socket.send_multipart([b"SL1", msgpack.packb(hello)])
        return socket, worker

    def test_workers_messages(self):
        before = self.bad_messages()
        for name, header in HEADERS.items():
            with self.subTest(name):
                self.socket(zmq.DEALER, self.fleet.endpoint + ".workers").send_multipart([b"SL1", header])
        stranger = self.socket(zmq.DEALER, self.fleet.endpoint + ".workers")
        for frames in ([b"SL2", b"\x80"], [b""], [b"SL1"], [b"", b"SL1", b"\x80"]):
            stranger.send_multipart(frames)
        for kind in ("beat", "fetch", "found", "scanned", "gathered", "step", "done", "unit_done", "fail", "bye", "nonsense"):
            stranger.send_multipart([b"SL1", msgpack.packb({"type": kind, "req": 1})])
        self.assertTrue(self.answer(stranger)["who"])  # who are you?
        self.counts("bad messages", self.bad_messages, before, len(HEADERS) + 4)

    def test_workers_fields_of_wrong_types(self):
        """A member whose messages have the right names and nothing else."""
        socket, _ = self.hello(stage="alert", pool="alert")
        self.assertEqual(self.answer(socket)["type"], "welcome")
        before = self.bad_messages()
        kinds = ("beat", "fetch", "found", "scanned", "gathered", "step", "done", "unit_done", "fail", "take", "took", "reload_refused")
        for kind in kinds:
            socket.send_multipart([b"SL1", msgpack.packb({"type": kind, "req": "x", "token": 7, "held": {}, "pieces": "p", "code": 1, "worker": []})])
        self.counts("wrong fields", self.bad_messages, before, len(kinds))
        socket.send_multipart([b"SL1", msgpack.packb({"type": "bye"})])

    def test_workers_stranger_says_that_one_exited(self):
        """A death is believed of the supervisor that the worker named in its hello, and of nobody else."""
        members = self.fleet.members()
        stranger = self.socket(zmq.DEALER, self.fleet.endpoint + ".workers")
        token = {"job": self.job, "unit": "chunk", "stream": 0, "seq": 0, "attempt": 1, "nonce": 1}
        for n, (worker, stage) in enumerate(members.values(), 1):
            for crashed in (False, True):
                stranger.send_multipart([b"SL1", msgpack.packb({"type": "exited", "req": n, "worker": worker, "cause": "I say so", "crashed": crashed,
                                                                "token": token, "stage": stage, "pieces": []})])
                self.assertEqual(self.answer(stranger)["req"], n)
        self.assertEqual(self.fleet.members(), members)
        self.assertEqual(self.fleet.job(self.job).get("dead", []), [])
        self.assertNotIn("I say so", json.dumps(self.fleet.request("pools")))

    def test_connections_that_come_and_go(self):
        """Bounded churn at every socket: nothing of it stays."""
        brokers = self.fleet.pids("broker")
        files = lambda: sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in brokers)
        before = files()
        targets = [(zmq.DEALER, self.fleet.endpoint), (zmq.DEALER, self.fleet.endpoint + ".workers"), (zmq.SUB, self.fleet.endpoint + ".events")]
        targets += [(zmq.PUSH, self.endpoint_of(stage)) for stage in ("ingest", "preprocess", "detect", "annotate", "alert")]
        for n in range(40):
            for kind, endpoint in targets:
                socket = zmq.Context.instance().socket(kind)
                socket.setsockopt(zmq.LINGER, 0)
                socket.connect(endpoint)
                if kind == zmq.SUB:
                    socket.subscribe("job")
                elif n % 2:
                    socket.send_multipart([b"SL1", b"\xc0"], zmq.NOBLOCK)
                socket.close()
        kit.eventually("the broker closed what came and went", lambda: files() <= before + 8, 20)

    def test_workers_wrong_hellos(self):
        for more in ({"stage": "cook"}, {"worker": "another"}, {"worker": ""}, {"endpoints": []}, {"stage": "ingest", "roots": []},
                     {"stage": 7}, {"endpoints": "x"}, {"slots": "many"}, {"pid": -2**63 - 0, "slots": 2**40}, {"worker": None}):
            with self.subTest(more):
                socket, _ = self.hello(**more)
                self.assertEqual(self.answer(socket)["type"], "refused")
        # One of another engine would change the bytes of its pool.
        pool = next(p["pool"] for p in self.fleet.request("pools")["pools"] if p["stage"] == "detect")
        socket, _ = self.hello(stage="detect", pool=pool, engine="another")
        self.assertEqual(self.answer(socket)["code"], "CONFLICT")

    def test_workers_text_that_is_no_utf8(self):
        for field in ("host", "pool", "engine", "version"):
            with self.subTest(field):
                worker = uuid.uuid4().hex
                socket = self.socket(zmq.DEALER, self.fleet.endpoint + ".workers", id=worker)
                hello = {"type": "hello", "worker": worker, "stage": "alert", "endpoints": ["ipc:///nowhere/at/all"]}
                packed = msgpack.packb(hello)
                packed = bytes([packed[0] + 1]) + packed[1:] + msgpack.packb(field) + raw_text(b"h\xff\xfe")
                socket.send_multipart([b"SL1", packed])
                self.assertIn(self.answer(socket)["type"], ("refused", "welcome"))
                self.fleet.request("pools")  # can be read
                socket.send_multipart([b"SL1", msgpack.packb({"type": "bye"})])

    def test_workers_leases_of_another_kind(self):
        """A member that answers a lease as if it were one of another unit, and one with numbers out of range."""
        socket, _ = self.hello(stage="alert", pool="alert", endpoints=["ipc:///nowhere/at/all"])
        self.assertEqual(self.answer(socket)["type"], "welcome")
        tokens = [{"job": self.job, "unit": unit, "stream": stream, "seq": seq, "attempt": 1, "nonce": 1}
                  for unit in ("scan", "chunk", "final", "sweep", "deliver", "", "x") for stream in (-1, 0, 2**31 - 1) for seq in (-2**63, 0, 2**63 - 1)]
        for n, token in enumerate(tokens):
            for kind in ("fetch", "found", "scanned", "gathered", "step", "done", "unit_done", "fail"):
                socket.send_multipart([b"SL1", msgpack.packb({"type": kind, "req": n * 10, "token": token, "stream": 2**31 - 1, "names": ["x"]}), b"\x80"])
        kit.eventually("the last request was answered", lambda: self.answer(socket).get("req") == (len(tokens) - 1) * 10)
        socket.send_multipart([b"SL1", msgpack.packb({"type": "bye"})])

    def test_workers_lease_in_wrong_hands(self):
        """A stand-in for ingest gets a scan, and treats its token as a chunk's, before it lets it go."""
        for pid in self.fleet.pids("ingest"):
            self.succeed(self.job)
            self.fleet.kill(pid)
            kit.eventually("ingest is lost", lambda p=pid: not self.fleet.id_of(p), 20)
        socket, worker = self.hello(stage="ingest", pool="ingest")
        job = self.fleet.submit("a.mp4", params={"sample_fps": 1})
        token = None
        deadline = time.monotonic() + 20
        while token is None and time.monotonic() < deadline:
            message = self.answer(socket)
            if message["type"] == "task":
                token = message["token"]
        self.assertEqual((token["unit"], token["job"]), ("scan", job))
        state = msgpack.packb({"x": 1})
        for n, kind in enumerate(("fetch", "gathered", "step", "done", "scanned", "unit_done"), 1):
            socket.send_multipart([b"SL1", msgpack.packb({"type": kind, "req": n, "token": token, "stream": 3, "pieces": []}), state])
        self.assertEqual(self.fleet.request("ping")["ok"], True)
        socket.send_multipart([b"SL1", msgpack.packb({"type": "bye"})])
        self.fleet.worker("ingest")
        self.succeed(job)
        self.assertNotIn(worker, [w for w, _ in self.fleet.members().values()])

    # the PULL sockets of workers

    def endpoint_of(self, stage):
        worker = next(w for w, s in self.fleet.members().values() if s == stage)
        return "ipc://" + os.path.join(self.fleet.settings["broker"]["run_dir"], worker)

    def worker_of(self, stage):
        return next(w for w, s in self.fleet.members().values() if s == stage)

    def test_pull_messages(self):
        big = msgpack.packb({"type": "chunk", "x": b"\0" * (65 << 20)})
        others = ([b"SL2", b"\x80"], [b""], [b"SL1"], [b"SL1", big], [b"SL1", msgpack.packb({"type": "nonsense"})])
        for stage in ("ingest", "preprocess", "detect", "annotate", "alert"):
            worker = self.worker_of(stage)
            before = self.refused_by(worker)
            socket = self.socket(zmq.PUSH, self.endpoint_of(stage))
            for header in HEADERS.values():
                socket.send_multipart([b"SL1", header, b"payload"])
            for frames in others:
                socket.send_multipart(frames)
            # The large one is cut off with its connection, and what came behind it.
            self.counts(f"what {stage} refuses", lambda w=worker: self.refused_by(w), before, len(HEADERS) + 3)

    def test_pull_wrong_contents(self):
        """Data messages that are none: without fields, with wrong ones, with numbers that ask for the moon."""
        home = next(w for w, s in self.fleet.members().values() if s == "annotate")
        pool = {"name": "detect/x@1", "width": 0, "height": 0}
        row = {"batches": 2**31 - 1, "frames": 2**31 - 1}
        token = {"job": "none", "unit": "chunk", "stream": -5, "seq": -5, "attempt": 1, "nonce": 1}
        spec = {"job": "none", "pools": [pool]}
        messages = [{"type": t} for t in ("chunk", "batch", "source", "detections", "render", "task", "expect", "nudge")]
        messages += [
            {"type": "chunk", "token": token, "home": home, "spec": spec, "row": row, "stream": {"width": -1, "height": 2**31 - 1}},
            {"type": "chunk", "token": token, "home": home, "spec": {"pools": [dict(pool, width=-7, height=2**31 - 1)]}, "row": {"batches": 3}, "stream": {"width": 64, "height": 64}},
            {"type": "batch", "token": token, "home": home, "spec": pool, "frames": [{"frame": 1}] * 16},
            {"type": "batch", "token": token, "home": home, "spec": dict(pool, width=-1, height=-1), "frames": [{"frame": 1}]},
            {"type": "batch", "token": token, "home": home, "spec": dict(pool, width=2**31 - 1, height=2**31 - 1), "frames": []},
            {"type": "detections", "token": token, "pool": -9, "batch": -9, "detections": {"frames": [{"frame": -1}]}},
            {"type": "source", "token": dict(token, stream="x")},
            {"type": "batch", "token": token, "frames": {"a": 1}},
        ]
        for stage in ("ingest", "preprocess", "detect", "annotate", "alert"):
            socket = self.socket(zmq.PUSH, self.endpoint_of(stage))
            for message in messages:
                for payload in ([], [b""], [b"\xff" * 999]):
                    socket.send_multipart([b"SL1", msgpack.packb(message), *payload])

    def test_pull_takes_no_orders(self):
        """A task comes from the broker alone: a sweep that a stranger sends to a worker removes nothing."""
        kept = self.succeed(self.fleet.submit("a.mp4", params={"sample_fps": 1, "exporters": ["json"]}))["job"]
        before = kit.digests(self.fleet.folder_of(kept))
        socket = self.socket(zmq.PUSH, self.endpoint_of("annotate"))
        for unit in ("sweep", "final"):
            socket.send_multipart([b"SL1", msgpack.packb({"type": "task", "token": {"job": kept, "unit": unit, "attempt": 9, "nonce": 9}, "keep_outputs": False,
                                                          "spec": {"job": kept, "output": {"root": "out", "path": "."}}})])
        orders = [{"type": "drain", "deadline_ms": 1}, {"type": "reload", "deadline_ms": 1}, {"type": "die", "message": "stuck"},
                  {"type": "refused", "code": "CONFLICT", "message": "go"}, {"type": "peers", "epoch": 2**63, "n": 9, "workers": []},
                  {"type": "beat_answer", "epoch": 2**63, "who": True}, {"type": "welcome", "epoch": 2**63},
                  {"type": "expect", "epoch": 2**63, "n": 1, "token": {"job": kept, "unit": "chunk", "stream": 0}}, {"type": "nudge"}, {"type": "answer", "req": 1}]
        members = self.fleet.members()
        for stage in ("ingest", "preprocess", "detect", "annotate", "alert"):
            worker = self.worker_of(stage)
            refused = self.refused_by(worker)
            push = self.socket(zmq.PUSH, self.endpoint_of(stage))
            for order in orders:
                push.send_multipart([b"SL1", msgpack.packb(order)])
            self.counts(f"orders to {stage}", lambda w=worker: self.refused_by(w), refused, len(orders))
        self.assertEqual(self.fleet.members(), members)
        self.goes_on()  # the worker has done what was queued before
        self.assertEqual(kit.digests(self.fleet.folder_of(kept)), before)
        self.job = self.fleet.submit("a.mp4", params={"sample_fps": 1})

    # messages of the fleet's own, sent again

    def overhear(self, stage, kind):
        """A stand-in among the workers of a stage, until it got a message of this kind. Says its frames."""
        pool = next(p for p in self.fleet.request("pools")["pools"] if p["stage"] == stage)
        pull = zmq.Context.instance().socket(zmq.PULL)
        self.addCleanup(pull.close)
        endpoint = "ipc://" + os.path.join(tempfile.mkdtemp(dir=self.fleet.folder), "pull")
        pull.bind(endpoint)
        socket, _ = self.hello(stage=stage, pool=pool["pool"], engine="another")
        engine = self.answer(socket)["message"].split(" runs '")[2].split("'")[0]  # "… its pool P runs 'ENGINE': …"
        socket, _ = self.hello(stage=stage, pool=pool["pool"], engine=engine, host=pool["workers"][0]["host"], endpoints=[endpoint])
        epoch = self.answer(socket)["epoch"]
        deadline = time.monotonic() + 60
        job = self.fleet.submit("a.mp4", params={"sample_fps": 0})
        try:
            while time.monotonic() < deadline:
                socket.send_multipart([b"SL1", msgpack.packb({"type": "beat", "epoch": epoch, "peers": 2**40})])
                while socket.poll(0):
                    socket.recv_multipart()
                if pull.poll(100):
                    frames = pull.recv_multipart()
                    self.assertEqual(msgpack.unpackb(frames[1])["type"], kind)
                    return job, frames
                if self.fleet.job(job)["state"] != "running" and self.fleet.job(job)["state"] != "queued":
                    job = self.fleet.submit("a.mp4", params={"sample_fps": 0})
            raise AssertionError(f"no {kind} was sent to the stand-in")
        finally:
            socket.send_multipart([b"SL1", msgpack.packb({"type": "bye"})])

    def replay(self, stage, job, frames):
        """The message goes where it should have gone; and again, and again for a job that is not there."""
        header = msgpack.unpackb(frames[1])
        elsewhere = dict(header, token=dict(header["token"], job="01NONE"))
        socket = self.socket(zmq.PUSH, self.endpoint_of(stage))
        for copy in (frames, frames, frames, [frames[0], msgpack.packb(elsewhere), *frames[2:]]):
            socket.send_multipart(copy)
        self.succeed(job)
        for copy in (frames, frames):  # long after
            socket.send_multipart(copy)
        home = self.socket(zmq.PUSH, self.endpoint_of("annotate"))
        for token in (header["token"], elsewhere["token"]):  # of a chunk that is over, and of none
            home.send_multipart([b"SL1", msgpack.packb({"type": "source", "token": token}), *frames[2:]])
            home.send_multipart([b"SL1", msgpack.packb({"type": "detections", "token": token, "pool": 0, "batch": 0, "detections": {"frames": []}})])

    def test_a_chunk_is_sent_again(self):
        job, frames = self.overhear("preprocess", "chunk")
        self.replay("preprocess", job, frames)

    def test_a_batch_is_sent_again(self):
        job, frames = self.overhear("detect", "batch")
        self.replay("detect", job, frames)


if __name__ == "__main__":
    kit.main()
