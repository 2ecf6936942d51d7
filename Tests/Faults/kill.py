#!/usr/bin/env python3
"""Kills a training at random moments and goes on until it is done, over and over.

    kill.py BARON FOLDER [--kills 100] [--seed 1] [--command train | clip-train]

Draws a small world in FOLDER, trains on it once undisturbed and then with SIGKILLs: after a random
time, while a checkpoint is being written, after a line of metrics.jsonl, during an evaluation. A run
is always gone on with by the command that a batch system would repeat. At its end it must have the
bytes of the undisturbed run: weights, state, detections, and the losses and scores of metrics.jsonl,
each once; nothing half written may be left. Prints what was hit and ends with 1 at any difference.
"""
import argparse
import collections
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

CONFIGURATIONS = pathlib.Path(__file__).resolve().parent.parent / "Drivers"
ITERATIONS = 12


def digests(run):
    """What must be equal: every file of the last checkpoint and every results file."""
    last = sorted(run.glob("checkpoints/iteration-*"))[-1]
    files = sorted(last.rglob("*")) + sorted(run.glob("detections/*"))
    return {
        str(f.relative_to(run)): hashlib.sha256(f.read_bytes()).hexdigest()
        for f in files
        if f.is_file()
    }


def measures(run):
    """Losses of every step and scores of every evaluation, in the order of the file."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [(x["iteration"], x.get("losses"), x.get("evaluation")) for x in lines]


def left_over(run):
    return [str(f.relative_to(run)) for f in run.rglob("*") if "partial" in f.name]


class Kills:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.hit = collections.Counter()

    def wait_for_moment(self, process, run, log):
        """Waits until the moment of this round or the end of the process; names the moment."""
        kind = self.random.choice(["time", "time", "checkpoint", "step", "evaluation"])
        limit = self.random.random() ** 2 * self.random.choice([0.5, 3, 8])
        line = self.random.randrange(1, ITERATIONS)
        begin = time.monotonic()

        def is_due():
            if kind == "time":
                return time.monotonic() - begin > limit
            if kind == "checkpoint":
                return any(run.glob("checkpoints/.partial*"))
            if kind == "step":
                metrics = run / "metrics.jsonl"
                return metrics.exists() and metrics.read_bytes().count(b"\n") >= line
            return b"evaluate" in log.read_bytes()

        while process.poll() is None and not is_due():
            time.sleep(0.002)
        time.sleep(0 if kind == "time" else self.random.uniform(0, 0.1))
        return kind


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("baron", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--command", choices=["train", "clip-train"], default="train")
    options = parser.parse_args()
    baron = str(options.baron.resolve())
    options.folder.mkdir(parents=True, exist_ok=True)
    os.chdir(options.folder)
    folder, log = pathlib.Path("."), pathlib.Path("log")
    for part, images, seed in [("train", 12, 1), ("test", 6, 2)]:
        shutil.rmtree(f"world/{part}", ignore_errors=True)
        world = [baron, "world", f"world/{part}", "--images", str(images), "--seed", str(seed)]
        subprocess.run(world, check=True, capture_output=True)

    def start(command, run):
        configuration = CONFIGURATIONS / ("clip" if command == "clip-train" else "detector")
        settings = [f"training.iterations={ITERATIONS}", "training.checkpoint_every=3"]
        if command == "train":
            settings += ["training.evaluate_every=6", "training.keep_checkpoints=2"]
        sets = [word for setting in settings for word in ("--set", setting)]
        return [baron, command, f"{configuration}.yaml", "--run", f"./{run}"] + sets

    # The detector learns from this CLIP.
    for command, run in [("clip-train", "clip"), (options.command, "undisturbed")]:
        shutil.rmtree(run, ignore_errors=True)
        subprocess.run(start(command, run), check=True, capture_output=True)
    whole, numbers = digests(folder / "undisturbed"), measures(folder / "undisturbed")

    kills, done, rounds, faults = Kills(options.seed), 0, 0, []
    while done < options.kills and len(faults) < 10:
        run = folder / f"killed-{rounds}"
        rounds += 1
        shutil.rmtree(run, ignore_errors=True)
        code = -signal.SIGKILL
        while code == -signal.SIGKILL:
            resume = [baron, options.command, "--resume", f"./{run}"]
            command = resume if run.exists() else start(options.command, run)
            with log.open("wb") as output:
                process = subprocess.Popen(
                    command, stdout=output, stderr=output, start_new_session=True)
            if done < options.kills:
                kind = kills.wait_for_moment(process, run, log)
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    done += 1
                    kills.hit[kind] += 1
            code = process.wait()
        if code != 0:
            faults.append(f"{run}: ended with {code}: {log.read_text()[-300:]}")
        elif digests(run) != whole:
            faults.append(f"{run}: other bytes than undisturbed")
        elif measures(run) != numbers:
            faults.append(f"{run}: metrics.jsonl is another than undisturbed")
        elif left_over(run):
            faults.append(f"{run}: left over: {left_over(run)}")
        else:
            shutil.rmtree(run)
    moments = ", ".join(f"{count} {kind}" for kind, count in sorted(kills.hit.items()))
    print(f"{done} kills ({moments}) in {rounds} runs, {len(faults)} faults")
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults or done < options.kills else 0


sys.exit(main())
