#!/usr/bin/python3
"""Decides what a deaf server does: it takes every datagram and every connection, and never says a word.

Usage, inside the lab only: deaf.py ADDRESS...
"""

import selectors
import socket
import sys

PORT = 53
# More than any test opens at once; the oldest is let go so that the process never runs out of descriptors.
MAX_CONNECTIONS = 500


def open_socket(address, kind):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, kind)
    sock.bind((address, PORT))
    if kind == socket.SOCK_STREAM:
        sock.listen(128)
    sock.setblocking(False)
    return sock


def main(addresses):
    selector = selectors.DefaultSelector()
    for address in addresses:
        selector.register(open_socket(address, socket.SOCK_DGRAM), selectors.EVENT_READ)
        selector.register(open_socket(address, socket.SOCK_STREAM), selectors.EVENT_READ)
    silent = []
    while True:
        for key, _ in selector.select():
            if key.fileobj.type == socket.SOCK_DGRAM:
                key.fileobj.recv(65535)
            else:
                # Held open and never read.
                silent.append(key.fileobj.accept()[0])
                if len(silent) > MAX_CONNECTIONS:
                    silent.pop(0).close()


if __name__ == "__main__":
    main(sys.argv[1:])
