"""Decides what doc/benchmarks.md and its pictures say. Every figure in them comes from the runs kept in doc/benchmarks/."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

import figures
import svg
import works
from figures import TOP, Run
from subjects import ECHO

DOCUMENT = TOP / "doc" / "benchmarks.md"
FAILED = 0.01  # from this share of bad answers on, the document says so


@dataclass(frozen=True)
class Row:
    key: str
    title: str
    unit: str
    most_is_best: bool = False


CPU = [
    Row("hot", "hot: {hot_names:,} names over UDP, all cached", "us"),
    Row("tcp", "tcp: the same over TCP", "us"),
    Row("cold", "cold: {cold_names:,} names, each once, nothing cached", "us"),
    Row("cold-wide", "cold-wide: the same, ip_local_port_range 1024-65535", "us"),
    Row("mix", "mix: names by Zipf's law, {hit_rate:.0%} asked before", "us"),
    Row("missing", "missing: {missing:,} names that do not exist", "us"),
    Row("signed", "signed: {signed_names:,} names cold, validated", "us"),
    Row("missing-signed", "missing-signed: {missing_signed:,} names that do not exist, validated", "us"),
]
TIME = [
    Row("start", "start: from the start of the process to the first answer", "ms"),
    Row("qps", "throughput: hot answers a second", "/s (more is better)", most_is_best=True),
    Row("p50", "latency p50: half of the hot answers within, at {latency_rate:,}/s", "us"),
    Row("p99", "latency p99: 99 % of them within", "us"),
    Row("p999", "latency p99.9: 99.9 % of them within", "us"),
    Row("alone", "p99 alone: 99 % of hot answers within, at {beside_hot:,}/s", "us"),
    Row("beside", "p99 beside: the same with {beside_cold:,} cold questions a second beside it", "us"),
    Row("beside ratio", "p99 beside / alone: the second over the first", "times"),
]
MEMORY = [
    Row("memory-a", "memory-a: each of {memory_names:,} A records of one zone", "bytes"),
    Row("memory-cold", "memory-cold: each name of the work cold, with the delegations on the way", "bytes"),
]


class Facts(dict):
    """What a title wants to know; a part of a run need not know all."""

    def __missing__(self, key: str) -> "Unknown":
        return Unknown()


class Unknown:
    def __format__(self, _how: str) -> str:
        return "?"


def title(row: Row, run: Run) -> str:
    return row.title.format_map(Facts(run["facts"]))


# --- tables ---

def number(value: float) -> str:
    if not math.isfinite(value):
        return "lost"
    return format(value, ",.0f") if value >= 100 else "%.1f" % value if value >= 10 else "%.2f" % value


def cell(run: Run, name: str, row: Row) -> str:
    found = figures.values(run, name, row.key)
    if not found:
        return "-"
    return "%s (%s-%s)" % (number(figures.median(run, name, row.key)), number(min(found)), number(max(found)))


def ratio(run: Run, row: Row) -> str:
    value = figures.to_best(run, row.key, row.most_is_best)
    return "-" if value is None else "%.2f" % value


def table(run: Run, rows: list[Row], names: list[str]) -> str:
    out = ["| | " + " | ".join(names) + " | berthd / best other |", "| --- |" + " ---: |" * (len(names) + 1)]
    for row in rows:
        if any(figures.values(run, name, row.key) for name in names):
            cells = " | ".join(cell(run, name, row) for name in names)
            out.append("| %s, %s | %s | %s |" % (title(row, run), row.unit, cells, ratio(run, row)))
    return "\n".join(out) + "\n" if len(out) > 2 else ""


def split_table(run: Run, names: list[str]) -> str:
    out = ["| | " + " | ".join(names) + " |", "| --- |" + " ---: |" * len(names)]
    for row in CPU:
        parts = [[figures.median(run, name, row.key + part) for part in (" user", " kernel")] for name in names]
        if any(user is not None for user, _ in parts):
            cells = ["-" if user is None else "%s + %s" % (number(user), number(kernel)) for user, kernel in parts]
            out.append("| %s | %s |" % (row.key, " | ".join(cells)))
    return "\n".join(out) + "\n" if len(out) > 2 else ""


def remarks(run: Run) -> str:
    """What was answered badly, and how late the load itself was."""
    out = []
    for name, rows in run["figures"].items():
        for key in rows:
            share = figures.median(run, name, key) if key.endswith(" failed") else 0
            if share > FAILED:
                out.append("* %s, *%s*: %.1f %% unanswered or SERVFAIL." % (name, key.removesuffix(" failed"), 100 * share))
    ratios = figures.values(run, "berthd", "hot / echo")
    if ratios:
        out.append("* *hot*: berthd / echo, in turns: %.2f (%.2f-%.2f)." % (statistics.median(ratios), min(ratios), max(ratios)))
    if run["facts"].get("apart"):
        out.append("* " + run["facts"]["apart"])
    late = [figures.median(run, name, key) for name, rows in run["figures"].items() for key in rows if key.endswith(" late")]
    if late:
        out.append("* 99 %% of the questions of *latency* and *beside* left within %s us of when they were due (the worst of the "
                   "medians)." % number(max(late)))
    return "\n".join(out) + "\n" if out else ""


def tables(run: Run) -> str:
    names = list(run["versions"])
    with_echo = names + ([ECHO] if ECHO in run["figures"] else [])
    parts = [("CPU, microseconds a question", table(run, CPU, with_echo)),
             ("The same, user + kernel", split_table(run, with_echo)),
             ("Time", table(run, TIME, with_echo)),
             ("Memory", table(run, MEMORY, names)), ("Remarks", remarks(run))]
    versions = ", ".join("%s %s" % item for item in run["versions"].items())
    head = "%s, Linux %s, %s. %s. Rounds: %d, %s.\n" % (
        run["debian"], run["kernel"], run["machine"], versions, run["rounds"], run["date"])
    return head + "".join("\n### %s\n\n%s" % part for part in parts if part[1])


# --- pictures ---

def panel(run: Run, row: Row, is_split: bool) -> svg.Panel:
    bars = []
    for name in run["versions"]:
        value = figures.median(run, name, row.key)
        if value is None:
            continue
        parts = [figures.median(run, name, row.key + part) for part in (" user", " kernel")] if is_split else [value]
        finite = [part for part in parts if math.isfinite(part)]
        bars.append(svg.Bar(name, finite, number(value), name == "berthd"))
    head, _, rest = title(row, run).partition(": ")
    return svg.Panel("%s, %s" % (head, row.unit), rest, bars)


def pictures(run: Run) -> dict[str, str]:
    """{the file's name: its text}"""
    debian = run["debian"]
    out = {}
    for key, rows, what, legend in (
            ("cpu", CPU, "CPU microseconds a question, less is better", ("user", "kernel")),
            ("time", TIME, "Throughput, latency and start", None), ("memory", MEMORY, "Memory a record", None)):
        panels = [panel(run, row, key == "cpu") for row in rows if figures.values(run, "berthd", row.key)]
        if panels:
            out["%s-%s.svg" % (run["id"], key)] = svg.draw("%s, %s" % (what, debian), panels, legend)
    return out


# --- the document ---

HEAD = """\
# Five resolvers on the same work

`./run bench` measures berthd, Unbound, Knot Resolver, PowerDNS Recursor and BIND, each as Debian has it, in one run; `./run bench --write` wrote this page, its
pictures and the figures beside them (`doc/benchmarks/*.json`). The machine moves all figures by half within minutes: the ratios, to the best of the others on
that work, hold better. A cell is the median of the rounds with the smallest and the largest.

## How

* One thread each, on core 0 of two; the load (`bench/flood.c`) and the name servers (NSD, `lab/`) are on core 1. Rounds are interleaved. Every work that needs an empty cache
  has a resolver started for it. *cold* and *cold-wide*, which are over in half a second, are measured three times in a round.
* Two labs: one unsigned, one whose root, top-level domains and domains are all signed (P-256), where all validate.
* CPU is what the scheduler counted for all threads of the process. How much of it was the kernel's comes from the ticks of `/proc/PID/stat`, of 10 ms: good for works of seconds, rough for
  *cold*, *signed* and *mix*.
* *hot*: %(hot)s questions, 64 under way. *echo* is a program that does nothing but send back what came: about what the kernel takes of each figure (its answers are a little shorter).
  It runs in turns with berthd, of %(turn)s questions each; their ratio is the median of those of the turns.
* *tcp*: %(tcp)s questions over 16 connections, up to 4 under way on each, closed and opened anew after 100.
* *latency*: open loop at half the throughput of the fastest of the others in the first round; each latency counts from when the question was due. Buckets are 3 %% wide. The figure of a
  round is the median of %(latency)d seconds: now and then this machine stands still for 0.08 to 0.1 s, whoever it serves, which is all of the slowest hundredth of some seconds.
  *lost* stands where so many were not answered that there is no such figure: that is more than this resolver can do, or it had to share its core with other work of the machine.
* *beside*: the same at %(beside_hot)s/s, in %(beside)d turns (fewer in a small lab): a rest, a second alone, one with %(beside_cold)s cold names a second out of a second load. The figures are medians of the seconds, the ratio is the median of those of the turns.
* *missing* and *missing-signed* ask names that do not exist, in zones that do. Of signed zones berthd, Knot Resolver and PowerDNS answer from proofs given before (RFC 8198); Unbound and BIND have that off by default.
* *memory*: growth of all pages that the process can write and has touched, of its own and of files it maps (Knot Resolver keeps its cache in such a file). *memory-a* asks for one A record each of one zone: the like
  of it for all. PowerDNS and Unbound hold an answer twice, as records and as a message; so does berthd, as the rrset and its answer in wire form.
* *start*: asked every millisecond, from the start of the process to the first answer without an error.
"""

SETTINGS = """\
## Settings

As `tests/system/peers.py` writes them, here of %s; LAB is the folder of the lab, DIR one of the resolver's own. They are the defaults but for: one thread, the lab's root and key, no listening
elsewhere, caches and tables large enough for the work. berthd is as a user has it: it keeps its history of all
questions that it sent on the disk, and serves its web page. The others log no questions, and Knot Resolver goes without the modules that Debian's file loads beside *hints*.
"""


def document(runs: list[Run]) -> str:
    words = {"hot": format(works.HOT_COUNT, ","), "turn": format(works.HOT_COUNT // works.HOT_TURNS, ","), "tcp": format(works.TCP_COUNT, ","), "latency": works.LATENCY_S,
             "beside": works.BESIDE_TURNS, "beside_hot": format(works.BESIDE_HOT, ","), "beside_cold": format(works.BESIDE_COLD, ",")}
    out = [HEAD % words]
    for run in runs:
        out.append("\n## %s\n\n" % run["debian"])
        out += ["![%s](benchmarks/%s)\n\n" % (_alternative(text), name) for name, text in pictures(run).items()]
        out.append(tables(run))
    if runs:
        out.append("\n" + SETTINGS % runs[-1]["debian"])
        out += ["\n%s, %s\n\n```\n%s```\n" % (name, text.partition("\n")[0], text.partition("\n")[2])
                for name, text in runs[-1]["settings"].items()]
    return "".join(out)


def _alternative(picture: str) -> str:
    return picture.split("<title>")[1].split("</title>")[0]


def write() -> None:
    runs = figures.kept()
    for run in runs:
        for name, text in pictures(run).items():
            (figures.KEPT / name).write_text(text)
    DOCUMENT.write_text(document(runs))
    print("wrote %s" % DOCUMENT.relative_to(TOP))
