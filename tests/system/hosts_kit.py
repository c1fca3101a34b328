"""Several hosts on one machine: network namespaces on a bridge, each with an address of its own.

  client ─┐      stores: Redis, PostgreSQL
  a ──────┤      a: a broker                      b: another, ingest, annotate, alert
  b ──────┼─ bridge (a namespace too)             c: preprocess, detect
  c ──────┤                                       d: annotate
  d ──────┘      all of them see the same files; everything goes over tcp, with keys

The test itself moves to the host `client`. A host is cut off by pulling its cable: the bridge's end of its link goes
down. Nothing of this touches the machine's own network, so that two runs do not meet. Needs root.
"""
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path[:0] = [os.path.join(os.environ["SIGHTLINE_SOURCE_DIR"], "tests", part) for part in ("support", "chaos")]
import fleet as kit  # noqa: E402  pylint: disable=wrong-import-position
import rig  # noqa: E402  pylint: disable=wrong-import-position

HOSTS = {"client": 9, "stores": 8, "a": 1, "b": 2, "c": 3, "d": 4}
NETWORK = "10.83.7"
CLONE_NEWNET = 0x40000000


def ip(*words, check=True):
    # nsenter and not `ip -n`: that remounts, which a chroot does not allow.
    command = ["nsenter", f"--net=/run/netns/{words[1]}", "ip", *words[2:]] if words[0] == "-n" else ["ip", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def address(host):
    return f"{NETWORK}.{HOSTS[host]}"


class Network:
    """The namespaces; their names carry our pid, and those of runs that were killed are removed."""

    def __init__(self):
        for name in ip("netns", "list").split():
            parts = name.split("-")
            if parts[0] == "slh" and len(parts) == 3 and kit.started_at(int(parts[1])) is None:
                ip("netns", "del", name, check=False)
        self.switch = self.name("switch")
        try:
            ip("netns", "add", self.switch)
            ip("-n", self.switch, "link", "add", "bridge", "type", "bridge")
            ip("-n", self.switch, "link", "set", "bridge", "up")
            for host in HOSTS:
                name = self.name(host)
                ip("netns", "add", name)
                ip("-n", name, "link", "set", "lo", "up")
                ip("-n", self.switch, "link", "add", "name", "to-" + host, "type", "veth", "peer", "name", "net", "netns", name)
                ip("-n", self.switch, "link", "set", "to-" + host, "master", "bridge", "up")
                ip("-n", name, "addr", "add", f"{address(host)}/24", "dev", "net")
                ip("-n", name, "link", "set", "net", "up")
        except BaseException:
            self.remove()
            raise

    @staticmethod
    def name(host):
        return f"slh-{os.getpid()}-{host}"

    def enter(self, host):
        """This thread, and the threads and processes it starts from now on, are on that host."""
        with open(f"/run/netns/{self.name(host)}", "rb") as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"cannot enter the namespace of {host}")

    def cut(self, host):
        ip("-n", self.switch, "link", "set", "to-" + host, "down")

    def mend(self, host):
        ip("-n", self.switch, "link", "set", "to-" + host, "up")

    def remove(self):
        for host in [*HOSTS, "switch"]:
            ip("netns", "del", self.name(host), check=False)


