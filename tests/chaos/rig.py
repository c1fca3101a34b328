"""The fleet under test: Redis, PostgreSQL, brokers and workers as processes of ours, each known by its pid.

No supervisor and no `sightline up`: who is killed here comes back only when the adversary starts it again.
Results lie on a small file system of their own, so that it can be filled. Needs root for that (and runs
PostgreSQL as user postgres, as it demands).
"""
import ctypes
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import fleet as kit

RESULTS_MB = 192
STAGES = ("ingest", "preprocess", "detect", "annotate", "alert")
LIBC = ctypes.CDLL(None, use_errno=True)
NEEDS = ("redis-server", "psql", "setpriv", "ss", "mount", "ffmpeg")


def missing():
    """What this machine lacks for a rig; empty: nothing."""
    if os.geteuid() != 0:
        return "this is not root: run it with sudo"
    for program in NEEDS:
        if not shutil.which(program):
            return f"there is no {program}: run scripts/setup --tests"
    if not os.path.exists(kit.PROGRAM):
        return f"there is no {kit.PROGRAM}: build it"
    if not os.path.exists(kit.CLIP):
        return f"there is no clip {kit.CLIP}: run scripts/setup"
    return ""


class Process:
    """One process of the fleet. `stage`: redis, postgres, broker or a worker's; `killed` when we ended it."""

    def __init__(self, name, words, log, env=None):
        self.name = name
        self.stage = name.split("-")[0]
        self.words = words
        self.log = log
        self.stopped = False
        self.env = env
        with open(log, "ab") as out:
            self.popen = subprocess.Popen(words, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=env,
                                          preexec_fn=lambda: LIBC.prctl(1, signal.SIGKILL))  # dies with us
        self.pid = self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def signal(self, number):
        if self.alive():
            os.kill(self.pid, number)
            self.stopped = number == signal.SIGSTOP or (self.stopped and number != signal.SIGCONT)

    def kill(self):
        """SIGKILL; the process and its children are gone when this returns."""
        children = children_of(self.pid)
        self.signal(signal.SIGKILL)
        for pid in children:  # PostgreSQL's, which have sessions of their own
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.popen.wait(20)
        kit.eventually(f"the children of {self.name} are gone", lambda: all(kit.started_at(p) is None for p in children), 20)

    def cpu_s(self):
        """CPU seconds used so far; 0 when it is gone."""
        try:
            with open(f"/proc/{self.pid}/stat", encoding="utf-8") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except OSError:
            return 0.0


def children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def free_ports(count):
    """The first of `count` neighbours on the loopback, outside the range that the kernel gives to clients: a
    client that connects while nobody listens would else meet itself now and then."""
    while True:
        first = random.SystemRandom().randrange(20000, 30000, 4)
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue


