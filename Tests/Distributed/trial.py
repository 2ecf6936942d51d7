"""What the trials of several processes share: the small world, launchers, and what a run left."""
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
CONFIGURATIONS = HERE.parent / "Drivers"
OPEN_MPI = next((p for p in map(shutil.which, ["mpirun.openmpi", "mpirun"]) if p), None)
MPICH = shutil.which("mpirun.mpich")


class Skipped(Exception):
    """Something that cannot be tried on this machine; the text says why."""


class Trial:
    """A folder with a drawn world and a small CLIP, in which runs are made."""

    def __init__(self, baron, folder):
        self.baron = str(pathlib.Path(baron).resolve())
        self.folder = pathlib.Path(folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        os.chdir(self.folder)
        # One thread a process: ranks that spin would keep the others from their core.
        self.environment = dict(
            os.environ, BARON_DEVICE="cpu", POCL_MAX_PTHREAD_COUNT="1", BARON_TUNING="off")

    def prepare(self, images=12, pixels=96):
        for part, count, seed in [("train", images, 1), ("test", 6, 2)]:
            shutil.rmtree(f"world/{part}", ignore_errors=True)
            self.must([
                "world", f"world/{part}", "--images", str(count), "--seed", str(seed),
                "--pixels", str(pixels)])
        shutil.rmtree("clip", ignore_errors=True)
        self.must(["clip-train", f"{CONFIGURATIONS}/clip.yaml", "--run", "./clip"])

    def must(self, arguments):
        done = subprocess.run(
            [self.baron] + arguments, capture_output=True, text=True, env=self.environment)
        if done.returncode != 0:
            raise SystemExit(f"baron {arguments[0]} ended with {done.returncode}: {done.stderr[-500:]}")

    def train(self, run, *settings, iterations=8, configuration="detector"):
        """The arguments that start a run."""
        settings = [
            f"training.iterations={iterations}", "training.checkpoint_every=4",
            "training.keep_checkpoints=2", "data.threads=1", *settings]
        sets = [word for setting in settings for word in ("--set", setting)]
        path = CONFIGURATIONS / f"{configuration}.yaml" if "/" not in configuration else configuration
        return ["train", str(path), "--run", f"./{run}"] + sets

    def launch(
        self, ranks, arguments, launcher=None, options=(), variables=None, folders=None,
        program=None,
    ):
        """The command line that starts ranks, each in a folder of its own where some are given, and
        its environment."""
        environment = dict(self.environment, **(variables or {}))
        words = [str(program or self.baron)] + arguments
        if ranks == 0:
            return words, environment
        launcher = launcher or OPEN_MPI
        command = [launcher]
        if launcher == OPEN_MPI:
            command += ["--oversubscribe", "--bind-to", "none"]
            if os.getuid() == 0:
                command += ["--allow-run-as-root"]
        command += list(options)
        if folders is None:
            return command + ["-n", str(ranks)] + words, environment
        parts = [[":", "-n", "1", "-wdir", str(folder)] + words for folder in folders]
        return command + sum(parts, [])[1:], environment

    def start(self, log, *launch, **named):
        command, environment = self.launch(*launch, **named)
        with open(log, "wb") as output:
            return subprocess.Popen(
                command, stdout=output, stderr=output, env=environment, start_new_session=True)

    def run(self, *launch, limit=600, **named):
        """Runs ranks to their end; gives the code and all that was said."""
        process = self.start("log", *launch, **named)
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            code = -1
        return code, pathlib.Path("log").read_text(errors="replace")


def errors(text):
    """The lines in which the program tells an error."""
    return [line for line in text.splitlines() if line.startswith("error: ")]


def digests(run):
    """What must be equal: every file of the last checkpoint and every results file."""
    run = pathlib.Path(run)
    folders = sorted(run.glob("checkpoints/iteration-*"))
    files = sorted(folders[-1].rglob("*")) if folders else []
    files += sorted(run.glob("detections/*"))
    return {
        str(f.relative_to(run)): hashlib.sha256(f.read_bytes()).hexdigest()
        for f in files
        if f.is_file()
    }


def measures(run):
    """Losses of every step and scores of every evaluation, in the order of the file."""
    lines = [json.loads(x) for x in (pathlib.Path(run) / "metrics.jsonl").read_text().splitlines()]
    return [(x["iteration"], x.get("losses"), x.get("evaluation")) for x in lines]


def iteration(run):
    """The iteration of the newest checkpoint, 0 without any."""
    folders = sorted(pathlib.Path(run).glob("checkpoints/iteration-*"))
    return int(folders[-1].name.split("-")[1]) if folders else 0


def wait_for(condition, process, seconds=300):
    """Waits until a condition holds or the process ends; gives whether it holds."""
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


def steps(run):
    """How many steps a run has logged."""
    path = pathlib.Path(run) / "metrics.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def ranks_of(process, baron):
    """The processes of the program that a launcher has started, by rank."""
    found, name = {}, pathlib.Path(baron).name[:15]
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if (entry / "comm").read_text().strip() != name:
                continue
            variables = (entry / "environ").read_bytes().split(b"\0")
            if os.getsid(int(entry.name)) != process.pid:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                if not descends(parent, process.pid):
                    continue
        except (OSError, ValueError):
            continue
        for variable in variables:
            key, _, value = variable.partition(b"=")
            if key in (b"OMPI_COMM_WORLD_RANK", b"PMI_RANK"):
                found[int(value)] = int(entry.name)
    return found


def descends(pid, ancestor):
    while pid > 1:
        if pid == ancestor:
            return True
        try:
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return False
        pid = int(stat.rsplit(")", 1)[1].split()[1])
    return False
