"""The dialect of .rpl scenarios: a file becomes a Scenario, or an error that names the line.

A file has a header of settings, then ranges (what the servers of an address say while the step's number is in the range)
and steps (what the client asks, what it must get, how time passes). Replies are given once by a REPLY step, or as often as
asked by the entries of a range. Sections hold records as in a zone file; RAW holds hexadecimal bytes."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

DEFAULT_TTL = 3600
STEPS = {"QUERY", "CHECK_ANSWER", "CHECK_OUT_QUERY", "REPLY", "TIME_PASSES", "NOTHING"}
MATCHES = {"opcode", "qname", "qtype", "qcase", "subdomain", "question", "flags", "rcode", "answer", "authority",
           "additional", "ttl", "all", "tcp", "udp", "edns", "no_edns"}
ALL = ("flags", "rcode", "question", "answer", "authority", "additional")
ADJUSTS = {"copy_id", "copy_query", "do_not_answer", "lower_case"}
HEADER_FLAGS = {"QR", "AA", "TC", "RD", "RA", "AD", "CD"}
SECTIONS = {"QUESTION": "question", "ANSWER": "answer", "AUTHORITY": "authority", "ADDITIONAL": "additional"}


class DialectError(Exception):
    """A file that this runner cannot read."""


@dataclass
class Entry:
    """A message with what of it counts (match) and what is taken from the question (adjust)."""
    line: int
    message: dns.message.Message = field(default_factory=lambda: dns.message.Message(id=0))
    match: set[str] = field(default_factory=set)
    adjust: set[str] = field(default_factory=set)
    raw: bytes | None = None
    wants_dnssec: bool = False
    is_mandatory: bool = False
    used: int = 0


@dataclass
class Range:
    first: int
    last: int
    addresses: list[str] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    def covers(self, step: int, address: str) -> bool:
        return self.first <= step <= self.last and (not self.addresses or address in self.addresses)


@dataclass
class Step:
    number: int
    kind: str
    line: int
    entry: Entry | None = None
    elapse_s: int = 0


@dataclass
class Scenario:
    path: Path
    title: str = ""
    settings: list[tuple[str, str]] = field(default_factory=list)
    ranges: list[Range] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def setting(self, key: str) -> list[str]:
        return [value for name, value in self.settings if name == key]

    def addresses(self) -> list[str]:
        """Every address that is a server at some time. Where replies are told in steps, those are all that they name."""
        found = {address for one in self.ranges for address in one.addresses}
        replies = [step.entry.message for step in self.steps if step.kind == "REPLY"]
        found |= {rdata.address for message in replies for section in (message.answer, message.additional)
                  for rrset in section for rdata in rrset
                  if rdata.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA)}
        if replies:
            found |= {text.split()[0] for text in self.setting("stub-addr")}
        return sorted(found)


def plain(text: str) -> str:
    """A line without its comment. A semicolon inside quotes, as TXT records have, is none."""
    quoted = False
    for at, char in enumerate(text):
        if char == '"' and (at == 0 or text[at - 1] != "\\"):
            quoted = not quoted
        elif char == ";" and not quoted and (at == 0 or text[at - 1] != "\\"):
            return text[:at].strip()
    return text.strip()


def read_record(text: str) -> tuple[dns.name.Name, int, dns.rdata.Rdata]:
    """OWNER [TTL] [CLASS] TYPE RDATA, in the order that zone files allow."""
    owner, *rest = text.split(None, 1)
    ttl = DEFAULT_TTL
    rdclass = dns.rdataclass.IN
    rest = rest[0] if rest else ""
    while True:
        word, *more = rest.split(None, 1)
        tail = more[0] if more else ""
        if word.isdigit():
            ttl = int(word)
        elif word.upper() in ("IN", "CH", "HS"):
            rdclass = dns.rdataclass.from_text(word)
        else:
            break
        rest = tail
    rdata = dns.rdata.from_text(rdclass, dns.rdatatype.from_text(word), tail, origin=dns.name.root, relativize=False)
    return dns.name.from_text(owner), ttl, rdata


def read_question(text: str) -> dns.rrset.RRset:
    words = [word for word in text.split() if not word.isdigit()]
    rdclass = dns.rdataclass.IN
    rdtype = dns.rdatatype.A
    for word in words[1:]:
        if word.upper() in ("IN", "CH", "HS", "CLASS0", "ANY_CLASS"):
            rdclass = dns.rdataclass.from_text(word)
        else:
            rdtype = dns.rdatatype.from_text(word)
    return dns.rrset.RRset(dns.name.from_text(words[0]), rdclass, rdtype)


class Reader:
    """The lines of one file, and where the reading is."""

    def __init__(self, path: Path):
        self.path, self.at = path, 0
        self.lines = path.read_text(errors="replace").splitlines()

    def fail(self, why: str) -> DialectError:
        return DialectError("%s:%d: %s" % (self.path.name, self.at, why))

    def next(self) -> str | None:
        """The next line that says something, without comment; None at the end."""
        while self.at < len(self.lines):
            self.at += 1
            text = plain(self.lines[self.at - 1])
            if text:
                return text
        return None

    def need(self) -> str:
        text = self.next()
        if text is None:
            raise self.fail("the file ends too early")
        return text


def read_settings(reader: Reader, scenario: Scenario) -> None:
    while True:
        text = reader.need()
        if text.startswith("CONFIG_END"):
            return
        if text.startswith("#"):
            continue
        key, colon, value = text.partition(":")
        if not colon:
            raise reader.fail("a setting has a colon: %r" % text)
        # A comment may follow a value with # too; a trust anchor has neither.
        scenario.settings.append((key.strip(), value.split(" #")[0].split("\t#")[0].strip()))


def set_flags(reader: Reader, entry: Entry, words: list[str]) -> None:
    for word in words:
        upper = word.upper()
        if upper in HEADER_FLAGS:
            entry.message.flags |= dns.flags.from_text(upper)
        elif upper == "DO":
            entry.wants_dnssec = True
        elif upper in dns.opcode.Opcode.__members__:
            entry.message.set_opcode(dns.opcode.from_text(upper))
        else:
            try:
                code = dns.rcode.from_text(upper)
            except dns.exception.DNSException as error:
                raise reader.fail("REPLY %s is neither flag nor code" % word) from error
            if code > 15:
                entry.message.use_edns(0)
            entry.message.set_rcode(code)


def add_record(message: dns.message.Message, section: str, text: str) -> None:
    if section == "question":
        message.question.append(read_question(text))
        return
    owner, ttl, rdata = read_record(text)
    sets = getattr(message, section)
    found = message.find_rrset(sets, owner, rdata.rdclass, rdata.rdtype, rdata.covers(), create=True)
    found.add(rdata, ttl)


def read_entry(reader: Reader) -> Entry:
    entry = Entry(reader.at)
    section = None
    while True:
        text = reader.need()
        word, _, rest = text.partition(" ")
        word, rest = text.split()[0], text.split()[1:]
        if word == "ENTRY_END":
            return entry
        try:
            if word == "MATCH":
                entry.match |= {one.lower() for one in rest}
            elif word == "ADJUST":
                entry.adjust |= {one.lower() for one in rest}
            elif word in ("REPLY", "FLAGS"):
                set_flags(reader, entry, rest)
            elif word == "SECTION":
                section = SECTIONS[rest[0]]
            elif word == "MANDATORY":
                entry.is_mandatory = True
            elif word == "RAW":
                entry.raw = bytes.fromhex(reader.need())
            elif section is not None:
                add_record(entry.message, section, text)
            else:
                raise reader.fail("%r outside of a section" % text)
        except DialectError:
            raise
        except Exception as error:
            raise reader.fail("%r: %s" % (text, error)) from error
        if not entry.match <= MATCHES or not entry.adjust <= ADJUSTS:
            raise reader.fail("unknown words: %s" % ((entry.match - MATCHES) | (entry.adjust - ADJUSTS)))


def read_range(reader: Reader, words: list[str]) -> Range:
    one = Range(int(words[1]), int(words[2]), [str(ipaddress.ip_address(word)) for word in words[3:]])
    while True:
        text = reader.need()
        word = text.split()[0]
        if word == "RANGE_END":
            return one
        if word == "ADDRESS":
            one.addresses.append(str(ipaddress.ip_address(text.split()[1])))
        elif word == "ENTRY_BEGIN":
            one.entries.append(read_entry(reader))
        else:
            raise reader.fail("%r in a range" % text)


def read_step(reader: Reader, words: list[str]) -> Step:
    step = Step(int(words[1]), words[2], reader.at)
    if step.kind not in STEPS:
        raise reader.fail("no such step: %s" % step.kind)
    if step.kind == "TIME_PASSES":
        step.elapse_s = int(words[words.index("ELAPSE") + 1])
    elif step.kind in ("QUERY", "CHECK_ANSWER", "CHECK_OUT_QUERY", "REPLY"):
        if reader.need() != "ENTRY_BEGIN":
            raise reader.fail("%s has an entry" % step.kind)
        step.entry = read_entry(reader)
    return step


def read(path: Path) -> Scenario:
    reader, scenario = Reader(path), Scenario(path)
    read_settings(reader, scenario)
    while True:
        text = reader.next()
        if text is None or text.startswith("SCENARIO_END"):
            break
        words = text.split()
        if words[0] == "SCENARIO_BEGIN":
            scenario.title = " ".join(words[1:])
        elif words[0] == "RANGE_BEGIN":
            scenario.ranges.append(read_range(reader, words))
        elif words[0] == "STEP":
            scenario.steps.append(read_step(reader, words))
        else:
            raise reader.fail("%r between ranges and steps" % text)
    if not scenario.steps:
        raise reader.fail("a scenario has steps")
    return scenario


# --- matching ---

def differing_sets(wanted: list[dns.rrset.RRset], got: list[dns.rrset.RRset]) -> str:
    """What differs between two sections, as sets of records without TTL; "" for nothing."""
    for one in wanted:
        if one not in got:
            return "not there: %s" % one.to_text().replace("\n", " / ")
    for one in got:
        if one not in wanted:
            return "not expected: %s" % one.to_text().replace("\n", " / ")
    return ""


def different(entry: Entry, message: dns.message.Message, is_tcp: bool = False) -> str:
    """The first of entry.match in which the message is not what the entry says; "" when all are."""
    wanted = entry.message
    words = set(entry.match)
    if "all" in words:
        words |= set(ALL)
    question = message.question[0] if message.question else None
    own = wanted.question[0] if wanted.question else None
    if "opcode" in words and wanted.opcode() != message.opcode():
        return "opcode %s" % dns.opcode.to_text(message.opcode())
    if words & {"qname", "qtype", "subdomain", "question"}:
        if question is None or own is None:
            return "question" if question is not own else ""
        if words & {"qname", "question"} and question.name != own.name:
            return "name %s" % question.name
        if words & {"qtype", "question"} and question.rdtype != own.rdtype:
            return "type %s" % dns.rdatatype.to_text(question.rdtype)
        if "subdomain" in words and not question.name.is_subdomain(own.name):
            return "name %s is not within %s" % (question.name, own.name)
    if "tcp" in words and not is_tcp or "udp" in words and is_tcp:
        return "transport"
    if "edns" in words and message.edns < 0 or "no_edns" in words and message.edns >= 0:
        return "EDNS"
    if "flags" in words and wanted.flags & 0x87f0 & ~0x7800 != message.flags & 0x87f0 & ~0x7800:
        return "flags %s, not %s" % (dns.flags.to_text(message.flags), dns.flags.to_text(wanted.flags))
    if "rcode" in words and wanted.rcode() != message.rcode():
        return "rcode %s, not %s" % (dns.rcode.to_text(message.rcode()), dns.rcode.to_text(wanted.rcode()))
    for section in ("answer", "authority", "additional"):
        if section in words or (section == "answer" and "ttl" in words):
            why = differing_sets(getattr(wanted, section), getattr(message, section))
            if why:
                return "%s: %s" % (section, why)
    if "ttl" in words:
        for one in wanted.answer:
            got = next(other for other in message.answer if other == one)
            if got.ttl != one.ttl:
                return "ttl %d, not %d: %s" % (got.ttl, one.ttl, one.name)
    return ""
