"""Is the lab what the other tests take it for? Builds a small one, asks its servers, checks its rules.

The questions are asked inside the lab by this same file (see `ask_everything`); the tests look at the answers.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

LAB = Path(__file__).resolve().parents[2] / "lab" / "lab"
PATIENCE_S = 5
# What a server that never answers may cost this test.
DEAF_PATIENCE_S = 0.5

# 251 characters, the longest the lab takes, and two more.
LONGEST = "q." * 119 + "xx.example.de"
NAMES = [LONGEST, "y." + LONGEST, "www.example.org", "example.org", "a.b.example.net", "example.com", "_sip._tcp.example.com", "_x.nic.net",
         "bad..name", "under.nosuchtld", "-odd-.example.de", "example.de", "com", "www.example.org"]

TLDS = ("com", "net", "org", "de", "io")

# Unbound as a judge of expected.tsv: it has its root servers and trust anchor from the lab and nothing else.
UNBOUND_CONF = """\
server:
    directory: "{directory}"
    interface: 127.0.0.1
    do-daemonize: no
    username: ""
    chroot: ""
    pidfile: ""
    use-syslog: no
    logfile: ""
    module-config: "validator iterator"
    root-hints: "{lab}/root.hints"
    trust-anchor-file: "{lab}/root.key"
remote-control:
    control-enable: no
"""

pytestmark = pytest.mark.skipif(
    not (shutil.which("nsd") or shutil.which("nsd", path="/usr/sbin")), reason="NSD is missing (Debian package nsd)")


def lab(*arguments):
    return subprocess.run([str(LAB), *map(str, arguments)], capture_output=True, text=True, timeout=120)


def built(directory, *arguments):
    done = lab("build", directory, *arguments)
    assert done.returncode == 0, done.stderr
    return directory


@pytest.fixture(scope="module")
def small_lab(tmp_path_factory):
    return built(tmp_path_factory.mktemp("lab") / "small", "--names", 50)


@pytest.fixture(scope="module")
def seen(small_lab):
    """The answers of the lab's servers, by the names used in ask_everything."""
    done = lab("run", small_lab, "--", sys.executable, __file__)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def summary(small_lab):
    return json.loads((small_lab / "lab.json").read_text())


def root_zone(path):
    """A root zone file with few TLDs, so that signing them all takes no time."""
    path.write_text("".join("%s. 172800 IN NS a.nic.%s.\n" % (tld, tld) for tld in TLDS))
    return path