class Rig:
    """folder/media and folder/results are the roots `media` and `out`. `off`: see proof_test.py."""

    def __init__(self, workers, brokers=2, off="", folder=None, retention=None):
        self.folder = folder or tempfile.mkdtemp(prefix="sl-chaos-")
        os.chmod(self.folder, 0o755)  # PostgreSQL runs as another user, and has to pass
        self.media, self.results, self.logs, self.run = (self.path(n) for n in ("media", "results", "logs", "run"))
        for name in (self.media, self.results, self.logs, self.run):
            os.makedirs(name, exist_ok=True)
        self.alerts = self.path("alerts.jsonl")
        self.redis_path = self.path("redis.sock")
        self.dsn = f"host={self.path('postgres')} user=sightline dbname=postgres"
        self.endpoints = [f"ipc://{self.path('a')}", f"tcp://127.0.0.1:{free_ports(3)}"][:brokers]
        self.off = off
        self.retention = retention or {}
        self.processes = {}  # name → Process, the latest of that name
        self.everyone = []  # all that ever were
        self.bodies = {}  # pid → name
        self.led = {}  # epoch → pid of the broker that led, by the brokers' logs
        self.waited = set()  # pids of brokers that waited for the lead
        self.read = {}  # log → bytes of it that were read for these two
        self.mounted = False
        self.workers = [f"{stage}-{i}" for stage in STAGES for i in range(1, workers.get(stage, 0) + 1)]
        self.brokers = [f"broker-{i + 1}" for i in range(brokers)]

    def path(self, *names):
        return os.path.join(self.folder, *names)

    # --- start

    def start(self):
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={RESULTS_MB}m,mode=755", "sightline-chaos", self.results], check=True)
        self.mounted = True
        config = {
            "roots": {"media": self.media, "out": self.results}, "output": {"root": "out", "path": "."},
            "broker": {"endpoint": ",".join(self.endpoints), "run_dir": self.run},
            "redis": {"url": "unix://" + self.redis_path}, "postgres": {"dsn": self.dsn},
            # Room for every chunk at the homes that are left: what waits, waits for a lost lease and not for a slot.
            "limits": {"chunks_in_flight": 2, "home_slots": 6},
            "retention": self.retention, "alerts": {"targets": [{"name": "file", "sink": "log", "options": {"path": self.alerts}}]},
            "log": {"level": "debug", "format": "json"},
        }
        self._write("fleet.yaml", config)
        # Data links of these go over tcp: such a connection can be cut, a unix socket's cannot.
        config["broker"]["run_dir"] = ""
        self._write("tcp.yaml", config)
        self.start_redis()
        self.init_postgres()
        self.start_postgres()
        for name in self.brokers:
            self.launch(name)
            kit.eventually("the first broker leads", lambda: self.log_lines("broker", "leading"))
        for name in self.workers:
            self.launch(name)

    def _write(self, name, config):
        with open(self.path(name), "w", encoding="utf-8") as out:
            json.dump(config, out, indent=1)

    def _start(self, name, words, env=None):
        process = Process(name, words, os.path.join(self.logs, name + ".log"), env)
        self.processes[name] = process
        self.everyone.append(process)
        self.bodies[process.pid] = name
        return process

    def launch(self, name):
        """Starts a broker or a worker by its name."""
        stage, number = name.rsplit("-", 1)
        env = dict(os.environ)
        env.pop("SIGHTLINE_TEST_OFF", None)
        if stage == "broker":
            if self.off:
                env["SIGHTLINE_TEST_OFF"] = self.off
            words = ["broker", "--config", self.path("fleet.yaml"), "--broker", self.endpoints[int(number) - 1]]
        elif stage in ("detect", "annotate"):
            words = ["worker", stage, "--config", self.path("tcp.yaml"), "--bind", "127.0.0.1"]
            words += ["--model", kit.default_model()] if stage == "detect" else []
        else:
            words = ["worker", stage, "--config", self.path("fleet.yaml")]
        return self._start(name, [kit.PROGRAM, *words], env)

    def start_redis(self):
        os.makedirs(self.path("redis"), exist_ok=True)
        self._start("redis", ["redis-server", "--port", "0", "--unixsocket", self.redis_path, "--dir", self.path("redis"), "--save", "",
                              "--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"])

    @staticmethod
    def _as_postgres(words):
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig=QUIT", *words]

    def init_postgres(self):
        self.bin = sorted(os.path.join(at, "") for at, _, names in os.walk("/usr/lib/postgresql") if "initdb" in names)[-1]
        os.makedirs(self.path("postgres"))
        shutil.chown(self.path("postgres"), "postgres", "postgres")
        subprocess.run(self._as_postgres([self.bin + "initdb", "-D", self.path("postgres", "data"), "-U", "sightline", "-E", "UTF8",
                                          "--locale=C", "-A", "trust", "--no-sync"]), check=True, capture_output=True, cwd="/")

    def start_postgres(self):
        self._start("postgres", self._as_postgres(
            [self.bin + "postgres", "-D", self.path("postgres", "data"), "-c", "listen_addresses=", "-c", "unix_socket_directories=" + self.path("postgres"),
             "-c", "shared_buffers=32MB", "-c", "dynamic_shared_memory_type=mmap", "-c", "logging_collector=off"]))

    def revive(self, name):
        """Starts again what was ended, whatever it is."""
        if self.processes[name].alive():
            return
        if name == "redis":
            self.start_redis()
        elif name == "postgres":
            self.start_postgres()
        else:
            self.launch(name)

    # --- look

    def alive(self, *stages):
        """Names of living processes that are not stopped."""
        return [n for n, p in self.processes.items() if p.stage in stages and p.alive() and not p.stopped]

    def unasked(self, asked):
        """Processes that ended although nobody ended them: [(name, status, end of the log)]."""
        gone = []
        for p in self.everyone:
            if not p.alive() and p.pid not in asked:
                with open(p.log, encoding="utf-8", errors="replace") as file:
                    gone.append((p.name, p.popen.returncode, file.read()[-800:]))
        return gone

    def _read_brokers(self):
        for name in self.brokers:
            log = os.path.join(self.logs, name + ".log")
            with open(log, "rb") as file:
                file.seek(self.read.get(log, 0))
                *lines, rest = file.read().split(b"\n")
                self.read[log] = file.tell() - len(rest)
            for line in lines:
                if b'"leading"' in line:
                    value = json.loads(line)
                    told = dict(w.split("=", 1) for w in value["text"].split())
                    self.led[int(told["epoch"])] = value["pid"]
                elif b'"waiting_for_lead"' in line:
                    self.waited.add(json.loads(line)["pid"])

    def leader_of(self, epoch):
        """Pid of the broker that leads in an epoch; None: its log does not say so yet."""
        self._read_brokers()
        return self.led.get(epoch)

    def standby(self, leader):
        """Does another broker wait for the lead?"""
        self._read_brokers()
        return any(self.processes[n].pid in self.waited for n in self.alive("broker") if n != leader)

    def log_lines(self, stage, *events):
        """Lines of these events in the logs of a stage: [{time_ms, process, pid, event, text}], by time."""
        lines = []
        for name in sorted(os.listdir(self.logs)):
            if name.split("-")[0].split(".")[0] != stage:
                continue
            with open(os.path.join(self.logs, name), encoding="utf-8", errors="replace") as file:
                for line in file:
                    if any(f'"{e}"' in line for e in events):
                        try:
                            value = json.loads(line)
                        except ValueError:
                            continue  # torn by a kill
                        if value.get("event") in events:
                            value["fields"] = dict(w.split("=", 1) for w in value["text"].split() if "=" in w)
                            lines.append(value)
        return sorted(lines, key=lambda v: v["time_ms"])

    # --- end

    def finish(self, limit_s=30):
        """Ends everybody politely, workers first. Says who did not end in time."""
        late = []
        for group, number in ((self.workers, signal.SIGTERM), (self.brokers, signal.SIGTERM),
                              (["postgres"], signal.SIGINT), (["redis"], signal.SIGTERM)):
            living = [self.processes[n] for n in group if n in self.processes and self.processes[n].alive()]
            for p in living:
                p.signal(signal.SIGCONT)
                p.signal(number)
            deadline = time.monotonic() + limit_s
            for p in living:
                try:
                    p.popen.wait(max(0.1, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    late.append(p.name)
                    p.kill()
        return late

    def remove(self, keep=False):
        """The end of everything, also after a failure."""
        for p in self.everyone:
            if p.alive():
                p.signal(signal.SIGCONT)
                p.kill()
        if keep and self.mounted:  # what is kept must outlive the mount
            shutil.copytree(self.results, self.path("results-kept"), dirs_exist_ok=True)
        if self.mounted:
            subprocess.run(["umount", "-l", self.results], check=False)
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)
