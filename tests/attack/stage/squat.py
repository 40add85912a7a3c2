"""Decides how a local user takes ports: binds as many UDP ports of a range as asked, says so, holds them for a while.

    squat.py COUNT FIRST LAST SECONDS          as root: it becomes nobody first
"""

from __future__ import annotations

import os
import random
import resource
import socket
import sys
import time

NOBODY = 65534


def main() -> None:
    count, first, last, seconds = map(int, sys.argv[1:])
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + 64, count + 64))
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    held: list[socket.socket] = []
    for port in random.sample(range(first, last + 1), last + 1 - first):
        if len(held) == count:
            break
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.bind(("0.0.0.0", port))
            held.append(sock)
        except OSError:
            sock.close()
    print(len(held), flush=True)
    time.sleep(seconds)


if __name__ == "__main__":
    main()
