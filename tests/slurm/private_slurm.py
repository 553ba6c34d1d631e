"""A real Slurm of our own: munge, a controller and three nodes, all on this machine.

It lives in a folder of its own, with its own key, socket, ports and configuration, so that several
of them, and a Slurm of the machine, do not meet. Its nodes' processors are fake.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "setpriv")
NODES = ("n1", "n2", "n3")
CORES = 4
UP = 30.0  # seconds
# A job that was sent to a node just after its crash ends when Slurm tries to cancel it again.
UP_AGAIN = 180.0
CONFIGURATION = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
{bind}
SlurmUser=root
AuthType=auth/munge
# A job that is requeued waits until its credential has expired: 2 minutes by default.
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
MailProg=/bin/true
MpiDefault=none
# This machine's kernel need not have control groups.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
# The least loaded node first, so that small jobs go to several nodes.
SelectTypeParameters=CR_Core_Memory,CR_LLN
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=2,sched_min_interval=0,batch_sched_delay=0
SlurmdParameters=config_overrides
ReturnToService=2
SlurmctldTimeout=30
SlurmdTimeout=10
MinJobAge=600
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """Say why no Slurm can be started here; "" if one can."""
    lacking = [program for program in PROGRAMS if shutil.which(program, path=_path()) is None]
    if lacking:
        return f"no {', '.join(lacking)} on this machine"
    return "" if os.geteuid() == 0 else "Slurm's daemons need root"


class PrivateSlurm:
    """A running Slurm.

    Attributes:
        folder: its state, logs and configuration.
        environment: variables with which its commands, and programs that call them, reach it.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        usual = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "SBATCH_"))}
        self.environment = {**usual, "PATH": _path(), "SLURM_CONF": str(folder / "slurm.conf")}
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    def call(self, *command: object) -> str:
        """Run one of Slurm's commands, and give what it prints."""
        done = subprocess.run(
            list(map(str, command)), env=self.environment, check=False, timeout=60, text=True,
            capture_output=True,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout.strip()

    def state(self, job: str) -> str:
        """Give the state of a job, such as RUNNING."""
        return self._field(job, "JobState")

    def status(self, job: str) -> int:
        """Give the exit status of a job that has ended."""
        return int(self._field(job, "ExitCode").split(":")[0])

    def ended(self, job: str) -> bool:
        """Say whether a job is neither waiting, running nor ending."""
        return self.state(job) not in ("PENDING", "RUNNING", "COMPLETING", "CONFIGURING")

    def wait(self, job: str, seconds: float = 120.0) -> str:
        """Wait for a job to end, and give its last state."""
        self.until(lambda: self.ended(job), seconds, f"job {job} did not end")
        return self.state(job)

    def until(self, condition: Callable[[], object], seconds: float, what: str) -> None:
        """Wait for something, not for ever; tell the ends of all logs if it does not come."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"{what}\n{self._nodes()}\n{self._logs()}"
            time.sleep(0.2)

    def crash(self, node: str) -> None:
        """Let a node lose power: its daemon and every process of its jobs is killed at once."""
        daemon = self._daemons.pop(node)
        victims = [daemon.pid, *(process.pid for process in self.processes(node))]
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        daemon.wait(timeout=20)

    def power_on(self, node: str) -> None:
        """Start a node, after a crash too, and wait until it takes jobs."""
        self._start(node, "slurmd", "-D", "-N", node, "-f", self.folder / "slurm.conf")
        self.until(lambda: self._is_up(node), UP_AGAIN, f"{node} did not come up")

    def start(self) -> None:
        """Start all daemons, and wait until every node takes jobs."""
        (self.folder / "state").mkdir()
        self._configure()
        munge = self.folder / "munge"
        key = munge.with_suffix(".key")
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(1024))
        options = {"key-file": key, "socket": munge.with_suffix(".socket"),
                   "pid-file": munge.with_suffix(".pid"), "seed-file": munge.with_suffix(".seed"),
                   "origin": "127.0.0.1"}  # fmt: skip
        written = (f"--{name}={value}" for name, value in options.items())
        self._start("munged", "munged", "--foreground", "--force", *written)
        self.until(options["socket"].exists, UP, "munged did not start")
        self._start("slurmctld", "slurmctld", "-D", "-c", "-f", self.folder / "slurm.conf")
        for node in NODES:
            self._start(node, "slurmd", "-D", "-N", node, "-f", self.folder / "slurm.conf")
        for node in NODES:
            self.until(lambda node=node: self._is_up(node), UP, f"{node} did not come up")

    def cancel_all(self) -> None:
        """Cancel every job, and wait until none is left."""
        self.call("scancel", "--quiet", "--state=PENDING", "--user=root")
        self.call("scancel", "--quiet", "--user=root")
        self.until(lambda: not self.call("squeue", "-h"), 60, "jobs did not end")

    def stop(self) -> None:
        """End the jobs and then the daemons, each by its pid."""
        with suppress(AssertionError, subprocess.TimeoutExpired, FileNotFoundError):
            self.cancel_all()
        for daemon in reversed(self._daemons.values()):
            daemon.terminate()
        for daemon in self._daemons.values():
            try:
                daemon.wait(timeout=20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait(timeout=20)
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def _configure(self) -> None:
        port, *ports = _free_ports(1 + len(NODES))
        host = socket.gethostname().split(".")[0]
        # Commands listen where the host's name points to.
        only_loopback = socket.gethostbyname(socket.gethostname()) == "127.0.0.1"
        bind = "CommunicationParameters=NoInAddrAny,NoCtldInAddrAny" if only_loopback else ""
        common = f"NodeHostname={host} NodeAddr=127.0.0.1 CPUs={CORES} RealMemory=8000"
        lines = (f"NodeName={n} Port={p} {common}" for n, p in zip(NODES, ports, strict=True))
        text = CONFIGURATION.format(
            folder=self.folder, host=host, port=port, bind=bind, nodes="\n".join(lines)
        )
        (self.folder / "slurm.conf").write_text(text)

    def _start(self, name: str, *command: object) -> None:
        """Start a daemon, which ends with this process even if that is killed."""
        with (self.folder / f"{name}.out").open("ab") as output:
            self._daemons[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *map(str, command)],
                env=self.environment | {"PRIVATE_SLURM": f"{self.folder}/{name}"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _is_up(self, node: str) -> bool:
        found = subprocess.run(
            ["sinfo", "-hN", "-n", node, "-o", "%T"], env=self.environment, check=False,
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        return found.stdout.strip() in ("idle", "mixed", "allocated")

    def _field(self, job: str, name: str) -> str:
        words = self.call("scontrol", "show", "job", "-o", job).split()
        return next(word for word in words if word.startswith(f"{name}=")).partition("=")[2]

    def _nodes(self) -> str:
        return subprocess.run(
            ["sinfo", "-hN", "-o", "%N %T %H %E"], env=self.environment, check=False,
            capture_output=True, text=True, timeout=60,
        ).stdout  # fmt: skip

    def _logs(self) -> str:
        files = [*self.folder.glob("*.out"), *self.folder.glob("*.log")]
        return "\n".join(
            f"{file.name}: {file.read_text(errors='replace')[-2000:]}" for file in files
        )

    def processes(self, node: str | None = None) -> Iterator[psutil.Process]:
        """Find the steps of a node, and the processes of its jobs; those of all nodes if None."""
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                variables = process.environ()
                ours = variables.get("SLURM_CONF") == self.environment["SLURM_CONF"]
                daemon = variables.get("PRIVATE_SLURM", "").rpartition("/")[2]
                where = variables.get("SLURMD_NODENAME", daemon)
                if ours and (where == node if node else where in NODES):
                    yield process


@contextmanager
def private_slurm(folder: Path) -> Iterator[PrivateSlurm]:
    """Run a Slurm in a folder, whose path has to be short: it holds sockets."""
    slurm = PrivateSlurm(folder)
    with ExitStack() as ends:
        ends.callback(slurm.stop)
        slurm.start()
        yield slurm


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def _free_ports(count: int) -> list[int]:
    """Find ports of loopback that are free now."""
    with ExitStack() as sockets:
        bound = [sockets.enter_context(socket.socket()) for _ in range(count)]
        for one in bound:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in bound]
