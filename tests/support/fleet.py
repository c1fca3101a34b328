"""A fleet of real processes for the system tests: started once a file by `sightline up`, in a folder of its own.

  Fleet.kill / worker / broker     single processes, ended by pid
  Fleet.submit / follow / request  the jobs socket, as PROTOCOL.md section 3 has it
  Fleet.audit                      rows of the audit trail, by psql

Needs Debian's python3-zmq and python3-msgpack; from the environment SIGHTLINE_SOURCE_DIR, SIGHTLINE_BINARY_DIR,
SIGHTLINE_VTEST (the demo clip) and SIGHTLINE_MODEL_PATH. Skips without clip or model (status 77), or fails when
SIGHTLINE_REQUIRE_DATA=1.
"""
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

import msgpack
import zmq

SOURCE = os.environ["SIGHTLINE_SOURCE_DIR"]
PROGRAM = os.path.join(os.environ["SIGHTLINE_BINARY_DIR"], "sightline")
CLIP = os.environ.get("SIGHTLINE_VTEST") or os.path.join(SOURCE, ".sightline/clips/vtest.avi")
os.environ.setdefault("SIGHTLINE_MODEL_PATH", os.path.join(SOURCE, ".sightline/models"))
PROTOCOL = b"SL1"
TERMINAL = ("succeeded", "failed", "canceled")


# --- helpers that need no fleet -------------------------------------------------------------------------------

def eventually(what, condition, limit_s=120, every_s=0.02):
    """Waits until condition() is true and returns its value; fails, naming `what`, after limit_s."""
    deadline = time.monotonic() + limit_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {limit_s} s: {what}")
        time.sleep(every_s)


def sightline(*words, **more):
    """Runs the program to its end; says what it printed and its status."""
    more.setdefault("timeout", 240)
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, check=False, **more)


def clip(path, seconds, gop=10, start=0):
    """A part of the demo clip (10 frames a second, pedestrians) with a keyframe each `gop` frames, so that it is
    many chunks: 20 frames each."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-ss", str(start), "-i", CLIP, "-t", str(seconds), "-an", "-c:v", "libx264",
                    "-preset", "ultrafast", "-threads", "1", "-g", str(gop), "-bf", "0", path], check=True, timeout=60)
    return path


def digests(folder):
    """{path below folder: SHA-256 of the file}, but the manifest is there as text, without the job's id."""
    found = {}
    for at, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(at, name)
            with open(path, "rb") as file:
                data = file.read()
            if name == "manifest.json":
                found[name] = data.decode().replace(json.dumps(json.loads(data)["job_id"]), '"JOB"')
            else:
                found[os.path.relpath(path, folder)] = hashlib.sha256(data).hexdigest()
    return found


def frames_in(video):
    """How many frames ffprobe decodes of a video."""
    done = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v:0", "-count_frames", "-show_entries",
                           "stream=nb_read_frames", "-of", "csv=p=0", video], capture_output=True, text=True, check=True, timeout=60)
    return int(done.stdout.strip().strip(","))


