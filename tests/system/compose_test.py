#!/usr/bin/python3
"""What an operator installs: systemd takes the units, Redis takes its configuration, the commands they give exist."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

SOURCE = os.environ["SIGHTLINE_SOURCE_DIR"]
PROGRAM = os.path.join(os.environ["SIGHTLINE_BINARY_DIR"], "sightline")
UNITS = os.path.join(SOURCE, "compose", "systemd")


def check(ok, what):
    if not ok:
        sys.exit(f"not so: {what}")
    print("ok:", what)


def units(scratch):
    """systemd-analyze looks for the programs too: ours is the one that was built."""
    verify = shutil.which("systemd-analyze")
    check(verify, "systemd-analyze is installed (scripts/setup --tests)")
    names = [n for n in sorted(os.listdir(UNITS)) if n.endswith((".service", ".target"))]
    for name in names:
        with open(os.path.join(UNITS, name), encoding="utf-8") as unit:
            text = unit.read()
        with open(os.path.join(scratch, name), "w", encoding="utf-8") as out:
            out.write(text.replace("/usr/local/bin/sightline", PROGRAM))
    files = [os.path.join(scratch, n) for n in names]
    done = subprocess.run([verify, "verify", "--man=no", "--recursive-errors=one", *files], capture_output=True, text=True, timeout=60, check=False)
    said = [line for line in done.stderr.splitlines() if "sightline" in line]
    check(done.returncode == 0 and not said, f"systemd takes {', '.join(names)}: {done.returncode} {said}")
    with open(files[0], "a", encoding="utf-8") as broken:
        broken.write("\n[Service]\nRestart=sometimes\n")
    done = subprocess.run([verify, "verify", "--man=no", files[0]], capture_output=True, text=True, timeout=60, check=False)
    check("sometimes" in done.stderr, "a wrong unit would have been noticed")
    for name in names:
        with open(os.path.join(UNITS, name), encoding="utf-8") as unit:
            for command in re.findall(r"^ExecStart=\S+ (\w+)", unit.read(), re.M):
                asked = subprocess.run([PROGRAM, command, "--help"], capture_output=True, timeout=60, check=False)
                check(asked.returncode == 0, f"{name} gives a command that there is: {command}")
    with open(os.path.join(UNITS, "sightline.default"), encoding="utf-8") as defaults:
        workers = re.search(r'^SIGHTLINE_WORKERS="(.*)"', defaults.read(), re.M).group(1)
    with open(os.path.join(UNITS, "sightline-workers.service"), encoding="utf-8") as unit:
        check(f'"SIGHTLINE_WORKERS={workers}"' in unit.read(), "the environment file says what the unit does without it")


def redis(scratch):
    socket = os.path.join(scratch, "redis.sock")
    server = subprocess.Popen(["redis-server", os.path.join(SOURCE, "compose", "redis.conf"), "--port", "0", "--unixsocket", socket,
                               "--dir", scratch], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def get(key):
            return subprocess.run(["redis-cli", "-s", socket, "config", "get", key], capture_output=True, text=True,
                                  timeout=20, check=False).stdout.split()
        deadline = time.monotonic() + 30
        while not get("appendonly"):
            check(time.monotonic() < deadline and server.poll() is None, "Redis starts with compose/redis.conf")
            time.sleep(0.02)
        for key, value in (("appendonly", "yes"), ("appendfsync", "always"), ("maxmemory-policy", "noeviction")):
            check(get(key)[-1] == value, f"Redis has {key} {value}")
        check(get("save") == ["save"], "Redis makes no snapshots")
    finally:
        server.terminate()
        server.wait(20)


def main():
    scratch = tempfile.mkdtemp(prefix="sl-compose-")
    try:
        units(scratch)
        redis(scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
