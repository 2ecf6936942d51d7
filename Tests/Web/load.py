"""`baron serve` under load beside `baron detect`: load.py BARON MODEL FOLDER [REQUESTS [ROUNDS]]

The pictures of the folder go to the server in turn by `wrk` (Debian's package of that name), 8 connections at a time, and
as files to `detect`. The server keeps nothing, so that each request passes the whole network. Rounds take turns. Printed
are pictures a second, the times of requests, memory, and what words.py tells of other words. Errors end the script; times
do not.
"""

import glob
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import words
from server import Server

CONNECTIONS = 8


def seconds_of_detect(baron, model, pictures, count):
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/in")
        for number in range(count):
            path = pictures[number % len(pictures)]
            shutil.copy(path, f"{folder}/in/{number}{os.path.splitext(path)[1]}")
        began = time.monotonic()
        subprocess.run(
            [baron, "detect", f"{folder}/in", "--checkpoint", model, "--no-pictures", "--json",
             "--output", f"{folder}/out"],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.monotonic() - began


def wrk(address, pictures, seconds):
    """What wrk tells: requests, requests a second, p50 and p99 in milliseconds; errors end it."""
    here = os.path.dirname(os.path.abspath(__file__))
    text = subprocess.run(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "300s", "--latency", "-s",
         f"{here}/load.lua", address.rstrip("/"), "--", *pictures],
        check=True, capture_output=True, text=True).stdout
    line = re.search(r"requests (\d+), ([\d.]+) a second, p50 ([\d.]+) ms, p99 ([\d.]+) ms, errors: (.*)", text)
    assert line and not re.search(r"[1-9]", line.group(5)), text
    return int(line.group(1)), *(float(line.group(index)) for index in (2, 3, 4))


def main():
    baron, model, folder = sys.argv[1:4]
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 2000
    rounds = int(sys.argv[5]) if len(sys.argv) > 5 else 3
    if not shutil.which("wrk"):
        print("SKIPPED: the server is not put under load, as there is no wrk (apt-get install wrk)")
        return
    pictures = sorted(path for path in glob.glob(f"{folder}/*") if os.path.isfile(path))[:200]
    few = max(CONNECTIONS, count // 10)
    server = Server(baron, model, "--cache", "0")
    own, served = [], []
    try:
        _, pace, _, _ = wrk(server.address, pictures, 3)
        memory = [server.memory()]
        for number in range(rounds):
            # Loading the model is no part of it.
            pair = [seconds_of_detect(baron, model, pictures, n) for n in (few, few + count // 2)]
            own.append((count // 2) / (pair[1] - pair[0]))
            served.append(wrk(server.address, pictures, max(3, round(1.1 * count / pace))))
            memory.append(server.memory())
            done, rate, half, most = served[-1]
            print(f"round {number + 1}: detect {own[-1]:.2f} pictures a second, serve {rate:.2f}, p50 {half} ms, "
                  f"p99 {most} ms, 0 errors of {done} requests, memory {memory[-1]:.0f} MB", flush=True)
    finally:
        server.stop()
    ratios = [served[index][1] / own[index] for index in range(rounds)]
    print(f"serve / detect: median {statistics.median(ratios):.3f}; memory of the server at first "
          f"{memory[0]:.0f} MB, after {sum(entry[0] for entry in served)} requests {memory[-1]:.0f} MB")
    words.measure(baron, model, pictures[0], 5)


if __name__ == "__main__":
    main()