def started_at(pid):
    """When a process was started, in the kernel's ticks; None when it is gone (or a zombie)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def balanced(counters):
    return counters["read"] == counters["annotated"] + sum(counters["dropped"].values())


class Refused(Exception):
    """The broker said no: code, message, hint."""

    def __init__(self, reply):
        super().__init__(f"{reply.get('code')}: {reply.get('message')}: {reply.get('hint')}")
        self.code = reply.get("code")
        self.text = f"{reply.get('message')} {reply.get('hint')}"


def unlock(socket, key_file):
    """A socket that connects with the keys of this file (`sightline keys`)."""
    with open(key_file, encoding="utf-8") as file:
        keys = json.load(file)
    own = keys.get("client") or keys["worker"]
    socket.curve_serverkey = keys["server"]["public"].encode()
    socket.curve_publickey, socket.curve_secretkey = own["public"].encode(), own["secret"].encode()


class Client:
    """One DEALER on the jobs socket; a request without an answer is sent again, to the next broker of `endpoint`
    (one, or several with commas between)."""

    def __init__(self, endpoint, key_file=None):
        self.endpoints = endpoint.split(",")
        self.key_file = key_file
        self.socket = None
        self._connect()

    def _connect(self):
        self.close()
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RECONNECT_IVL, 50)
        if self.key_file:
            unlock(self.socket, self.key_file)
        self.socket.connect(self.endpoints[0])

    def request(self, limit_s=30, **fields):
        req = uuid.uuid4().hex
        message = [PROTOCOL, msgpack.packb(dict(fields, req=req))]
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            self.socket.send_multipart(message)
            again = min(deadline, time.monotonic() + (0.5 if len(self.endpoints) > 1 else 2))
            while self.socket.poll(max(0, int((again - time.monotonic()) * 1000))):
                reply = msgpack.unpackb(self.socket.recv_multipart()[1], strict_map_key=False)
                if reply.get("req") != req:
                    continue
                if not reply["ok"]:
                    raise Refused(reply)
                return reply
            if len(self.endpoints) > 1:
                self.endpoints.append(self.endpoints.pop(0))
                self._connect()
        raise AssertionError(f"the broker did not answer {fields.get('type')} within {limit_s} s")

    def close(self):
        if self.socket:
            self.socket.close()


# --- the fleet ------------------------------------------------------------------------------------------------

class Fleet:
    """folder/media and folder/results are its roots `media` and `out`; results are in folder/results/{job}."""

    def __init__(self, restart=False, **workers):
        self.folder = tempfile.mkdtemp(prefix="sl-fleet-")
        self.media = os.path.join(self.folder, "media")
        self.results = os.path.join(self.folder, "results")
        self.state = os.path.join(self.folder, "st")
        self.started = []  # processes that we started, [(name, Popen)]
        self.ended = set()  # pids that a test ended on purpose
        self.client = None
        self.processes = {}
        try:
            os.chmod(self.folder, 0o755)  # PostgreSQL runs as another user, and has to pass
            os.makedirs(self.media)
            os.makedirs(self.results)
            base = os.path.join(self.folder, "base.yaml")
            with open(base, "w", encoding="utf-8") as out:
                json.dump({"roots": {"media": self.media, "out": self.results}, "output": {"root": "out", "path": "."}}, out)
            counts = [word for stage, n in workers.items() for word in (f"--{stage}", str(n))]
            done = sightline("up", "--config", base, "--state", self.state, "--json", "--model", default_model(), *counts,
                             *([] if restart else ["--no-restart"]))
            if done.returncode != 0:
                raise AssertionError(f"the fleet did not start: {done.stdout}{done.stderr}")
            up = json.loads(done.stdout)
            self.config = up["config"]
            self.endpoint = up["broker"]
            self.processes = {p["name"]: p["pid"] for p in up["processes"]}
            self.born = {name: started_at(pid) for name, pid in self.processes.items()}
            self.settings = json.loads(sightline("config", "show", "--json", "--config", self.config).stdout)
            self.env = dict(os.environ, SIGHTLINE_CONFIG=self.config)
            self.client = Client(self.endpoint)
        except BaseException:
            self.down()
            raise

    def down(self):
        if self.client:
            self.client.close()
        for _, process in self.started:
            if process.poll() is None:
                process.terminate()
        for _, process in self.started:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if os.path.exists(self.state):
            sightline("down", "--state", self.state)
        shutil.rmtree(self.folder, ignore_errors=True)

    # processes

    def _start(self, name, words):
        log = open(os.path.join(self.folder, f"{name}-{len(self.started)}.log"), "w", encoding="utf-8")
        with log:
            process = subprocess.Popen([PROGRAM, *words, "--config", self.config, "--broker", self.endpoint],
                                       stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.started.append((name, process))
        return process

    def broker(self):
        return self._start("broker", ["broker"])

    def worker(self, stage, model=None):  # pylint: disable=redefined-outer-name
        """Starts a worker; waits until the broker has taken it in. Says the process."""
        words = ["worker", stage] + (["--model", model or default_model()] if stage == "detect" else [])
        process = self._start(stage, words)
        eventually(f"{stage} {process.pid} joins", lambda: self.id_of(process.pid))
        return process

    def pids(self, stage):
        """Living processes of a stage (or the broker), by pid."""
        names = [pid for name, pid in self.processes.items() if name.split("-")[0] == stage and started_at(pid) == self.born[name]]
        return names + [p.pid for name, p in self.started if name == stage and p.poll() is None]

    def kill(self, pid, number=signal.SIGKILL):
        """Ends a process of the fleet; a killed one is gone when this returns."""
        self.ended.add(pid)
        mine = [p for _, p in self.started if p.pid == pid]
        os.kill(pid, number)
        if number == signal.SIGKILL:
            if mine:
                mine[0].wait(20)
            eventually(f"{pid} is gone", lambda: started_at(pid) is None, 20)

    def dead(self):
        """Processes that ended although no test ended them: [(name, end of its log)]."""
        logs = os.path.join(self.state, "logs")
        gone = []
        for name, pid in self.processes.items():
            if pid not in self.ended and started_at(pid) != self.born[name]:
                gone.append((name, os.path.join(logs, name + ".log")))
        for i, (name, process) in enumerate(self.started):
            if process.pid not in self.ended and process.poll() is not None:
                gone.append((f"{name} (status {process.returncode})", os.path.join(self.folder, f"{name}-{i}.log")))
        ends = []
        for name, log in gone:
            with open(log, encoding="utf-8", errors="replace") as file:
                ends.append((name, file.read()[-1500:]))
        return ends

    # requests

    def request(self, type, **fields):  # pylint: disable=redefined-builtin
        return self.client.request(type=type, **fields)

    def submit(self, *paths, root="media", **fields):
        return self.request("submit", inputs=[{"root": root, "path": p} for p in paths], key=uuid.uuid4().hex, **fields)["job"]

    def job(self, job):
        return self.request("job", job=job)["job"]

    def follow(self, job, limit_s=180, swept=False):
        """Waits for the end of a job; with swept, until nothing but its results is left."""
        def ended():
            now = self.job(job)
            return now if now["state"] in TERMINAL and (now["swept"] or not swept) else None
        return eventually(f"job {job} ends", ended, limit_s, 0.05)

    def midway(self, job, chunks=1):
        """Waits until a job has so many chunks done, and is far from its end. Says the job."""
        def there():
            now = self.job(job)
            if now["state"] in TERMINAL:
                raise AssertionError(f"job {job} ended before it was looked at: {now['state']} {now.get('error')}")
            return now if now["chunks_done"] >= chunks else None
        now = eventually(f"job {job} is in the middle", there, every_s=0.005)
        if now["chunks_done"] >= now["chunks_total"]:
            raise AssertionError(f"job {job} had no chunk left when it was looked at")
        return now

    def folder_of(self, job):
        return os.path.join(self.results, job)

    def log(self, topic=""):
        """All events that the broker keeps, in order."""
        entries, since = [], ""
        while True:
            page = self.request("log", topics=[topic], **({"since": since} if since else {}))
            entries += page["entries"]
            if page["last"] == since or not page["last"]:
                return entries
            since = page["last"]

    def members(self):
        """{pid: (worker, stage)} of those that the broker knows, for batch work: processes serve live work besides."""
        return {w["pid"]: (w["worker"], pool["stage"]) for pool in self.request("pools")["pools"] for w in pool["workers"]
                if not pool["stage"].startswith("live/")}

    def id_of(self, pid):
        return self.members().get(pid, (None, None))[0]

    def audit(self, where="true"):
        """Rows of the audit trail: [{epoch, n, topic, kind, job, body}], in the order of their ids."""
        psql = shutil.which("psql") or ""
        query = ("SELECT coalesce(json_agg(r), '[]') FROM (SELECT epoch, n, topic, kind, job, body FROM sightline.audit "
                 f"WHERE {where} ORDER BY epoch, n) r")
        done = subprocess.run([psql, "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.settings["postgres"]["dsn"], "-c", query],
                              capture_output=True, text=True, check=True, timeout=30)
        return json.loads(done.stdout)


# --- a test file ----------------------------------------------------------------------------------------------

_model = []


def default_model():
    """The model that these tests detect with: yolox_nano, else what has its weights here, else hog_people."""
    if not _model:
        listed = json.loads(sightline("models", "list", "--json", cwd=SOURCE).stdout)["models"]
        usable = [m["model"] for m in listed if m["usable"] and m["file"]]
        _model.append("yolox_nano" if "yolox_nano" in usable else (usable or ["hog_people"])[0])
    return _model[0]


class FleetTest(unittest.TestCase):
    """One fleet a class, `self.fleet`; after each test every process is still there that no test ended."""
    workers = {}

    @classmethod
    def setUpClass(cls):
        cls.fleet = Fleet(**cls.workers)
        try:
            cls.prepare()
        except BaseException:
            cls.fleet.down()
            raise

    @classmethod
    def prepare(cls):
        """Clips and what else all tests of the class want."""

    @classmethod
    def tearDownClass(cls):
        cls.fleet.down()

    def setUp(self):
        self.addCleanup(lambda: self.assertEqual(self.fleet.dead(), [], "processes that ended unasked"))

    def succeed(self, job, **more):
        """Follows a job to a good end: succeeded, every frame accounted for. Says the job."""
        now = self.fleet.follow(job, **more)
        self.assertEqual(now["state"], "succeeded", now.get("error"))
        for stream in now["streams"]:
            self.assertTrue(balanced(stream["counters"]), stream)
            self.assertEqual(stream["counters"]["read"], stream["frames"])
        self.assertTrue(now["reconciliation"]["balanced"], now["reconciliation"])
        return now

    def assert_same(self, folder, reference):
        """The same files with the same bytes."""
        got = digests(folder)
        self.assertEqual(got.keys(), reference.keys())
        self.assertMultiLineEqual(got["manifest.json"], reference["manifest.json"], f"manifest of {folder}")
        self.assertEqual([path for path in got if got[path] != reference[path]], [], f"files that differ in {folder}")


def main():
    """Runs the tests of the file; status 77 without clip or model."""
    sys.dont_write_bytecode = True
    why = None
    if not os.path.exists(CLIP):
        why = f"there is no clip {CLIP}; run scripts/setup"
    elif not os.path.exists(PROGRAM):
        why = f"there is no program {PROGRAM}; build it"
    elif default_model() == "hog_people":
        why = "there are no weights of a model; run scripts/setup"
    if why:
        print("skipped:", why)
        sys.exit(1 if os.environ.get("SIGHTLINE_REQUIRE_DATA") == "1" else 77)
    unittest.main(verbosity=2)
