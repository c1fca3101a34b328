"""RQ over Redis with its default worker: a process forked for each job."""
import rq

import side
import side_rq
from side_rq import left  # noqa: F401: part of a side

if __name__ == "__main__":
    side.main(side_rq.Client, lambda address, starts: side_rq.work(address, starts, rq.Worker))
