"""`baron serve` under load beside `baron detect`: load.py BARON MODEL PICTURE [REQUESTS [ROUNDS]]

The same picture goes to `hey` (Debian's package of that name), 8 connections at a time, and in as many copies to
`detect`; the server keeps nothing, so that each request passes the whole network. Rounds take turns. Printed are pictures
a second, the times of requests, memory, and how long other words for a seen picture take. Errors end the script;
times do not.
"""

import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

CONNECTIONS = 8


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
        answer = json.load(urllib.request.urlopen(request, timeout=300))
        return time.monotonic() - began, answer

    def memory(self):
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=120)
        assert status == 0, f"the server ended with {status}"


def seconds_of_detect(baron, model, picture, count):
    with tempfile.TemporaryDirectory() as folder:
        ending = os.path.splitext(picture)[1]
        os.mkdir(f"{folder}/in")
        for number in range(count):
            os.link(picture, f"{folder}/in/{number}{ending}") if same_disk(picture, folder) else \
                shutil.copy(picture, f"{folder}/in/{number}{ending}")
        began = time.monotonic()
        subprocess.run(
            [baron, "detect", f"{folder}/in", "--checkpoint", model, "--no-pictures", "--json",
             "--output", f"{folder}/out"],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.monotonic() - began


def same_disk(path, folder):
    return os.stat(path).st_dev == os.stat(folder).st_dev


def hey(address, picture, count):
    # hey sends as many requests on each connection.
    count -= count % CONNECTIONS
    text = subprocess.run(
        ["hey", "-n", str(count), "-c", str(CONNECTIONS), "-t", "300", "-m", "POST", "-T", "image/png",
         "-D", picture, address + "detect"], check=True, capture_output=True, text=True).stdout
    answers = sum(map(int, re.findall(r"\[200\]\s+(\d+) responses", text)))
    assert answers == count and "Error distribution" not in text, text
    number = lambda pattern: float(re.search(pattern, text).group(1))
    return number(r"Requests/sec:\s+([\d.]+)"), number(r"50% in ([\d.]+)"), number(r"99% in ([\d.]+)")


def main():
    baron, model, picture = sys.argv[1:4]
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 2000
    rounds = int(sys.argv[5]) if len(sys.argv) > 5 else 3
    if not shutil.which("hey"):
        print("SKIPPED: the server is not put under load, as there is no hey (apt-get install hey)")
        return
    with open(picture, "rb") as file:
        data = file.read()
    few = max(CONNECTIONS, count // 10)
    server = Server(baron, model, "--cache", "0")
    own, served = [], []
    try:
        hey(server.address, picture, few)
        memory = [server.memory()]
        for number in range(rounds):
            # Loading the model is no part of it.
            pair = [seconds_of_detect(baron, model, picture, n) for n in (few, few + count // 2)]
            own.append((count // 2) / (pair[1] - pair[0]))
            served.append(hey(server.address, picture, count))
            memory.append(server.memory())
            print(f"round {number + 1}: detect {own[-1]:.2f} pictures a second, serve {served[-1][0]:.2f}, "
                  f"p50 {served[-1][1]:.4f} s, p99 {served[-1][2]:.4f} s, 0 errors of {count}, "
                  f"memory {memory[-1]:.0f} MB", flush=True)
    finally:
        server.stop()
    ratios = [served[index][0] / own[index] for index in range(rounds)]
    print(f"serve / detect: median {statistics.median(ratios):.3f}; memory of the server after {few} requests "
          f"{memory[0]:.0f} MB, after {few + rounds * count} {memory[-1]:.0f} MB")

    server = Server(baron, model)
    try:
        first, again = [], []
        for number in range(5):
            # Bytes after the end make it another picture, with the same pixels.
            server.detect(data + b"warm" + bytes([number]), "warm")
            seconds, answer = server.detect(data + bytes([number]), "first")
            assert not answer["seen"]
            first.append(seconds)
            seconds, answer = server.detect(data + bytes([number]), f"other word {number}, another")
            assert answer["seen"]
            again.append(seconds)
            seconds, answer = server.detect(data + bytes([number]), "first, warm")
            assert answer["seen"]
            again.append(seconds)
        (one, new, known) = map(statistics.median, (first, again[::2], again[1::2]))
        print(f"first answer {one:.4f} s; other words for the same picture {new:.4f} s ({new / one:.3f}), "
              f"words that are known {known:.4f} s ({known / one:.3f})")
    finally:
        server.stop()


if __name__ == "__main__":
    main()
