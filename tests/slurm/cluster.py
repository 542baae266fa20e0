"""A SLURM of one node on this machine while a context is open: its own folder, ports and key, loopback only."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel")
DEBIAN = ("slurm-wlm", "munge")
CONF = """\
ClusterName=absorption-test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=4000 State=UNKNOWN
PartitionName=test Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


class NoSlurm(RuntimeError):
    """SLURM cannot be had here; the message is one line."""


def install() -> None:
    """Install Debian's packages if SLURM is missing, as an administrator or on a machine that is there for tests.

    Raises:
        NoSlurm: it is still missing.
    """
    os.environ["PATH"] += os.pathsep + "/usr/sbin"
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"] if os.environ.get("CI") else None
    if _missing() and as_root is not None and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *DEBIAN]):
            subprocess.run([*as_root, "apt-get", *command], env=environment, capture_output=True)
    if missing := _missing():
        raise NoSlurm(
            f"SLURM is not installed ({missing} not found; Debian: apt-get install {' '.join(DEBIAN)})"
        )


def _missing() -> str:
    return ", ".join(name for name in NEEDED if shutil.which(name) is None)


class Cluster:
    """Daemons of one cluster, children of this process."""

    def __init__(self, folder: Path) -> None:
        """``folder``: for all that the daemons write; others must be able to look into it."""
        self.folder = folder
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}
        (folder / "state").mkdir()
        (folder / "spool").mkdir()
        key = folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        host = socket.gethostname().partition(".")[0]
        conf = CONF.format(host=host, ports=_free_ports(2), user=getpass.getuser(), folder=folder)
        (folder / "slurm.conf").write_text(conf)

    def start(self) -> None:
        """Start all three daemons and wait until the node takes jobs.

        Raises:
            NoSlurm: it does not within half a minute.
        """
        files = [f"--{name}={self.folder}/munge.{end}" for name, end in
                 (("key-file", "key"), ("socket", "socket"), ("pid-file", "pid"), ("seed-file", "seed"),
                  ("log-file", "log"))]  # fmt: skip
        self._spawn("munged", "munged", "--foreground", "--num-threads=10", *files)
        self._until((self.folder / "munge.socket").exists)
        self.start_controller()
        self._spawn("slurmd", "slurmd", "-D")
        self._until(lambda: "idle" in _said("sinfo", "-h", "-o", "%T"))

    def start_controller(self) -> None:
        """Start the controller; after a kill it takes up the jobs that it has saved."""
        self._spawn("slurmctld", "slurmctld", "-D")

    def kill_controller(self) -> None:
        """Kill the controller without notice."""
        self.daemons["slurmctld"].kill()
        self.daemons["slurmctld"].wait()

    def stop(self) -> None:
        """End jobs and daemons."""
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(["scancel", "--full", "--signal=KILL", "--user", getpass.getuser()],
                           capture_output=True, timeout=10)  # fmt: skip
        everyone = [child for daemon in self.daemons.values() for child in _tree(daemon.pid)]
        for daemon in reversed(list(self.daemons.values())):
            daemon.send_signal(signal.SIGTERM)
        _, left = psutil.wait_procs(everyone + self.strays(), timeout=10)
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=10)

    def strays(self) -> list[psutil.Process]:
        """Processes of this cluster, daemons and their helpers, by the configuration that they were given."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                is_slurm = process.name().startswith(("slurm", "munge"))
                if is_slurm and process.environ().get("SLURM_CONF") == str(self.folder / "slurm.conf"):
                    found.append(process)
        return found

    def listens_at(self) -> set[str]:
        """Addresses at which the daemons listen."""
        found: set[str] = set()
        for process in self.strays():
            with suppress(psutil.Error):
                connections = process.net_connections(kind="inet")
                found |= {one.laddr.ip for one in connections if one.status == psutil.CONN_LISTEN}
        return found

    def _spawn(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.out").open("ab") as sink:
            self.daemons[name] = subprocess.Popen(command, stdout=sink, stderr=sink)

    def _until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            dead = [name for name, daemon in self.daemons.items() if daemon.poll() is not None]
            if dead or time.monotonic() > deadline:
                raise NoSlurm(f"SLURM does not start here: {self._complaint(dead)}")
            time.sleep(0.2)

    def _complaint(self, dead: list[str]) -> str:
        for name in [*dead, "slurmctld", "slurmd", "munged"]:
            path = self.folder / f"{name}.out"
            lines = path.read_text(errors="replace").splitlines() if path.exists() else []
            if said := [line for line in lines if "error" in line.lower() or "fatal" in line.lower()]:
                return f"{name}: {said[-1][:300]}"
        return "no daemon says why"


@contextmanager
def running() -> Iterator[Cluster]:
    """A cluster that takes jobs; it and its folder are gone afterwards, whatever happens.

    Raises:
        NoSlurm: it cannot be installed or started.
    """
    install()
    folder = Path(tempfile.mkdtemp(prefix="absorption-slurm-", dir="/tmp"))
    folder.chmod(0o755)  # munge wants its socket in reach of all
    os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
    os.environ["PATH"] = os.pathsep.join([str(_own_srun(folder)), os.environ["PATH"]])
    cluster = Cluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _own_srun(folder: Path) -> Path:
    """A folder with an ``srun`` that knows this cluster: in a job Snakemake takes all of SLURM's variables away, and
    where the configuration does not lie in its usual place, nothing else tells."""
    srun = folder / "bin" / "srun"
    srun.parent.mkdir()
    srun.write_text(f'#!/bin/sh\nSLURM_CONF="{folder}/slurm.conf" exec "{shutil.which("srun")}" "$@"\n')
    srun.chmod(0o755)
    return srun.parent


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout


def _tree(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
