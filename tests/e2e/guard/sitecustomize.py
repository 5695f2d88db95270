"""Loaded by every Python process of a guarded run: refuses and records each try to leave this machine.

Records go to the file that ATTUNE_GUARD_LOG names, one line each. Audit hooks see every use of Python's socket
module, whichever library makes it, and cannot be removed.
"""

import os
import sys

LOOPBACK = ("127.0.0.1", "::1", "localhost", "0.0.0.0", "")


def _host(event, args):
    """The host that an audited event would reach, or None where it reaches none."""
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = args[1]
        return address[0] if isinstance(address, tuple) else None  # a path is a local socket
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        return args[0]
    return None


def _guard(event, args):
    if not event.startswith("socket."):
        return
    host = _host(event, args)
    host = host.decode() if isinstance(host, bytes) else host
    if host is None or host in LOOPBACK or host.startswith("127."):
        return
    with open(os.environ["ATTUNE_GUARD_LOG"], "a") as file:
        file.write(f"{os.getpid()} {event} {host}\n")
    raise OSError(f"refused by the test: {event}")


if os.environ.get("ATTUNE_GUARD_LOG"):
    with open(os.environ["ATTUNE_GUARD_LOG"] + ".seen", "a") as seen:
        seen.write(f"{os.getpid()} {' '.join(sys.orig_argv[:4])}\n")
    sys.addaudithook(_guard)
