#!/usr/bin/env python3
"""Lets processes that train together die, hang and stop, and goes on until they are done.

    faults.py BARON FOLDER [--kills 50] [--seed 1] [--ranks 2] [FAULT ...]

Each fault has to end with one clear line and the right code, and the run that goes on with the bytes
of an undisturbed one. Prints a line for each fault: passed, FAILED, or skipped with the reason where it
cannot be tried here; ends with 1 when one failed.
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
from trial import Skipped, digests, errors, measures

FAULTS = {}
SETTINGS = ["training.checkpoint_every=2", "training.evaluate_every=6"]
ITERATIONS = 10


def fault(function):
    FAULTS[function.__name__.replace("_", "-")] = function
    return function


def expect(condition, text):
    if not condition:
        raise AssertionError(text[-1500:])


def need_root(what):
    if os.getuid() != 0:
        raise Skipped(f"{what} needs root")


class Faults:
    def __init__(self, setting, ranks, kills, seed):
        self.setting, self.ranks, self.kills = setting, ranks, kills
        self.random = random.Random(seed)
        self.whole, self.seconds = None, 0.0

    def command(self, run, *settings):
        settings = [f"training.replicas={self.ranks}", *SETTINGS, *settings]
        return self.setting.train(run, *settings, iterations=ITERATIONS) + ["--continue"]

    def undisturbed(self):
        if self.whole is None:
            shutil.rmtree("undisturbed", ignore_errors=True)
            began = time.monotonic()
            code, text = self.setting.run(self.ranks, self.command("undisturbed"))
            self.seconds = time.monotonic() - began
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


def signalled(faults, run, send):
    """Sends a signal to a run; the iteration at which it stopped, None when it was over before."""
    shutil.rmtree(run, ignore_errors=True)
    process = faults.start(run)
    faults.until_step(process, run, faults.random.randrange(1, ITERATIONS - 2))
    time.sleep(faults.random.uniform(0, 0.3))
    pids = trial.ranks_of(process, faults.setting.baron)
    if process.poll() is None and len(pids) == faults.ranks:
        send(process, pids)
    code, text = process.wait(600), faults.text()
    expect(code in (0, 130) and not errors(text), f"{code}: {text}")
    if code == 130:
        expect(text.count("stopped after ") == 1, text)
    stopped = trial.iteration(run) if code == 130 else None
    faults.finish(run)
    return stopped


@fault
def stopped_by_signals(faults):
    last = faults.ranks - 1
    ways = {
        "USR2 to the launcher": lambda process, pids: os.kill(process.pid, signal.SIGUSR2),
        "USR2 to rank 0": lambda process, pids: os.kill(pids[0], signal.SIGUSR2),
        "TERM to the last rank": lambda process, pids: os.kill(pids[last], signal.SIGTERM),
        "INT to all ranks": lambda process, pids: [os.kill(p, signal.SIGINT) for p in pids.values()],
    }
    stops = []
    for way, send in ways.items():
        # A run may be over before its signal, on a fast machine with few steps left.
        for attempt in range(5):
            stopped = signalled(faults, "signal", send)
            if stopped is not None:
                break
        expect(stopped is not None, f"{way}: five runs were over before the signal")
        stops.append(f"{way} after {stopped} steps")
    return "; ".join(stops)


@fault
def signals_at_any_time(faults):
    """Also while a run is set up or evaluated, where there may be nothing to save."""
    faults.undisturbed()
    codes = []
    for number in range(6):
        run = f"any-time-{number}"
        shutil.rmtree(run, ignore_errors=True)
        process = faults.start(run)
        trial.wait_for(
            lambda: len(trial.ranks_of(process, faults.setting.baron)) == faults.ranks, process)
        time.sleep(faults.random.uniform(0.2, faults.seconds))
        if process.poll() is None:
            os.kill(process.pid, signal.SIGUSR2)
        code, text = process.wait(600), faults.text()
        # Before the program minds signals one ends it as everywhere.
        killed = 128 + signal.SIGUSR2
        expect(code in (0, 130, killed) and not errors(text), f"{code}: {text}")
        codes.append(code)
        faults.finish(run)
    return f"codes {codes}"


def hang(faults, rank, limit):
    """Stops a rank for ever; gives what was said until the run was ended."""
    shutil.rmtree("hanging", ignore_errors=True)
    command = faults.command("hanging") + ["--hang-limit", str(limit)]
    process = faults.setting.start("log", faults.ranks, command)
    faults.until_step(process, "hanging", 3)
    pid = faults.ranks_of(process)[rank]
    os.kill(pid, signal.SIGSTOP)
    try:
        code = process.wait(300)
    finally:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    text = faults.text()
    expect(code == 75 and len(errors(text)) == 1, f"{code}: {text}")
    faults.finish("hanging")
    return text


@fault
def hanging_rank(faults):
    last = faults.ranks - 1
    text = hang(faults, last, 75)
    expect(text.count(f"no sign of life from rank {last}") == 2, text)
    return "named after 60 s, ended with 75"


@fault
def hanging_rank_0(faults):
    # The one that would tell is the one that hangs.
    text = hang(faults, 0, 20)
    expect("rank 0 does not end the run" in errors(text)[0], text)
    return "ended by another rank with 75"


def limited(run, size, faults, fill):
    """Trains in a file system of a size until it is full; then there is room again."""
    os.makedirs("small", exist_ok=True)
    subprocess.run(["umount", "-l", "small"], capture_output=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", "small"], capture_output=True)
    if mounted.returncode != 0:
        raise Skipped("no tmpfs can be mounted here")
    try:
        process = faults.start(run)
        fill(process)
        code, text = process.wait(600), faults.text()
        told = errors(text)
        expect(code == 1 and len(told) == 1 and "rank 0 on host" in told[0], f"{code}: {text}")
        pathlib.Path("small/filler").unlink(missing_ok=True)
        subprocess.run(["mount", "-o", "remount,size=512m", "small"], check=True)
        faults.finish(run)
        return told[0][:100]
    finally:
        subprocess.run(["umount", "-l", "small"], capture_output=True)


@fault
def full_disk(faults):
    need_root("a small file system")
    faults.undisturbed()
    folders = pathlib.Path("undisturbed/checkpoints").glob("iteration-*")
    checkpoint = max(sum(f.stat().st_size for f in x.rglob("*") if f.is_file()) for x in folders)

    def wait_only(process):
        pass

    def fill_up(process):
        # All room goes while it trains: what comes next is a line of the log, or a checkpoint.
        faults.until_step(process, "small/run", 3)
        with open("small/filler", "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(1 << 12))
            except OSError:
                pass

    told = [
        limited("small/run", checkpoint // 2, faults, wait_only),
        limited("small/run", checkpoint * 3 // 2, faults, wait_only),
        limited("small/run", checkpoint * 8, faults, fill_up),
    ]
    return "; ".join(told)


def folders_of_ranks(faults):
    """A folder for each rank, in which /proc/self/cwd leads to files of its own."""
    folders = []
    for rank in range(faults.ranks):
        folder = pathlib.Path(f"of-rank-{rank}").resolve()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name in ("world", "clip"):
            (folder / name).symlink_to(pathlib.Path(name).resolve())
        for name in ("annotations", "images"):
            shutil.copytree(f"world/train/{name}", folder / name)
        folders.append(folder)
    return folders


OWN_PICTURES = [
    "data.train_images=/proc/self/cwd/images", "data.alignment_images=/proc/self/cwd/images"]


@fault
def unreadable_picture_on_one_rank(faults):
    folders = folders_of_ranks(faults)
    last = faults.ranks - 1
    pictures = sorted((folders[last] / "images").iterdir())
    for picture in pictures[:3]:
        picture.write_bytes(picture.read_bytes()[:100])

    def command(run):
        # Rank 0 starts in its folder.
        return faults.command(f"../{run}", *OWN_PICTURES)

    def train(run):
        return faults.setting.run(faults.ranks, command(run), folders=folders)

    shutil.rmtree("picture-whole", ignore_errors=True)
    code, text = train("picture-whole")
    expect(code == 0 and not errors(text), f"{code}: {text}")
    warned = [line for line in text.splitlines() if "the image is left out" in line]
    expect(warned and len(warned) <= 3, f"{len(warned)} warnings: {text}")
    expect(all(f"rank {last} on host" in line for line in warned), text)
    shutil.rmtree("picture-stopped", ignore_errors=True)
    process = faults.setting.start("log", faults.ranks, command("picture-stopped"), folders=folders)
    faults.until_step(process, "picture-stopped", 5)
    os.kill(process.pid, signal.SIGUSR2)
    code = process.wait(600)
    expect(code in (0, 130), f"{code}: {faults.text()}")
    at = trial.iteration("picture-stopped")
    code, text = train("picture-stopped")
    expect(code == 0, f"{code}: {text}")
    expect(digests("picture-stopped") == digests("picture-whole"), "other bytes than undisturbed")
    return f"{len(warned)} images left out by rank {last}; stopped after {at} steps, the same bytes"


@fault
def missing_pictures_on_one_rank(faults):
    folders = folders_of_ranks(faults)
    last = faults.ranks - 1
    shutil.rmtree(folders[last] / "images")
    shutil.rmtree("no-pictures", ignore_errors=True)
    command = faults.command("../no-pictures", *OWN_PICTURES)
    code, text = faults.setting.run(faults.ranks, command, folders=folders)
    told = errors(text)
    expect(code == 1 and len(told) == 1, f"{code}: {text}")
    expect(f"rank {last} on host" in told[0] and "/proc/self/cwd/images" in told[0], told[0])
    expect(not pathlib.Path("no-pictures").exists(), "a folder was left")
    return "named before the first step, no folder"


@fault
def other_annotations_on_one_rank(faults):
    folders = folders_of_ranks(faults)
    last = faults.ranks - 1
    name = "instances_base.json"
    other = folders[last] / "annotations" / name
    other.write_text(other.read_text().replace('"area"', '"aera"', 1))
    shutil.rmtree("other-annotations", ignore_errors=True)
    command = faults.command(
        "../other-annotations", f"data.train_annotations=/proc/self/cwd/annotations/{name}",
        f"data.alignment_annotations=/proc/self/cwd/annotations/{name}")
    code, text = faults.setting.run(faults.ranks, command, folders=folders)
    told = errors(text)
    expect(code == 1 and len(told) == 1, f"{code}: {text}")
    expect(f"rank {last} on host" in told[0] and f"another {name}" in told[0], told[0])
    expect(not pathlib.Path("other-annotations").exists(), "a folder was left")
    return "named before the first step, no folder"


@fault
def cut_network(faults):
    hosts = trial.HERE / "hosts.sh"
    need_root("a network namespace")
    if faults.ranks != 2:
        raise Skipped("the two hosts have a rank each: give --ranks 2")
    if shutil.which("ip") is None:
        raise Skipped("no iproute2 is installed")
    if subprocess.run([str(hosts), "up"], capture_output=True).returncode != 0:
        raise Skipped("no network namespaces can be made here")
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
        print("skipped  all: no Open MPI is installed", flush=True)
        return 0
    unknown = [name for name in options.faults if name not in FAULTS]
    if unknown:
        raise SystemExit(f"error: no fault {unknown[0]}; there are: {', '.join(FAULTS)}")
    setting = trial.Trial(options.baron, options.folder)
    setting.prepare()
    faults, failed = Faults(setting, options.ranks, options.kills, options.seed), 0
    for name in options.faults or list(FAULTS):
        try:
            print(f"passed   {name}: {FAULTS[name](faults)}", flush=True)
        except Skipped as reason:
            print(f"skipped  {name}: {reason}", flush=True)
        except AssertionError as reason:
            failed += 1
            print(f"FAILED   {name}: {reason}", flush=True)
    return 1 if failed else 0


sys.exit(main())