class Hosts:
    """The fleet on them. folder/media and folder/results are the roots `media` and `out`."""

    def __init__(self):
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.folder = tempfile.mkdtemp(prefix="sl-hosts-")
        self.media, self.results = os.path.join(self.folder, "media"), os.path.join(self.folder, "results")
        self.processes = []
        self.ended = set()
        self.net = None
        self.client = None
        try:
            os.chmod(self.folder, 0o755)  # PostgreSQL runs as another user, and has to pass
            os.makedirs(self.media)
            os.makedirs(self.results)
            self.net = Network()
            self.net.enter("client")
            self._keys()
            self._configs()
            self._stores()
        except BaseException:
            self.down()
            raise

    # --- start

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def run(self, host, words, name=None, env=None):
        """Starts a program on a host."""
        name = name or words[0]
        process = rig.Process(name, ["nsenter", f"--net=/run/netns/{self.net.name(host)}", *words], self.path(f"{name}-{len(self.processes)}.log"), env)
        self.processes.append(process)
        return process

    def _keys(self):
        for folder in ("keys", "wrong"):
            done = kit.sightline("keys", "new", self.path(folder))
            if done.returncode != 0:
                raise AssertionError(f"keys new: {done.stderr}")

    def _configs(self):
        self.endpoints = {host: f"tcp://{address(host)}:5550" for host in ("a", "b")}
        config = {
            "fleet": {"name": "hosts"},
            "roots": {"media": self.media, "out": self.results}, "output": {"root": "out", "path": "."},
            # No run folder: the namespaces share the machine's name and files, and would take unix sockets.
            "broker": {"endpoint": ",".join(self.endpoints.values()), "run_dir": ""},
            "security": {"keys": self.path("keys", "fleet.key")},
            "redis": {"url": f"redis://{address('stores')}:6379/0"},
            "postgres": {"dsn": f"host={address('stores')} user=sightline dbname=postgres connect_timeout=2"},
            "log": {"format": "json"},
        }
        for name, keys in (("fleet", "keys/fleet.key"), ("client", "keys/client.key"), ("wrong", "wrong/fleet.key"), ("keyless", "")):
            config["security"]["keys"] = self.path(keys) if keys else ""
            with open(self.config(name), "w", encoding="utf-8") as out:
                json.dump(config, out)
        self.dsn = config["postgres"]["dsn"]

    def config(self, name="fleet"):
        return self.path(name + ".yaml")

    def _stores(self):
        os.makedirs(self.path("redis"))
        self.run("stores", ["redis-server", "--bind", address("stores"), "--port", "6379", "--protected-mode", "no", "--dir", self.path("redis"),
                            "--save", "", "--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"], "redis")
        binaries = sorted(at for at, _, names in os.walk("/usr/lib/postgresql") if "initdb" in names)[-1]
        data = self.path("postgres", "data")
        os.makedirs(self.path("postgres"))
        shutil.chown(self.path("postgres"), "postgres", "postgres")
        user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        subprocess.run([*user, f"{binaries}/initdb", "-D", data, "-U", "sightline", "-E", "UTF8", "--locale=C", "-A", "trust", "--no-sync"],
                       check=True, capture_output=True, cwd="/")
        with open(os.path.join(data, "pg_hba.conf"), "a", encoding="utf-8") as file:
            file.write(f"host all all {NETWORK}.0/24 trust\n")
        self.run("stores", [*user, "--pdeathsig=QUIT", f"{binaries}/postgres", "-D", data, "-c", f"listen_addresses={address('stores')}",
                            "-c", f"unix_socket_directories={self.path('postgres')}", "-c", "shared_buffers=32MB"], "postgres")
        kit.eventually("Redis answers", lambda: subprocess.run(["redis-cli", "-h", address("stores"), "PING"], capture_output=True, check=False)
                       .stdout.strip() == b"PONG", 60)
        kit.eventually("PostgreSQL answers", lambda: subprocess.run(["psql", "-X", "-d", self.dsn, "-c", "SELECT 1"], capture_output=True, check=False)
                       .returncode == 0, 60)

    def broker(self, host):
        return self.run(host, [kit.PROGRAM, "broker", "--config", self.config(), "--broker", self.endpoints[host]], f"broker-{host}")

    def worker(self, host, stage, config="fleet", name=None, *more):  # pylint: disable=keyword-arg-before-vararg
        words = [kit.PROGRAM, "worker", stage, "--config", self.config(config), "--bind", address(host), *more]
        return self.run(host, words + (["--model", kit.default_model()] if stage == "detect" else []), name or f"{stage}-{host}")

    def start(self):
        """A broker on a leads, one on b stands by; the workers where they belong, all joined."""
        self.broker("a")
        self.client = kit.Client(",".join(self.endpoints.values()), self.path("keys", "client.key"))
        kit.eventually("a broker leads", lambda: self.epoch() is not None, 60)
        self.broker("b")
        stages = [("b", "ingest"), ("b", "annotate"), ("b", "alert"), ("c", "preprocess"), ("c", "detect"), ("d", "annotate")]
        for host, stage in stages:
            self.worker(host, stage)
        kit.eventually("all workers join", lambda: len(self.members()) == len(stages), 120)

    # --- look

    def epoch(self):
        try:
            return self.client.request(type="ping", limit_s=1)["epoch"]
        except AssertionError:  # no answer
            return None

    def members(self):
        """{pid: worker} as the broker tells them, for batch work."""
        return {w["pid"]: w for pool in self.client.request(type="pools")["pools"] for w in pool["workers"]
                if not pool["stage"].startswith("live/")}

    def process(self, name):
        return next(p for p in reversed(self.processes) if p.name == name)

    def job(self, job):
        return self.client.request(type="job", job=job)["job"]

    def submit(self, *paths, **fields):
        return self.client.request(type="submit", inputs=[{"root": "media", "path": p} for p in paths], key=os.urandom(8).hex(), **fields)["job"]

    def follow(self, job, limit_s=240):
        def ended():
            now = self.job(job)
            return now if now["state"] in kit.TERMINAL else None
        return kit.eventually(f"job {job} ends", ended, limit_s, 0.05)

    def lines(self, name, event):
        """What the log of a process says under an event."""
        found = []
        with open(self.process(name).log, encoding="utf-8", errors="replace") as file:
            for line in file:
                if f'"{event}"' in line:
                    found.append(json.loads(line))
        return found

    def dead(self):
        """Processes that ended although no test ended them: [(name, end of the log)]."""
        gone = []
        for p in self.processes:
            if not p.alive() and p.pid not in self.ended:
                with open(p.log, encoding="utf-8", errors="replace") as file:
                    gone.append((p.name, file.read()[-1500:]))
        return gone

    def end(self, process):
        self.ended.add(process.pid)
        process.kill()

    # --- end

    def down(self):
        if self.client:
            self.client.close()
        for p in reversed(self.processes):
            p.signal(signal.SIGCONT)
            p.kill()
        ctypes.CDLL(None).setns(self.home, CLONE_NEWNET)
        os.close(self.home)
        if self.net:
            self.net.remove()
        shutil.rmtree(self.folder, ignore_errors=True)
