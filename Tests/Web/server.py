"""A `baron serve` for scripts that measure it."""

import json
import os
import re
import signal
import subprocess
import time
import urllib.parse
import urllib.request


class Server:
    def __init__(self, baron, model, *options):
        # What it says goes nowhere, so that nothing waits for a reader.
        self.process = subprocess.Popen(
            [baron, "serve", model, "--port", "0", *options], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        self.address = re.search(r"http://\S+", self.process.stdout.readline()).group(0)

    def detect(self, picture, words=None):
        query = "detect?threshold=0.05" + (f"&words={urllib.parse.quote(words)}" if words else "")
        request = urllib.request.Request(
            self.address + query, data=picture, headers={"Content-Type": "application/octet-stream"})
        began = time.monotonic()
        answer = json.load(urllib.request.urlopen(request, timeout=1200))
        return time.monotonic() - began, answer

    def memory(self):
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6

    def processor_seconds(self):
        """What its threads have worked so far, in steps of a hundredth."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            times = file.read().rpartition(")")[2].split()[11:13]
        return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=120)
        assert status == 0, f"the server ended with {status}"
