"""Decides how a lab is shut off from everything else: namespaces, interface, and what ends with what.

Two processes of this program matter. The outer one runs as the caller and only watches. The inner one is
process 1 of new network, mount and process namespaces (and, for an ordinary user, of a user namespace in
which the user is root): when it ends, the kernel ends whatever still runs in there.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import addresses
from servers import Servers, StartError, find_program

GRACE_S = 5
CAP_SYS_ADMIN = 21


def run(directory, command):
    """Runs a command inside the lab and returns its exit status."""
    for program, package in (("nsd", "nsd"), ("ip", "iproute2"), ("unshare", "util-linux"), ("setpriv", "util-linux")):
        find_program(program, package)
    inside_read, inside_write = os.pipe()
    entry = str(Path(__file__).with_name("lab"))
    child = subprocess.Popen(
        [*unshare_prefix(), sys.executable, entry, "inside", str(directory), str(inside_write), "--", *command],
        pass_fds=[inside_write])
    os.close(inside_write)
    pass_signals_on(child)
    is_inside = os.read(inside_read, 1) != b""
    status = child.wait()
    if not is_inside and status >= 0:
        raise StartError(
            "no new namespaces for the lab, see the line above. An ordinary user needs the right to make user\n"
            "namespaces; where it is switched off, root can give it with one of\n"
            "    sysctl kernel.unprivileged_userns_clone=1\n"
            "    sysctl kernel.apparmor_restrict_unprivileged_userns=0")
    return status if status >= 0 else 128 - status


def unshare_prefix():
    """What stands before a command that is to be process 1 of new namespaces."""
    # If this process is killed, unshare goes with it, and the whole lab with unshare.
    unshare = ["setpriv", "--pdeathsig", "KILL", "unshare"]
    if not _may_unshare():
        unshare += ["--user", "--map-root-user"]
    unshare += ["--net", "--mount", "--pid", "--fork", "--kill-child"]
    if not _root_is_mounted():
        unshare += ["--propagation", "unchanged"]
    return unshare


def _root_is_mounted():
    """Whether / is a mount point, which it is not in a plain chroot: there mounts cannot be kept from spreading."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return any(line.split()[4] == "/" for line in lines)


def _may_unshare():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> CAP_SYS_ADMIN & 1)
    return os.geteuid() == 0


def pass_signals_on(child):
    """A request to end goes to the inner process; unshare itself does not listen to any."""
    def on_end(number, _frame):
        signal.alarm(GRACE_S)
        for pid in _children(child.pid):
            os.kill(pid, signal.SIGTERM)

    def on_alarm(_number, _frame):
        child.kill()

    signal.signal(signal.SIGALRM, on_alarm)
    signal.signal(signal.SIGTERM, on_end)
    signal.signal(signal.SIGHUP, on_end)
    # The interrupt key reaches the command by itself, as it shares our terminal.
    signal.signal(signal.SIGINT, lambda *_: None)


def _children(pid):
    try:
        return [int(word) for word in Path("/proc/%d/task/%d/children" % (pid, pid)).read_text().split()]
    except OSError:
        return []


def inside(directory, inside_fd, command):
    """What the inner process does: everything from the interface to the command's exit status."""
    os.write(inside_fd, b"1")
    os.close(inside_fd)
    signal.signal(signal.SIGTERM, _on_early_end)
    lab = json.loads((directory / "lab.json").read_text())
    _mount_private(directory)
    _bring_up_interface()
    with Servers(directory) as servers:
        servers.start(lab)
        return _run_command(command, dict(os.environ, BERTH_LAB=str(directory)))


def _on_early_end(number, _frame):
    raise SystemExit(128 + number)


def _mount_private(directory):
    """DIR/run belongs to this run alone, and /proc shows the processes of this lab and no others."""
    if _root_is_mounted():
        _mount("-t", "tmpfs", "tmpfs", str(directory / "run"))
    else:
        # In a chroot a new mount could show up outside and stay: so runs on one DIR take turns instead.
        turn = os.open(directory / "run", os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(turn, fcntl.LOCK_EX)  # until this process ends
    mount_proc()


def mount_proc():
    """From now on /proc speaks of the new process namespace."""
    try:
        if not _root_is_mounted():
            _mount("--make-private", "/proc")  # what comes on top of it stays in here
        _mount("-t", "proc", "proc", "/proc")
    except StartError as error:
        # Some containers forbid it. Then /proc speaks of the outer world, which few commands mind.
        print("lab: %s; going on with the old /proc" % error, file=sys.stderr)


def _mount(*arguments):
    done = subprocess.run([find_program("mount", "mount"), *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise StartError("cannot mount %s: %s" % (arguments[-1], done.stderr.strip()))


def _bring_up_interface():
    """lo is the whole Internet: it carries every address of every server."""
    lines = ["link set lo up"]
    for address in addresses.everything():
        # nodad: an address that is still being checked for duplicates cannot be bound.
        lines.append("addr add %s dev lo" % (address + "/128 nodad" if ":" in address else address + "/32"))
    done = subprocess.run([find_program("ip", "iproute2"), "-batch", "-"], input="\n".join(lines) + "\n",
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise StartError("ip cannot give lo the addresses of the lab (it needs IPv4 and IPv6): %s" % done.stderr.strip())


def _run_command(command, environment):
    try:
        child = subprocess.Popen(command, env=environment)
    except OSError as error:
        raise StartError("cannot run %s: %s" % (command[0], error.strerror)) from error
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    signal.signal(signal.SIGHUP, lambda *_: child.terminate())
    signal.signal(signal.SIGINT, lambda *_: None)
    status = child.wait()
    return status if status >= 0 else 128 - status
