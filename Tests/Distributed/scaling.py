#!/usr/bin/env python3
"""Measures how well training scales, on a quiet machine with at least two cores.

    scaling.py BARON FOLDER [--other BARON] [--processes 2] [--rounds 5] [--steps 30] [--pixels 96]
                            [--set SECTION.KEY=VALUE …]

Each process computes on one core of its own, with as many pictures of one size. Runs of one process and
of several take turns, so that a machine that becomes slower does so for all; a run counts by the median
of its steps, a kind of run by the median of its runs. With --other, runs of one process by both programs
take turns too. Ends with a table, and writes all numbers to FOLDER/scaling.json.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import sys

import trial

# Steps that compile kernels, fill queues and wake a processor.
WARM_UP = 6
NORMS = {
    "frozen norm": [f"model.{part}.norm=frozen" for part in ("backbone", "neck")],
    "batch norm": [],
}


def cores():
    """One hardware thread of each core that this process may use."""
    seen, chosen = set(), []
    for cpu in sorted(os.sched_getaffinity(0)):
        path = pathlib.Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        core = path.read_text().strip() if path.exists() else str(cpu)
        if core not in seen:
            seen.add(core)
            chosen.append(cpu)
    return chosen


class Pinned(trial.Trial):
    """A trial whose processes have a core each."""

    def launch(self, ranks, arguments, program=None, **named):
        # Each rank binds itself, so that one process alone is bound as those of a launcher are.
        program = str(program or self.baron)
        command, environment = super().launch(ranks, arguments, program=program, **named)
        at = command.index(program)
        places = " ".join(map(str, self.places))
        bind = f'set -- {places} -- "$@"; shift ${{OMPI_COMM_WORLD_LOCAL_RANK:-0}}; core=$1; ' \
            'while [ "$1" != -- ]; do shift; done; shift; exec taskset -c "$core" "$@"'
        return command[:at] + ["sh", "-c", bind, "sh"] + command[at:], environment


def measure(setting, name, ranks, settings, steps, program=None):
    """Seconds of a step of a run, and its shares of waiting."""
    shutil.rmtree(name, ignore_errors=True)
    replicas = max(1, ranks)
    arguments = setting.train(
        name, f"training.replicas={replicas}", "training.checkpoint_every=100000",
        "training.evaluate_every=0", "training.detection_batch=4", "training.alignment_batch=4",
        *settings, iterations=WARM_UP + steps)
    code, text = setting.run(ranks, arguments, program=program, limit=3600)
    if code != 0:
        raise SystemExit(f"error: {name} ended with {code}: {text[-1500:]}")
    lines = (pathlib.Path(name) / "metrics.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines][WARM_UP:]
    shutil.rmtree(name)

    def median(key):
        values = [r["measures"][key] for r in records if key in r["measures"]]
        return statistics.median(values) if values else None

    return {
        "seconds": statistics.median(r["seconds"] for r in records),
        "images_per_second": statistics.median(r["images_per_second"] for r in records),
        "data_wait_share": statistics.median(r["data_wait_share"] for r in records),
        "exchange_wait_share": median("exchange_wait_share"),
        "exchange_hidden_share": median("exchange_hidden_share"),
    }


def summary(runs, key="seconds"):
    values = [run[key] for run in runs if run[key] is not None]
    return statistics.median(values) if values else None


def milliseconds(seconds):
    return f"{1000 * seconds:.1f}"


def share(value):
    return "-" if value is None else f"{value:.3f}"


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("baron", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--other", type=pathlib.Path)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--pixels", type=int, default=96)
    parser.add_argument("--set", action="append", default=[], help="of the model, for a larger one")
    options = parser.parse_args()
    if trial.OPEN_MPI is None:
        raise SystemExit("error: no Open MPI is installed: apt-get install openmpi-bin")
    other = options.other.resolve() if options.other else None
    setting = Pinned(options.baron, options.folder)
    setting.places = cores()
    if len(setting.places) < options.processes:
        raise SystemExit(
            f"error: {options.processes} processes need a core each, there are {len(setting.places)}")
    setting.prepare(images=48, pixels=options.pixels)
    results = {"processes": options.processes, "steps": options.steps, "load": os.getloadavg()}
    kinds = [(norm, ranks) for norm in NORMS for ranks in (0, options.processes)]
    size = [f"data.long_side={options.pixels}", f"data.short_sides=[{options.pixels}]", *options.set]
    runs = {kind: [] for kind in kinds}
    programs = {"this": [], "other": []}
    for number in range(options.rounds):
        order = kinds if number % 2 == 0 else kinds[::-1]
        for norm, ranks in order:
            runs[norm, ranks].append(
                measure(setting, "scaling", ranks, size + NORMS[norm], options.steps))
            print(f"round {number + 1}: {norm}, {max(1, ranks)} process(es): "
                  f"{milliseconds(runs[norm, ranks][-1]['seconds'])} ms", flush=True)
        for name in [] if other is None else sorted(programs, reverse=number % 2 == 1):
            program = other if name == "other" else None
            programs[name].append(
                measure(setting, "program", 0, size, options.steps, program=program))
            print(f"round {number + 1}: {name} program: "
                  f"{milliseconds(programs[name][-1]['seconds'])} ms", flush=True)
    results["runs"] = {f"{norm}, {max(1, ranks)}": found for (norm, ranks), found in runs.items()}
    results["programs"] = programs
    pathlib.Path("scaling.json").write_text(json.dumps(results, indent=1) + "\n")
    print(table(options, runs, programs if other else None))
    return 0


def table(options, runs, programs):
    lines = [
        "", f"| {options.pixels} pixels, one core each, median of {options.rounds} runs "
        f"| 1 process | {options.processes} processes | weak scaling | waits for exchanges | hidden |",
        "| --- | ---: | ---: | ---: | ---: | ---: |"]
    for norm in NORMS:
        one, many = runs[norm, 0], runs[norm, options.processes]
        # Runs of a round are neighbours in time.
        ratios = [a["seconds"] / b["seconds"] for a, b in zip(one, many)]
        lines.append(
            f"| {norm} | {milliseconds(summary(one))} ms | {milliseconds(summary(many))} ms "
            f"| {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}) "
            f"| {share(summary(many, 'exchange_wait_share'))} "
            f"| {share(summary(many, 'exchange_hidden_share'))} |")
    if programs:
        ratios = [a["seconds"] / b["seconds"] for a, b in zip(programs["this"], programs["other"])]
        lines += [
            "", "| one process | this program | the other | ratio of times |",
            "| --- | ---: | ---: | ---: |",
            f"| a step | {milliseconds(summary(programs['this']))} ms "
            f"| {milliseconds(summary(programs['other']))} ms "
            f"| {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}) |"]
    return "\n".join(lines)


sys.exit(main())
