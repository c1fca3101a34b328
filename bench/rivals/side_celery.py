"""Celery over Redis: late acknowledgement (a job survives its worker), no results, 64 prefetched, the solo pool."""
import os
import sys

import celery
from celery.signals import worker_ready

import side

app = celery.Celery("side_celery")
app.conf.update(task_ignore_result=True, task_acks_late=True, worker_prefetch_multiplier=64, broker_pool_limit=1,
                worker_send_task_events=False, worker_redirect_stdouts=False, broker_transport_options={"visibility_timeout": 3600})
starts = None


def use(address):
    app.conf.broker_url = f"redis+socket://{address}"


@app.task(name="noop")
def noop(submitted):
    global starts
    if starts is None:
        starts = side.Starts(os.environ[side.STARTS])
    starts.one(submitted)


@worker_ready.connect
def say_ready(**_):
    print("ready", flush=True)


class Client:
    BULK = 500

    def __init__(self, address):
        use(address)
        self.producer = app.producer_pool.acquire(block=True)

    def send(self, n):
        for _ in range(n):
            noop.apply_async((side.stamp(),), producer=self.producer)

    def finish(self):
        pass


def work(address, _):
    use(address)
    app.worker_main(["worker", "--pool", "solo", "--loglevel", "ERROR", "--hostname", f"w{os.getpid()}@bench",
                     "--without-gossip", "--without-mingle", "--without-heartbeat"])


def left(address):
    import redis
    at = redis.Redis(unix_socket_path=address)
    return at.llen("celery") + at.hlen("unacked")


if __name__ == "__main__":
    sys.argv[0] = "side_celery"
    side.main(Client, work)
