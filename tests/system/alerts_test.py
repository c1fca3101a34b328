#!/usr/bin/python3
"""Alerts arrive: a broker, an alert worker and Redis, with receivers that are away, slow, refuse, and come back; and
whoever carries an alert may die. Each target gets every alert, in order, and once when doubles are removed by key.
"""
import json
import os
import signal
import subprocess
import sys
import unittest

SOURCE, BUILD = os.environ["SIGHTLINE_SOURCE_DIR"], os.environ["SIGHTLINE_BINARY_DIR"]
sys.path.insert(0, os.path.join(SOURCE, "tests/support"))
import alert_bed  # noqa: E402  pylint: disable=wrong-import-position
from alert_bed import until  # noqa: E402  pylint: disable=wrong-import-position

N = 150
KEYS = [alert_bed.alert(n)["key"] for n in range(1, N + 1)]


class AlertsArrive(unittest.TestCase):
    def setUp(self):
        self.bed = self.enterContext(alert_bed.Bed(BUILD))

    def came(self, name):
        """Keys that came to a receiver, doubles removed."""
        keys = []
        try:
            with open(self.bed.path(name), encoding="utf-8") as file:
                keys = [json.loads(line).get("key") for line in file if line.endswith("\n")]
        except FileNotFoundError:
            pass
        return list(dict.fromkeys(k for k in keys if k))

    def run_cli(self, *words):
        return subprocess.run([os.path.join(BUILD, "sightline"), *words, "--config", self.bed.config, "--json"], capture_output=True, text=True,
                              check=False, timeout=60)

    def cli(self, *words):
        done = self.run_cli(*words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def answer(self, what):
        with open(self.bed.path("answer"), "w", encoding="utf-8") as file:
            file.write(what)

    def test_a_target_that_is_away_delays_no_other_and_gets_everything_when_it_is_back(self):
        file, _ = self.bed.receiver("log")
        webhook, _ = self.bed.receiver("webhook")
        away = self.bed.started[-1]
        frozen, _ = self.bed.receiver("tcp")
        self.bed.started[-1].send_signal(signal.SIGSTOP)
        stopped = self.bed.started[-1]
        self.bed.kill(away)
        self.bed.fleet({"file": file, "away": webhook, "frozen": frozen | {"timeout_s": 0.5}}, N)
        until("the file has all", 60, lambda: self.came("alerts.jsonl") == KEYS)
        sinks = until("the breakers open", 60, lambda: (lambda s: s if {s["away"]["state"], s["frozen"]["state"]} <= {"open", "half_open"} else None)(self.bed.sinks()))
        for name in ("away", "frozen"):
            self.assertEqual((sinks[name]["waiting"], sinks[name]["sent"]), (N, 0))
            self.assertGreater(sinks[name]["retried"], 2)
            self.assertGreater(sinks[name]["oldest_ns"], 0)
        self.assertIn("Could", sinks["away"]["last_error"])
        health = self.bed.client.request({"type": "health"})
        self.assertEqual(health["retained"]["undelivered"], N)
        self.assertFalse(next(p for p in health["parts"] if p["name"] == "alerts")["ok"])
        self.bed.again("webhook", away)
        stopped.send_signal(signal.SIGCONT)
        until("both have all", 120, lambda: self.came("webhook") == KEYS and self.came("tcp") == KEYS)
        until("nothing waits", 30, lambda: self.bed.client.request({"type": "health"})["retained"]["undelivered"] == 0)
        self.assertEqual({t["state"] for t in self.bed.sinks().values()}, {"closed"})

    def test_whoever_carries_an_alert_may_die(self):
        slow, _ = self.bed.receiver("webhook", slow=True)
        self.bed.fleet({"slow": slow}, N)
        seen = lambda: len(self.came("webhook-slow"))  # noqa: E731
        until("some came", 60, lambda: seen() > 5)
        self.bed.kill(self.bed.worker)
        self.bed.start_worker()
        now = seen()
        until("more came by another worker", 60, lambda: seen() > now + 5)
        self.bed.kill(self.bed.broker)
        self.bed.start_broker()
        now = seen()
        until("more came by another broker", 60, lambda: seen() > now + 5)
        # Asked to end, it hands back what it has not sent.
        self.bed.worker.send_signal(signal.SIGTERM)
        self.assertEqual(self.bed.worker.wait(20), 0)
        self.bed.start_worker()
        until("all came", 120, lambda: seen() == N)
        self.assertEqual(self.came("webhook-slow"), KEYS)

    def test_dead_letters_are_kept_said_and_sent_again(self):
        webhook, _ = self.bed.receiver("webhook", answer=True)
        self.answer("422")
        self.bed.fleet({"strict": webhook}, N)
        until("all were refused", 60, lambda: self.bed.sinks()["strict"]["dead"] == N)
        letters = self.cli("alerts", "dead", "strict", "--limit", "1000")["dead"]
        self.assertEqual([letter["key"] for letter in reversed(letters)], KEYS)
        self.assertIn("422", letters[0]["error"])
        self.assertEqual(self.bed.client.request({"type": "health"})["retained"]["dead_letters"], N)
        self.bed.kill(self.bed.broker)
        self.bed.start_broker()
        self.answer("")
        self.assertEqual(self.cli("alerts", "retry", "strict", KEYS[0])["retried"], 1)
        until("the one came", 60, lambda: self.came("webhook") == KEYS[:1])
        self.assertEqual(self.cli("alerts", "retry", "strict")["retried"], N - 1)
        until("all came", 60, lambda: self.came("webhook") == KEYS)
        until("no dead letter is left", 60, lambda: not self.cli("alerts", "dead")["dead"])
        self.assertEqual(self.run_cli("alerts", "retry", "nobody").returncode, 3)

    def test_sinks_can_be_tried_and_alerts_listed(self):
        webhook, _ = self.bed.receiver("webhook")
        receiver = self.bed.started[-1]
        self.bed.fleet({"hook": webhook, "log": {"sink": "log"}}, 3)
        until("all came", 60, lambda: self.came("webhook") == KEYS[:3])
        self.assertTrue(self.cli("sinks", "test", "hook")["alert"].startswith("test-"))
        tried = self.came("webhook")[3:]
        self.assertEqual([key.split(":")[1] for key in tried], ["new", "end"])
        self.bed.kill(receiver)
        done = self.run_cli("sinks", "test", "hook")
        self.assertEqual(done.returncode, 4)
        self.assertIn("hook", done.stderr)
        self.assertEqual(self.run_cli("sinks", "test", "hok").returncode, 3)
        self.assertEqual([t["target"] for t in self.cli("sinks", "list")["targets"]], ["hook", "log"])
        listed = self.run_cli("alerts", "--list")
        self.assertEqual([json.loads(line)["body"]["key"] for line in listed.stdout.splitlines()], KEYS[:3])
        since = json.loads(listed.stdout.splitlines()[0])["id"]
        followed = self.run_cli("alerts", "--follow", "--since", since, "--count", "2")
        self.assertEqual([json.loads(line)["body"]["key"] for line in followed.stdout.splitlines()], KEYS[1:3])


if __name__ == "__main__":
    unittest.main()
