#!/usr/bin/env python3
"""Trains the demo's detector as four replicas on one, two and four processes, and compares the scores.

    replicas.py BARON DEMO FOLDER [--student full] [--processes 1 2 4] [--seeds 0 1 2] [--replicas 4]
                [--iterations N]

DEMO is the folder of a finished 'baron demo', also of 'baron demo --quick', whose world, teacher and
configuration are taken; a step has as many images as there. Ends with a table of the novel AP50 of each
seed; runs that are done already are not trained again.
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import sys

import trial


def number(configuration, key):
    found = re.search(rf"^ +{key}: (\d+)", configuration, re.MULTILINE)
    if not found:
        raise SystemExit(f"error: the configuration has no {key}")
    return int(found.group(1))


def score(run, iterations):
    path = pathlib.Path(run) / "scores" / f"iteration-{iterations}.json"
    if not path.exists():
        return None
    groups = json.loads(path.read_text())["groups"]
    return [100 * groups[name]["measures"]["AP50"] for name in ("novel", "base")]


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("baron", type=pathlib.Path)
    parser.add_argument("demo", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--student")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--replicas", type=int, default=4)
    parser.add_argument("--iterations", type=int)
    options = parser.parse_args()
    if trial.OPEN_MPI is None:
        raise SystemExit("error: no Open MPI is installed: apt-get install openmpi-bin")
    students = sorted((options.demo / "students").glob("*/config.yaml"))
    names = [path.parent.name for path in students]
    name = options.student or next((x for x in ("full", "demo-bags", "bags") if x in names), None)
    if name not in names:
        raise SystemExit(f"error: {options.demo} has the students {', '.join(names)}: give --student")
    configuration = (options.demo / "students" / name / "config.yaml").resolve()
    text = configuration.read_text()
    iterations = options.iterations or number(text, "iterations")
    batches = {key: number(text, key) for key in ("detection_batch", "alignment_batch")}
    for key, batch in batches.items():
        if batch % options.replicas:
            raise SystemExit(f"error: {key} is {batch}, which {options.replicas} do not divide")
    setting = trial.Trial(options.baron, options.folder)
    # Processes share all cores; one alone may have them.
    del setting.environment["POCL_MAX_PTHREAD_COUNT"], setting.environment["BARON_TUNING"]
    cores = len(os.sched_getaffinity(0))
    found = {}
    for seed in options.seeds:
        for processes in options.processes:
            run = f"seed-{seed}-on-{processes}"
            if score(run, iterations) is None:
                settings = [f"{key}={batch // options.replicas}" for key, batch in batches.items()]
                settings = [f"training.{text}" for text in settings] + [
                    f"training.iterations={iterations}", f"training.evaluate_every={iterations}",
                    f"training.checkpoint_every={max(1, iterations // 4)}", f"training.seed={seed}"]
                arguments = ["train", str(configuration), "--run", f"./{run}", "--continue",
                             "--replicas", str(options.replicas)]
                arguments += [word for text in settings for word in ("--set", text)]
                threads = {"POCL_MAX_PTHREAD_COUNT": str(max(1, cores // processes))}
                code, said = setting.run(
                    processes if processes > 1 else 0, arguments, variables=threads, limit=36000)
                if code != 0:
                    raise SystemExit(f"error: {run} ended with {code}: {said[-1500:]}")
            found[seed, processes] = score(run, iterations)
            print(f"seed {seed}, {processes} process(es): novel AP50 {found[seed, processes][0]:.1f}, "
                  f"base AP50 {found[seed, processes][1]:.1f}", flush=True)
    print(table(options, found))
    return 0


def table(options, found):
    heads = "".join(f" seed {seed} |" for seed in options.seeds)
    lines = ["", f"| novel AP50, R = {options.replicas} |{heads} mean | spread |",
             "| --- |" + " ---: |" * (len(options.seeds) + 2)]
    for processes in options.processes:
        values = [found[seed, processes][0] for seed in options.seeds]
        spread = statistics.stdev(values) if len(values) > 1 else 0
        cells = "".join(f" {value:.1f} |" for value in values)
        lines.append(f"| on {processes} |{cells} {statistics.mean(values):.1f} | {spread:.1f} |")
    return "\n".join(lines)


sys.exit(main())
