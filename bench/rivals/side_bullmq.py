"""BullMQ: its client and worker are side_bullmq.mjs; here is what its Redis still holds."""
import redis


def left(address):
    at = redis.Redis(unix_socket_path=address)
    return at.llen("bull:bench:wait") + at.llen("bull:bench:active")
