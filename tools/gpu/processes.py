"""Runs programs with a deadline, and ends them with all that they started."""

import ctypes
import os
import signal
import subprocess
import time

GRACE = 3  # seconds at most between asking to end and killing
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


class Cut(Exception):
    """A part is out of time."""


class Stopped(Exception):
    """A signal asked this run to end."""

    def __init__(self, number):
        super().__init__(signal.Signals(number).name)
        self.number = number


def stop_on_signals():
    """SIGTERM, Ctrl-C and SIGHUP become Stopped, once; what is then to be done is done in peace."""
    signals = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

    def stop(number, _frame):
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        raise Stopped(number)

    for each in signals:
        signal.signal(each, stop)


def adopt_orphans():
    """What a tool's children leave behind becomes this process's child, so that kill_all finds it,
    whatever session or group it has made for itself."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def _end_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _below(root):
    """The processes that `root` started, directly or not, as /proc has them: pid -> is a zombie."""
    parents, zombies = {}, set()
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                state, parent = file.read().rpartition(")")[2].split()[:2]
        except OSError:
            continue  # it has just ended
        parents[int(name)] = int(parent)
        if state == "Z":
            zombies.add(int(name))
    found, fresh = set(), {root}
    while fresh:
        fresh = {pid for pid, parent in parents.items() if parent in fresh} - found
        found |= fresh
    return {pid: pid in zombies for pid in found}


def kill_all(process):
    """Ends all that runs below this process; `process` is the child that Popen waits for."""
    try:
        if process:
            os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    for _ in range(100):
        left = _below(os.getpid())
        alive = [pid for pid, zombie in left.items() if not zombie]
        for pid in alive:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for pid in left:
            if process is None or pid != process.pid:
                try:
                    os.waitpid(pid, os.WNOHANG)
                except ChildProcessError:
                    pass
        if not alive:
            return
        time.sleep(0.02)


class Ended:
    """How a command went: its exit code as a shell has it, and the seconds it took."""

    def __init__(self, code, seconds):
        self.code = 128 - code if code < 0 else code
        self.seconds = seconds


def run(command, log, deadline, environment=None):
    """Runs `command` in the folder of the file `log`, which gets its output; raises Cut when
    time.monotonic() reaches `deadline`. Nothing that it started outlives this call."""
    start = time.monotonic()
    if start >= deadline:
        raise Cut()
    grace = min(GRACE, (deadline - start) / 4)
    process = None
    with open(log, "ab") as output:
        try:
            process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                       stdout=output, stderr=subprocess.STDOUT, env=environment,
                                       cwd=os.path.dirname(log), start_new_session=True,
                                       preexec_fn=_end_with_parent)
            try:
                process.wait(deadline - grace - start)
            except subprocess.TimeoutExpired:
                _ask_to_end(process, deadline)
                raise Cut() from None
        except OSError as error:
            output.write(f"cannot run {command[0]}: {error.strerror}\n".encode())
            return Ended(127, 0)
        finally:
            kill_all(process)
            if process:
                process.wait()
    return Ended(process.returncode, time.monotonic() - start)


def _ask_to_end(process, deadline):
    """A program may save what it has when it is asked to end."""
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(max(0, deadline - time.monotonic()))
    except (ProcessLookupError, subprocess.TimeoutExpired):
        pass


def answer(command, seconds=20, environment=None):
    """What a command prints, or None where it fails, is not there or takes longer."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=seconds, env=environment,
                              universal_newlines=True, errors="replace", check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
