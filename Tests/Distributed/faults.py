#!/usr/bin/env python3
"""Lets processes that train together die, hang and stop, and goes on until they are done.

    faults.py BARON FOLDER [--kills 50] [--seed 1] [--ranks 2] [FAULT ...]

Each fault has to end with one clear line and the right code, and the run that goes on with the bytes
of an undisturbed one. Prints a line for each fault; ends with 1 when one went otherwise.
"""
import argparse
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import trial
from trial import digests, errors, measures

FAULTS = {}
SETTINGS = ["training.replicas=2", "training.checkpoint_every=2", "training.evaluate_every=6"]
ITERATIONS = 10


def fault(function):
    FAULTS[function.__name__.replace("_", "-")] = function
    return function


def expect(condition, text):
    if not condition:
        raise AssertionError(text[-1500:])


class Faults:
    def __init__(self, setting, ranks, kills, seed):
        self.setting, self.ranks, self.kills = setting, ranks, kills
        self.random = random.Random(seed)
        self.whole = None

    def command(self, run):
        return self.setting.train(run, *SETTINGS, iterations=ITERATIONS) + ["--continue"]

    def undisturbed(self):
        if self.whole is None:
            shutil.rmtree("undisturbed", ignore_errors=True)
            code, text = self.setting.run(self.ranks, self.command("undisturbed"))
            expect(code == 0, f"{code}: {text}")
            self.whole = digests("undisturbed"), measures("undisturbed")
        return self.whole

    def start(self, run, **named):
        return self.setting.start("log", self.ranks, self.command(run), **named)

    def ranks_of(self, process):
        """The ranks' processes; all of them are there."""
        found = trial.ranks_of(process, self.setting.baron)
        expect(process.poll() is not None or len(found) == self.ranks, f"ranks: {found}")
        return found

    def text(self):
        return pathlib.Path("log").read_text(errors="replace")

    def finish(self, run):
        """Goes on until the run is done; its bytes must be those of the undisturbed one."""
        for _ in range(3):
            code, text = self.setting.run(self.ranks, self.command(run))
            if code == 0:
                break
        expect(code == 0, f"{run} ended with {code}: {text}")
        self.compare(run)

    def compare(self, run):
        whole, numbers = self.undisturbed()
        expect(digests(run) == whole, f"{run}: other bytes than undisturbed")
        expect(measures(run) == numbers, f"{run}: metrics.jsonl is another than undisturbed")
        left = [str(f) for f in pathlib.Path(run).rglob("*") if "partial" in f.name]
        expect(not left, f"{run}: left over: {left}")
        shutil.rmtree(run)

    def until_step(self, process, run, count):
        expect(trial.wait_for(lambda: trial.steps(run) >= count, process), self.text())


@fault
def killed_ranks(faults):
    done, rounds = 0, 0
    codes = set()
    while done < faults.kills:
        run = f"killed-{rounds}"
        rounds += 1
        shutil.rmtree(run, ignore_errors=True)
        code, stuck = -1, 0
        while code != 0:
            process = faults.start(run)
            if done < faults.kills:
                line = faults.random.randrange(0, ITERATIONS)
                trial.wait_for(lambda: trial.steps(run) >= line, process)
                time.sleep(faults.random.uniform(0, 0.5))
                rank = faults.random.randrange(faults.ranks)
                pid = trial.ranks_of(process, faults.setting.baron).get(rank)
                if pid and process.poll() is None:
                    os.kill(pid, signal.SIGKILL)
                    done += 1
            code = process.wait(600)
            codes.add(code)
            if code == 1 and "starts ended before a checkpoint" in faults.text():
                # What a user does after looking into the log.
                stuck += 1
                code = faults.setting.run(faults.ranks, ["train", "--resume", f"./{run}"])[0]
            expect(code in (0, 137), f"{run} ended with {code}: {faults.text()}")
        faults.compare(run)
    return f"{done} kills in {rounds} runs, codes {sorted(codes)}"


@fault
def killed_launcher(faults):
    shutil.rmtree("launcher", ignore_errors=True)
    process = faults.start("launcher")
    faults.until_step(process, "launcher", 3)
    pids = faults.ranks_of(process)
    process.kill()
    process.wait()
    end = time.monotonic() + 30
    while any(pathlib.Path(f"/proc/{pid}").exists() for pid in pids.values()):
        expect(time.monotonic() < end, "ranks outlive their launcher")
        time.sleep(0.1)
    faults.finish("launcher")
    return "ranks ended with it"


