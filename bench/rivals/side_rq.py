"""RQ over Redis: SimpleWorker, which forks no process for each job (side_rq_fork.py: the default, which does)."""
import os

import redis
import rq

import side

def connection(address):
    return redis.Redis(unix_socket_path=address)


def noop(submitted):
    global starts
    if starts is None:
        starts = side.Starts(os.environ[side.STARTS])
    starts.one(submitted)


starts = None


class Client:
    BULK = 500

    def __init__(self, address):
        self.queue = rq.Queue(connection=connection(address))

    def send(self, n):
        if n == 1:
            self.queue.enqueue("side_rq.noop", side.stamp(), result_ttl=0)
        else:
            self.queue.enqueue_many([rq.Queue.prepare_data("side_rq.noop", (side.stamp(),), result_ttl=0) for _ in range(n)])

    def finish(self):
        pass


def work(address, _, kind=rq.SimpleWorker):
    at = connection(address)
    worker = kind([rq.Queue(connection=at)], connection=at)
    print("ready", flush=True)
    worker.work(logging_level="ERROR")


def left(address):
    at = connection(address)
    return at.llen("rq:queue:default") + at.zcard("rq:wip:default")


if __name__ == "__main__":
    side.main(Client, work)
