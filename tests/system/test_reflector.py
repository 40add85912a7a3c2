"""lab/reflector by itself, and as berthd finds it: delegated by the root, for `berth audit --reflector`.

The folder with the binaries comes from BERTH_BUILD.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path
from typing import Any, Callable, Iterator

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "lab" / "reflector"
BUILD = os.environ.get("BERTH_BUILD")
ZONE, HERE = "port.example.", "127.5.0.9"


@pytest.fixture
def reflector(namespace: None) -> Iterator[None]:
    command = ["/usr/bin/python3", str(PROGRAM), ZONE, HERE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "reflector: ready on %s, port 53\n" % HERE
        yield
        assert process.poll() is None
        process.terminate()


def ask(name: str, rrtype: str, how: Callable[..., Any] = dns.query.udp, **more: Any) -> dns.message.Message:
    reply = how(dns.message.make_query(name, rrtype, **more), HERE, timeout=5)
    assert bool(reply.flags & dns.flags.AA) == (reply.rcode() == dns.rcode.NOERROR)
    return reply


@pytest.mark.parametrize("how", [dns.query.udp, dns.query.tcp])
def test_it_says_where_a_question_came_from(reflector: None, how: Callable[..., Any]) -> None:
    reply = how(dns.message.make_query("aB1.Port.Example.", "TXT", use_edns=0), HERE, timeout=5, source="127.5.0.77",
                source_port=40123)
    [answer] = reply.answer
    assert (answer.to_text(), reply.edns) == ('aB1.Port.Example. 0 IN TXT "127.5.0.77@40123"', 0)


def test_its_zone(reflector: None) -> None:
    assert ask(ZONE, "NS").answer[0].to_text() == "port.example. 3600 IN NS ns.port.example."
    assert ask("ns." + ZONE, "A").answer[0].to_text() == "ns.port.example. 3600 IN A " + HERE
    for name, rrtype in (("ns." + ZONE, "AAAA"), ("x." + ZONE, "A"), ("x." + ZONE, "NS")):
        denial = ask(name, rrtype)
        assert denial.answer == [] and denial.authority[0].to_text().startswith("port.example. 60 IN SOA ns.port.")
    for name in (".", "example.", "aport.example.", "port.example.com."):
        assert ask(name, "TXT").rcode() == dns.rcode.REFUSED


def test_it_lives_through_nonsense(reflector: None) -> None:
    question = dns.message.make_query(ZONE, "TXT").to_wire()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((HERE, 53))
        for wire in (b"", b"x", question[:-3], question[:12] + b"\xc0\x0c" + question[-4:], question[:2] + b"\x80\0" +
                     question[4:], bytes(12), b"\xff" * 600):
            sock.send(wire)
        sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            sock.recv(512)
    assert ask("x." + ZONE, "TXT").answer


@pytest.mark.skipif(not BUILD, reason="BERTH_BUILD (the folder with berth) is not set")
def test_the_audit_through_it(net: Callable[..., Any], begin: Callable[..., Any], reflector: None) -> None:
    world = net({ZONE.rstrip(".") + ".": {"ns." + ZONE: HERE}})
    daemon = begin(world)
    done = subprocess.run([BUILD + "/berth", "--socket", str(daemon.socket), "--json", "audit", "--reflector", ZONE,
                           "--count", "40"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), done
    document = json.loads(done.stdout)
    [family] = document["families"]
    assert (family["ports"], family["count"], family["address"]) == ("kept", 40, "127.0.0.1")
    assert family["distinct"] > 30