@fault
def stopped_by_signals(faults):
    stops = []
    for number in range(3):
        run = f"signal-{number}"
        shutil.rmtree(run, ignore_errors=True)
        process = faults.start(run)
        faults.until_step(process, run, faults.random.randrange(1, ITERATIONS - 1))
        pids = faults.ranks_of(process)
        # The launcher, and a rank alone.
        target = process.pid if number == 0 else pids[(number - 1) % faults.ranks]
        os.kill(target, signal.SIGUSR2 if number != 2 else signal.SIGTERM)
        code = process.wait(600)
        text = faults.text()
        expect(code in (0, 130) and not errors(text), f"{code}: {text}")
        if code == 130:
            expect(text.count("stopped after ") == 1, text)
            stops.append(trial.iteration(run))
        faults.finish(run)
    expect(stops, "every run was done before its signal")
    return f"stopped after {stops} steps"


@fault
def hanging_rank(faults):
    shutil.rmtree("hanging", ignore_errors=True)
    command = faults.command("hanging") + ["--hang-limit", "75"]
    process = faults.setting.start("log", faults.ranks, command)
    faults.until_step(process, "hanging", 3)
    pid = faults.ranks_of(process)[1]
    os.kill(pid, signal.SIGSTOP)
    try:
        code = process.wait(300)
    finally:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    text = faults.text()
    expect(code == 75, f"{code}: {text}")
    expect("no sign of life from rank 1" in text, text)
    expect(len(errors(text)) == 1, text)
    faults.finish("hanging")
    return "named after 60 s, ended with 75"


@fault
def full_disk(faults):
    if os.getuid() != 0:
        return "left out: needs root for a small file system"
    os.makedirs("small", exist_ok=True)
    subprocess.run(["umount", "small"], capture_output=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", "small"], capture_output=True)
    if mounted.returncode != 0:
        return "left out: no tmpfs can be mounted"
    try:
        process = faults.start("small/run")
        code = process.wait(600)
        text = faults.text()
        expect(code == 1 and len(errors(text)) == 1 and "rank" in errors(text)[0], f"{code}: {text}")
    finally:
        subprocess.run(["umount", "-l", "small"], capture_output=True)
    return errors(text)[0][:100]


@fault
def cut_network(faults):
    hosts = trial.HERE / "hosts.sh"
    if os.getuid() != 0 or shutil.which("ip") is None:
        return "left out: network namespaces need root and iproute2"
    if subprocess.run([str(hosts), "up"], capture_output=True).returncode != 0:
        return "left out: no network namespaces here"
    try:
        options = subprocess.run(
            [str(hosts), "options"], capture_output=True, text=True, check=True).stdout.split()
        shutil.rmtree("cut", ignore_errors=True)
        process = faults.setting.start("log", 2, faults.command("cut"), options=options)
        faults.until_step(process, "cut", 3)
        before = trial.steps("cut")
        subprocess.run([str(hosts), "cut", "baron-b"], check=True)
        time.sleep(12)
        during = trial.steps("cut")
        subprocess.run([str(hosts), "join", "baron-b"], check=True)
        code = process.wait(600)
        expect(code == 0, f"{code}: {faults.text()}")
        expect(during <= before + 2, f"{during - before} steps without a network")
        faults.compare("cut")
        return "12 s without a network cost 12 s"
    finally:
        subprocess.run([str(hosts), "down"], capture_output=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("baron", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("faults", nargs="*")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ranks", type=int, default=2)
    options = parser.parse_args()
    if trial.OPEN_MPI is None:
        raise SystemExit("error: no mpirun; install openmpi-bin")
    unknown = [name for name in options.faults if name not in FAULTS]
    if unknown:
        raise SystemExit(f"error: no fault {unknown[0]}; there are: {', '.join(FAULTS)}")
    setting = trial.Trial(options.baron, options.folder)
    setting.prepare()
    faults, failed = Faults(setting, options.ranks, options.kills, options.seed), 0
    for name in options.faults or list(FAULTS):
        try:
            print(f"passed   {name}: {FAULTS[name](faults)}", flush=True)
        except AssertionError as reason:
            failed += 1
            print(f"FAILED   {name}: {reason}", flush=True)
    return 1 if failed else 0


sys.exit(main())
