"""The machine that was measured on: what it is, what others used of it, and where figures are written down."""
import os
import platform
import re
import resource
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")


def busy(cpus):
    """CPU seconds that these CPUs worked so far, for anybody."""
    wanted, ticks = {f"cpu{c}" for c in cpus}, 0
    with open("/proc/stat", encoding="ascii") as f:
        for line in f:
            words = line.split()
            if words[0] in wanted:
                user, nice, system, _, _, irq, soft, steal = map(int, words[1:9])
                ticks += user + nice + system + irq + soft + steal
    return ticks / TICK


class Watch:
    """The share of our CPUs that others used during the `with`. Ours are processes that ended within it."""

    foreign = 0.0

    @staticmethod
    def ours():
        return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))

    def __enter__(self):
        self.cpus = os.sched_getaffinity(0)
        self.start, self.busy, self.own = time.monotonic(), busy(self.cpus), self.ours()
        return self

    def __exit__(self, *_):
        took = time.monotonic() - self.start
        used = busy(self.cpus) - self.busy - (self.ours() - self.own)
        self.foreign = max(0.0, used) / (took * len(self.cpus))


def describe():
    model, memory = platform.machine(), 0
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        if found := re.search(r"model name\s*:\s*(.+)", f.read()):
            model = found[1]
    with open("/proc/meminfo", encoding="ascii") as f:
        memory = int(re.search(r"MemTotal:\s+(\d+)", f.read())[1]) >> 20
    return f"{model.strip()}, {os.cpu_count()} CPUs, {memory} GiB, Linux {platform.release()}"


def commit(source):
    def git(*words):
        return subprocess.run(["git", "-C", source, *words], capture_output=True, text=True, check=False).stdout.strip()
    changed = git("status", "--porcelain", "--untracked-files=no")
    return (git("rev-parse", "--short=12", "HEAD") or "no git") + (" with changes" if changed else "")


def record(source, name, lines):
    """Replaces what stands between the marks of `name` in RESULTS.md."""
    path = os.path.join(source, "bench/RESULTS.md")
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    with open(path, encoding="utf-8") as f:
        text = f.read()
    head, rest = text.split(begin)
    tail = rest.split(end)[1]
    with open(path, "w", encoding="utf-8") as f:
        f.write(head + begin + "\n" + "\n".join(lines) + "\n" + end + tail)
