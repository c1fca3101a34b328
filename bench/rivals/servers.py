"""Servers for bench/jobs: each in a folder of its own, ended by pid."""
import json
import os
import pwd
import re
import shutil
import socket
import subprocess
import time

LIMIT_S = 60


class Missing(Exception):
    """A program that the measurement needs is not installed."""


class Server:
    """A process and its folder. Subclasses say how it is started and when it is up."""

    def __init__(self, folder, name):
        self.folder = os.path.join(folder, name)
        os.makedirs(self.folder, exist_ok=True)
        self.process = None

    def launch(self, words, ready, user=None):
        program = shutil.which(words[0]) or shutil.which(words[0], path="/usr/sbin:/usr/lib/postgresql/15/bin")
        if not program:
            raise Missing(f"{os.path.basename(words[0])} is not installed: run bench/jobs --setup")
        with open(os.path.join(self.folder, "log"), "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([program, *words[1:]], stdout=log, stderr=log, cwd=self.folder, user=user)
        deadline = time.monotonic() + LIMIT_S
        while not ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as log:
                    raise Missing(f"{words[0]} does not start: {log.read()[-500:]}")
            time.sleep(0.02)
        return self

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as at:
        return at.getsockname()[1]


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class Redis(Server):
    def __init__(self, folder, fsync):
        super().__init__(folder, "redis-" + fsync)
        self.fsync, self.address = fsync, os.path.join(self.folder, "s")

    def start(self):
        def ready():
            try:
                with socket.socket(socket.AF_UNIX) as at:
                    at.connect(self.address)
                    at.sendall(b"PING\r\n")
                    return at.recv(64) == b"+PONG\r\n"
            except OSError:
                return False
        return self.launch(["redis-server", "--port", "0", "--unixsocket", self.address, "--dir", self.folder, "--save", "",
                            "--appendonly", "yes", "--appendfsync", self.fsync, "--maxmemory-policy", "noeviction"], ready)


class Beanstalkd(Server):
    def __init__(self, folder, fsync):
        super().__init__(folder, "beanstalkd-" + fsync)
        self.fsync, self.port = fsync, free_port()
        self.address = f"127.0.0.1:{self.port}"

    def start(self):
        wal = os.path.join(self.folder, "wal")
        os.makedirs(wal, exist_ok=True)
        return self.launch(["beanstalkd", "-l", "127.0.0.1", "-p", str(self.port), "-b", wal,
                            "-f", "0" if self.fsync == "always" else "1000"], lambda: listens(self.port))


class Nats(Server):
    def __init__(self, folder, fsync):
        super().__init__(folder, "nats-" + fsync)
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"

    def start(self):
        return self.launch(["nats-server", "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", os.path.join(self.folder, "js")],
                           lambda: listens(self.port))


class Postgres(Server):
    """PostgreSQL as Debian configures it; as user postgres when we are root, which it refuses."""

    def __init__(self, folder):
        super().__init__(folder, "postgres")
        self.user = "postgres" if os.geteuid() == 0 else None
        self.dsn = f"host={self.folder} user=bench dbname=postgres"

    def start(self):
        binaries = sorted((os.path.join("/usr/lib/postgresql", v, "bin") for v in os.listdir("/usr/lib/postgresql")),
                          key=lambda p: [int(n) for n in re.findall(r"\d+", p)]) if os.path.isdir("/usr/lib/postgresql") else []
        if not binaries:
            raise Missing("postgresql is not installed: run scripts/setup")
        if self.user:
            os.chown(self.folder, pwd.getpwnam(self.user).pw_uid, -1)
        self.bin, data = binaries[-1], os.path.join(self.folder, "data")
        subprocess.run([os.path.join(self.bin, "initdb"), "-D", data, "-U", "bench", "--auth", "trust", "--encoding", "UTF8",
                        "--no-locale"], check=True, stdout=subprocess.DEVNULL, user=self.user, cwd=self.folder)
        return self.launch([os.path.join(self.bin, "postgres"), "-D", data, "-k", self.folder, "-c", "listen_addresses="],
                           lambda: subprocess.run([os.path.join(self.bin, "pg_isready"), "-q", "-h", self.folder], check=False).returncode == 0,
                           self.user)

    def ask(self, sql):
        done = subprocess.run([os.path.join(self.bin, "psql"), "-h", self.folder, "-U", "bench", "-qAtX", "-c", sql, "postgres"],
                              check=True, capture_output=True, text=True)
        return done.stdout.strip()


class Sightline(Server):
    """A broker with a Redis and a PostgreSQL of its own. Other parts of the bench find it by the environment."""

    def __init__(self, folder, fsync):
        super().__init__(folder, "sightline-" + fsync)
        self.address = f"ipc://{self.folder}/b"
        self.servers = [Redis(folder, fsync), Postgres(folder)]

    def start(self):
        for server in self.servers:
            server.start()
        redis, postgres = self.servers
        config = os.path.join(self.folder, "sightline.yaml")
        with open(config, "w", encoding="utf-8") as out:  # JSON is YAML
            json.dump({"broker": {"endpoint": self.address, "run_dir": self.folder}, "redis": {"url": "unix://" + redis.address},
                       "postgres": {"dsn": postgres.dsn}, "limits": {"queued_jobs": 1_000_000}, "log": {"level": "warn"}}, out)
        os.environ.update(SIGHTLINE_CONFIG=config, SIGHTLINE_BENCH_DSN=postgres.dsn,
                          SIGHTLINE_BENCH_PSQL=os.path.join(postgres.bin, "psql"))
        return self.launch([os.environ["SIGHTLINE_BENCH_PROGRAM"], "broker"], lambda: os.path.exists(os.path.join(self.folder, "b")))

    def stop(self):
        super().stop()
        for server in reversed(self.servers):
            server.stop()