def read_expected(directory):
    lines = (directory / "expected.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return {(name, rrtype): (rcode, rdata) for name, rrtype, rcode, rdata in rows}


# Inside the lab.

def ask(address, name, rrtype, patience_s=PATIENCE_S, over=dns.query.udp):
    query = dns.message.make_query(name, rrtype, payload=1232, use_edns=0)
    try:
        reply = over(query, address, timeout=patience_s)
    except dns.exception.Timeout:
        return {"silent": True}
    return {
        "rcode": dns.rcode.to_text(reply.rcode()), "flags": dns.flags.to_text(reply.flags).split(),
        "answer": [r.to_text() for rrset in reply.answer for r in rrset],
        "authority": [dns.rdatatype.to_text(rrset.rdtype) for rrset in reply.authority],
        "additional": [r.to_text() for rrset in reply.additional for r in rrset],
        "bytes": len(reply.to_wire()),
    }


def port_state(address):
    """What the kernel says about a datagram to port 53; only a connected socket hears of ICMP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE_S)
        sock.connect((address, 53))
        sock.send(b"anybody there")
        try:
            sock.recv(1)
        except OSError as error:
            return type(error).__name__
    return "open"


def first_plain_name(directory):
    """A listed name with an address of its own, and the server of its zone."""
    for file in sorted((directory / "zones" / "domains").glob("*/*.zone")):
        records = [line.split() for line in file.read_text().splitlines()]
        host = next(r for r in records if r[0].startswith("ns1.") and r[3] == "A")
        return file.stem, host[4]
    raise AssertionError("no domain in the lab")


def ask_everything():
    directory = Path(os.environ["BERTH_LAB"])
    summary = json.loads((directory / "lab.json").read_text())
    name, server = first_plain_name(directory)
    special = {zone: entry["servers"][0]["addresses"][0] for zone, entry in summary["special"].items()}
    tld_server = summary["servers"]["tld"][0]["addresses"][0]
    roots = [address for server in summary["servers"]["root"] for address in server["addresses"]]
    deaf, refused, closed = summary["deaf"][0], summary["lame"][0], summary["closed"][0]
    return {
        "name": name,
        "roots": {address: ask(address, ".", "NS") for address in roots},
        "root referral": ask(roots[0], name, "A"),
        "tld referral": ask(tld_server, name, "A"),
        "answer": ask(server, name, "A"),
        "no such TLD": ask(roots[0], "missing-tld", "A"),
        "glueless referral": ask(tld_server, "glueless.lab", "A"),
        "big over UDP": ask(special["big.lab"], "txt.big.lab", "TXT"),
        "big over TCP": ask(special["big.lab"], "txt.big.lab", "TXT", over=dns.query.tcp),
        "many over TCP": ask(special["big.lab"], "many.big.lab", "A", over=dns.query.tcp),
        "v6 only": ask(special["v6only.lab"], "v6only.lab", "A"),
        "lame": ask(refused, "lame.lab", "A"),
        "deaf": ask(deaf, "dead.lab", "A", DEAF_PATIENCE_S),
        "deaf over TCP": ask(deaf, "dead.lab", "A", DEAF_PATIENCE_S, over=dns.query.tcp),
        "closed": port_state(closed),
        "below deep": ask(special["deep.lab"], "www.sub.deep.lab", "A"),
        "routes": Path("/proc/net/route").read_text().splitlines()[1:],
    }


def wait_for_resolver():
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if not ask("127.0.0.1", ".", "SOA", 0.2).get("silent"):
            return
    raise AssertionError("unbound does not answer")


def disagreement(row, is_secure):
    """What the resolver at 127.0.0.1 says other than the row does, or None."""
    (name, rrtype), (rcode, rdata) = row
    query = dns.message.make_query(name, rrtype, want_dnssec=True)
    reply, _ = dns.query.udp_with_fallback(query, "127.0.0.1", timeout=30)
    wanted = dns.rdatatype.from_text(rrtype)
    found = sorted(r.to_text() for rrset in reply.answer if rrset.rdtype == wanted for r in rrset)
    if (dns.rcode.to_text(reply.rcode()), ",".join(found)) != (rcode, rdata):
        return "%s %s: %s" % (name, rrtype, reply)
    if is_secure and not reply.flags & dns.flags.AD:
        return "%s %s is not authentic: %s" % (name, rrtype, reply)
    return None


def compare_with_unbound(conf):
    directory = Path(os.environ["BERTH_LAB"])
    secure = set((directory / "secure.txt").read_text().split())
    # Leaving out the deaf ones spares a minute of silence.
    rows = [row for row in read_expected(directory).items() if "alldead" not in row[0][0]]
    unbound = subprocess.Popen(["/usr/sbin/unbound", "-c", conf])
    try:
        wait_for_resolver()
        with ThreadPoolExecutor(16) as pool:
            found = list(pool.map(lambda row: disagreement(row, row[0][1] == "A" and row[0][0] in secure), rows))
    finally:
        unbound.terminate()
    return {"rows": len(rows), "disagreements": [text for text in found if text]}


# Outside.

def test_every_root_address_answers(seen):
    assert len(seen["roots"]) == 26
    for address, reply in seen["roots"].items():
        assert reply["rcode"] == "NOERROR" and len(reply["answer"]) == 13, address


def test_root_refers_to_the_tld_with_glue(seen):
    reply = seen["root referral"]
    assert "AA" not in reply["flags"] and reply["authority"] == ["NS"] and reply["additional"]


def test_tld_refers_to_the_domain(seen):
    reply = seen["tld referral"]
    assert "AA" not in reply["flags"] and not reply["answer"] and reply["authority"] == ["NS"]


def test_domain_answers_as_expected(seen, small_lab):
    reply = seen["answer"]
    assert "AA" in reply["flags"]
    assert read_expected(small_lab)[seen["name"], "A"] == ("NOERROR", ",".join(sorted(reply["answer"])))


def test_missing_tld_does_not_exist(seen):
    assert seen["no such TLD"]["rcode"] == "NXDOMAIN"


def test_glueless_referral_has_no_glue(seen):
    assert seen["glueless referral"]["authority"] == ["NS"] and not seen["glueless referral"]["additional"]


def test_big_answers_need_tcp(seen):
    assert "TC" in seen["big over UDP"]["flags"] and not seen["big over UDP"]["answer"]
    assert "TC" not in seen["big over TCP"]["flags"] and seen["big over TCP"]["bytes"] > 8000
    assert len(seen["many over TCP"]["answer"]) == 100


def test_v6_only_zone_answers(seen):
    assert seen["v6 only"]["rcode"] == "NOERROR" and seen["v6 only"]["answer"]


def test_lame_server_refuses(seen):
    assert seen["lame"]["rcode"] == "REFUSED"


def test_deaf_server_is_silent(seen):
    assert seen["deaf"] == {"silent": True} and seen["deaf over TCP"] == {"silent": True}


def test_closed_server_is_refused_by_the_kernel(seen):
    assert seen["closed"] == "ConnectionRefusedError"


def test_deep_zone_refers_on(seen):
    assert seen["below deep"]["authority"] == ["NS"] and not seen["below deep"]["answer"]


def test_nothing_leads_out(seen):
    assert seen["routes"] == []


def test_expected_rows_of_special_zones(small_lab):
    expected = read_expected(small_lab)
    assert expected["c1.alias.lab", "A"] == ("NOERROR", "198.18.100.8")
    assert expected["x.alias.lab", "A"][0] == "NOERROR" and expected["x.alias.lab", "A"][1]
    assert expected["dangling.alias.lab", "A"] == ("NXDOMAIN", "")
    assert expected["glueless.lab", "A"][0] == "NOERROR"
    assert expected["ent.wild.lab", "A"] == ("NOERROR", "")
    assert expected["b.ent.wild.lab", "A"] == ("NXDOMAIN", "")
    assert expected["any.wild.lab", "A"] == ("NOERROR", "198.18.100.42")
    assert expected["a-only.nodata.lab", "AAAA"] == ("NOERROR", "")
    for zone in ("alldead.lab", "alllame.lab", "cycle1.lab", "cycle2.lab"):
        assert expected[zone, "A"] == ("SERVFAIL", "")


def test_summary_names_the_faults(summary):
    assert summary["special"]["alldead.lab"]["fails"] and not summary["special"]["dead.lab"]["fails"]
    assert set(summary["servers"]) == {"root", "tld", "domains", "special"}


def test_own_lists(tmp_path):
    (tmp_path / "names").write_text("\n".join(NAMES) + "\n")
    directory = built(tmp_path / "lab", "--names-file", tmp_path / "names", "--root-zone", root_zone(tmp_path / "root"))
    expected = read_expected(directory)
    assert json.loads((directory / "lab.json").read_text())["counts"]["names"] == 9
    assert (LONGEST, "A") in expected and ("y." + LONGEST, "A") not in expected
    assert ("_sip._tcp.example.com", "A") in expected and ("-odd-.example.de", "A") in expected
    assert ("under.nosuchtld", "A") not in expected and ("com", "A") not in expected
    assert expected["b.example.net", "A"] == ("NOERROR", "")
    # nic.net holds the name servers of net: its zone must have them too. A load error would end the run.
    assert lab("run", directory, "true").returncode == 0


def test_same_lists_give_the_same_lab(tmp_path, small_lab):
    again = built(tmp_path / "again", "--names", 50)
    assert (again / "expected.tsv").read_text() == (small_lab / "expected.tsv").read_text()


@pytest.mark.parametrize("count", [1, 2])
def test_tiny_lists(tmp_path, count):
    built(tmp_path / "lab", "--names", count)


def test_exit_status_is_the_commands(small_lab):
    assert lab("run", small_lab, "--", "sh", "-c", "exit 7").returncode == 7


def test_two_runs_at_once(small_lab):
    command = [str(LAB), "run", str(small_lab), "sleep", "0.5"]
    runs = [subprocess.Popen(command), subprocess.Popen(command)]
    assert [run.wait(60) for run in runs] == [0, 0]


def test_ending_the_run_ends_everything(small_lab):
    run = subprocess.Popen([str(LAB), "run", str(small_lab), "--", "sh", "-c", "echo up; exec sleep 1000"],
                           stdout=subprocess.PIPE, text=True)
    assert run.stdout.readline() == "up\n"
    run.kill()
    # The pipe closes when the last process that holds it is gone.
    assert run.stdout.read() == ""
    run.wait(10)


def test_server_that_does_not_start_is_named(tmp_path):
    directory = built(tmp_path / "lab", "--names", 5)
    with (directory / "nsd" / "tld.conf").open("a") as conf:
        conf.write("nonsense: yes\n")
    done = lab("run", directory, "true")
    assert done.returncode == 1 and "level tld" in done.stderr and "tld.log" in done.stderr and "nonsense" in done.stderr


def test_foreign_directory_is_left_alone(tmp_path):
    # A directory such as /etc, which has a folder nsd of its own.
    (tmp_path / "nsd").mkdir()
    (tmp_path / "nsd" / "letter").write_text("mine")
    done = lab("build", tmp_path, "--names", 5)
    assert done.returncode == 1 and "other things" in done.stderr
    assert os.listdir(tmp_path) == ["nsd"] and os.listdir(tmp_path / "nsd") == ["letter"]


def test_missing_lab_says_what_to_do(tmp_path):
    done = lab("run", tmp_path, "true")
    assert done.returncode == 1 and "lab build" in done.stderr


@pytest.mark.skipif(not shutil.which("ldns-signzone"), reason="ldns-signzone is missing (Debian package ldnsutils)")
@pytest.mark.skipif(not os.path.exists("/usr/sbin/unbound"), reason="Unbound is missing (Debian package unbound)")
def test_unbound_agrees_with_the_expected_answers(tmp_path):
    directory = built(tmp_path / "lab", "--signed", "--root-zone", root_zone(tmp_path / "root"))
    expected = read_expected(directory)
    assert expected["bogus.lab", "A"] == expected["expired.lab", "A"] == ("SERVFAIL", "")
    conf = tmp_path / "unbound.conf"
    conf.write_text(UNBOUND_CONF.format(directory=tmp_path, lab=directory))
    done = lab("run", directory, "--", sys.executable, __file__, conf)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["disagreements"] == [] and result["rows"] > 200


if __name__ == "__main__":
    json.dump(compare_with_unbound(sys.argv[1]) if sys.argv[1:] else ask_everything(), sys.stdout)
