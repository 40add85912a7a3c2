"""Does the web page keep out who has no business there, and keep secret what must be, until it is over?"""

from __future__ import annotations

import base64
import http.client
import json
import pwd
import socket
import sqlite3
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Callable

import pytest

from support import BUILD, SLOWER, Daemon, ask, wait_until

LAB = ["--names", 20]
PORT, HOST = 8053, "127.0.0.1:8053"
Start = Callable[..., Daemon]
LOCAL, STRANGER = "local", "stranger"


def talk(head: str, patience_s: float = 5 * SLOWER, where: str = "127.0.0.1") -> tuple[int, str]:
    """Status and all of the reply to these bytes; status 0 when it was closed without one."""
    with socket.create_connection((where, PORT), timeout=patience_s) as sock:
        sock.sendall(head.encode())
        out = b""
        try:
            while chunk := sock.recv(65536):
                out += chunk
        except (TimeoutError, ConnectionError):
            pass
    return (int(out.split()[1]) if out.startswith(b"HTTP/1.1 ") else 0), out.decode(errors="replace")


def get(path: str, *lines: str, host: str = HOST) -> tuple[int, str]:
    return talk("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n" % (path, host, "".join(l + "\r\n" for l in lines)))


def post(path: str, value: Any, *lines: str) -> tuple[int, str]:
    body = json.dumps(value)
    return talk("POST %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: %d\r\n%s\r\n%s" %
                (path, HOST, len(body), "".join(l + "\r\n" for l in lines), body))


def body(reply: tuple[int, str]) -> Any:
    assert reply[0] == 200, reply
    return json.loads(reply[1].split("\r\n\r\n", 1)[1])


@pytest.fixture
def page(start: Start, tmp_path: Path) -> Daemon:
    (tmp_path / "word").write_text("a long password\n")
    return start(web={"listen": ["127.0.0.1@8053"], "votes": tmp_path / "votes.db", "password-file": tmp_path / "word",
                      "hosts": ["berth.lab"]})


JSON, OWN = "Content-Type: application/json", "Origin: http://" + HOST


@pytest.mark.parametrize("host, lines, viewer", [
    (HOST, (), LOCAL), ("localhost:8053", (), LOCAL), ("[::1]:8053", (), LOCAL), ("192.0.2.1:8053", (), STRANGER),
    ("berth.lab", (), STRANGER), (HOST, ("X-Forwarded-For: 127.0.0.1",), STRANGER), (HOST, ("Forwarded: for=127.0.0.1",), STRANGER),
    (HOST, ("Via: 1.1 here",), STRANGER), (HOST, ("X-Real-IP: 127.0.0.1",), STRANGER), (HOST, ("Cookie: berth-session=" + "0" * 32,), LOCAL)], ids=range(10))
def test_who_is_what(page: Daemon, host: str, lines: tuple[str, ...], viewer: str):
    assert body(get("/api/v1/me", *lines, host=host))["viewer"] == viewer
    for path in ("/api/v1/ports", "/api/v1/stats", "/metrics", "/api/v1/events"):
        if viewer == STRANGER:
            assert get(path, *lines, host=host)[0] == 401
    port = body(get("/api/v1/port/53", *lines, host=host))
    assert ("holders" in port) == ("verdict" in port) == ("loans" in port) == (viewer == LOCAL) and port["services"]


def get_as(user: int, path: str) -> tuple[int, str]:
    """The same request by a process of another user."""
    words = "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % (path, HOST)
    code = ("import socket\nsock = socket.create_connection(('127.0.0.1', %d), 10)\nsock.sendall(%r)\n"
            "while chunk := sock.recv(65536): print(chunk.decode(), end='')" % (PORT, words.encode()))
    text = subprocess.run(["/usr/bin/python3", "-c", code], user=user, capture_output=True, text=True, timeout=30, check=True).stdout
    return int(text.split()[1]), text.replace("\n\n", "\r\n\r\n", 1)


def test_a_user_is_local_when_berthd_knows_him(start: Start, page: Daemon, tmp_path: Path):
    """nginx as shipped is such a user too, and so is everybody who may not read the history."""
    assert body(get_as(0, "/api/v1/me"))["viewer"] == LOCAL
    me = body(get_as(pwd.getpwnam("nobody").pw_uid, "/api/v1/me"))
    assert me["viewer"] == STRANGER and me["other_user"] and me["login"]
    for path in ("/api/v1/ports", "/api/v1/history/53", "/api/v1/stats", "/metrics"):
        assert get_as(pwd.getpwnam("nobody").pw_uid, path)[0] == 401
    page.finish()
    start(web={"listen": ["127.0.0.1@8053"], "votes": "none", "local": ["nobody"]})
    assert body(get_as(pwd.getpwnam("nobody").pw_uid, "/api/v1/me"))["viewer"] == LOCAL
    other = body(get_as(pwd.getpwnam("daemon").pw_uid, "/api/v1/me"))
    assert other["viewer"] == STRANGER and other["other_user"] and not other["login"]


def test_what_a_proxy_of_root_hands_on(page: Daemon):
    """nginx speaks HTTP/1.0 to those behind it, and calls them by the address it has for them."""
    assert '"viewer":"stranger"' in talk("GET /api/v1/me HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n" % HOST)[1]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8053", "127.0.0.1.evil.example", "localhost.evil.example", "", "[::1", "127.0.0.1:x"],
                         ids=range(7))
def test_a_name_that_was_made_to_point_here(page: Daemon, host: str):
    assert get("/", host=host)[0] in (400, 421) and get("/api/v1/me", host=host)[0] in (400, 421)


def test_pages_of_other_sites(page: Daemon):
    assert get("/api/v1/ports", "Origin: http://evil.example")[0] == 403
    assert get("/api/v1/events", "Sec-Fetch-Site: cross-site")[0] == 403
    vote = {"port": 53, "face": "yes"}
    assert post("/api/v1/vote", vote, JSON)[0] == 403
    assert post("/api/v1/vote", vote, JSON, "Origin: http://evil.example")[0] == 403
    assert post("/api/v1/vote", vote, OWN, "Content-Type: text/plain")[0] == 415
    assert body(post("/api/v1/vote", vote, JSON, OWN))["mine"] == "yes"
    assert get("/api/v1/me", "Origin: null")[0] == 403


def test_headers_of_each_answer(page: Daemon):
    for path in ("/", "/style.css", "/api/v1/me", "/nowhere"):
        text = get(path)[1]
        assert "default-src 'none'" in text and "nosniff" in text and "frame-ancestors 'none'" in text and "unsafe" not in text


def test_logging_in_and_out(page: Daemon):
    far = "X-Forwarded-For: 192.0.2.7"
    assert get("/api/v1/stats", far)[0] == 401
    status, text = post("/api/v1/login", {"password": "a long password"}, JSON, OWN, far)
    cookie = "Cookie: " + text.split("Set-Cookie: ")[1].split(";")[0]
    assert status == 200 and "HttpOnly" in text and "SameSite=Strict" in text
    assert get("/api/v1/stats", far, cookie)[0] == 200
    assert post("/api/v1/logout", {}, JSON, OWN, far, cookie)[0] == 200
    assert get("/api/v1/stats", far, cookie)[0] == 401
    for _ in range(6):
        assert post("/api/v1/login", {"password": "a long passwore"}, JSON, OWN, far)[0] == 403
    assert post("/api/v1/login", {"password": "a long password"}, JSON, OWN, far)[0] == 429
    # A stranger who guesses keeps nobody else out; what comes before the last address anybody may have written.
    assert post("/api/v1/login", {"password": "a long password"}, JSON, OWN, "X-Forwarded-For: 192.0.2.7, 192.0.2.8")[0] == 200
    assert post("/api/v1/login", {"password": "a long password"}, JSON, OWN, "X-Forwarded-For: 192.0.2.8, 192.0.2.7")[0] == 429


def test_one_vote_a_visitor(page: Daemon):
    status, text = post("/api/v1/vote", {"port": 80, "face": "yes"}, JSON, OWN)
    cookie = "Cookie: " + text.split("Set-Cookie: ")[1].split(";")[0]
    assert body(post("/api/v1/vote", {"port": 80, "face": "no"}, JSON, OWN, cookie))["votes"] == {"yes": 0, "partly": 0, "no": 1}
    assert body(post("/api/v1/vote", {"port": 80, "face": "no"}, JSON, OWN))["votes"]["no"] == 2
    for bad in ({"port": 65536, "face": "no"}, {"port": "80", "face": "no"}, {"port": 80, "face": "x"}, {}, [1]):
        assert post("/api/v1/vote", bad, JSON, OWN)[0] == 400


def test_too_much(page: Daemon):
    assert post("/api/v1/vote", {"x": "y" * 2000}, JSON, OWN)[0] == 413
    assert get("/", "X: " + "y" * 30000)[0] in (0, 400, 413, 431, 500)
    assert talk("DELETE / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % HOST)[0] == 405
    for path in ("/port/65536", "/port/053", "/port/-1", "/port/1x", "/api/v1/port/99999", "/../etc/passwd", "/%2e%2e/x", "/" + "a" * 500):
        assert get(path)[0] == 404, path
    slow = []
    for _ in range(60):  # of one address 32 are served
        try:
            slow.append(socket.create_connection(("127.0.0.1", PORT), timeout=2))
            slow[-1].sendall(b"GET / HT")
        except OSError:
            pass
    begin = time.monotonic()
    slow[0].settimeout(20 * SLOWER)
    try:
        assert slow[0].recv(10) == b""  # a slow one is given up
    except ConnectionError:
        pass
    assert time.monotonic() - begin < 16 * SLOWER
    [sock.close() for sock in slow]
    wait_until(lambda: get("/api/v1/me")[0] == 200)
    page.check_alive()


def test_metrics(page: Daemon):
    ask("ns1.glued.lab")
    text = get("/metrics")[1].split("\r\n\r\n", 1)[1]
    rows = {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line and not line.startswith("#")}
    assert rows["berth_queries_udp_total"] == 1 and rows["berth_loans_total"] == rows["berth_loans_moored_total"] + rows["berth_loans_fresh_total"]
    assert rows['berth_upstream_rtt_seconds_bucket{le="+Inf"}'] == rows["berth_upstream_rtt_seconds_count"] > 0
    for line in text.splitlines():
        assert line.startswith(("# HELP berth_", "# TYPE berth_", "berth_")), line


def lent_now(daemon: Daemon, ports: range) -> list[int]:
    return [port for port in ports if "lent" in daemon.control("port", port=port)]


@pytest.mark.parametrize("lend", ["fresh", "reserved"])
def test_a_loan_is_secret_until_it_ended(start: Start, tmp_path: Path, lend: str):
    """Few usable ports, so that the one that is lent can be found over the control socket; the server is deaf."""
    ports = range(52000, 52012)
    daemon = start(web={"listen": ["127.0.0.1@8053"], "votes": "none"}, workers=1,
                   ports={"range": "52000-52011", "pool": 4, "lend": lend})
    def codes() -> bytes:
        return base64.b64decode(body(get("/api/v1/ports"))["ports"])
    def told(port: int) -> dict[str, Any]:
        reply = body(get("/api/v1/port/%d" % port))
        return {key: value for key, value in reply.items() if key != "now"}
    idle = {port: told(port) for port in ports}
    before = codes()
    stream: list[bytes] = []
    def watch() -> None:
        with socket.create_connection(("127.0.0.1", PORT), timeout=30) as sock:
            sock.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1:8053\r\n\r\n")
            end = time.monotonic() + 5
            while time.monotonic() < end:
                stream.append(sock.recv(65536))
    watcher = threading.Thread(target=watch)
    watcher.start()
    def question() -> None:
        for n in range(6):
            try:
                ask("n%d.alldead.lab" % n, patience_s=6)
            except Exception:
                pass
    asker = threading.Thread(target=question)
    seen, checked = 0, 0
    asker.start()
    while asker.is_alive():
        for port in lent_now(daemon, ports):
            now = told(port)
            if port not in lent_now(daemon, ports):
                continue
            seen += 1
            if not now["loans"]:  # it had no loan that ended before
                checked += 1
                assert now == idle[port]
    watcher.join()
    asker.join()
    assert seen > 0 and checked > 0
    after = codes()
    assert [after[port] & 15 for port in ports] == [before[port] & 15 for port in ports] or lend == "reserved"
    text = b"".join(stream).decode()
    assert "event: loans" in text and '"outcome":"lent"' not in text and '"outcome": "lent"' not in text


def test_an_address_that_is_taken(start: Start, tmp_path: Path):
    from support import BUILD
    import subprocess
    with socket.create_server(("127.0.0.1", 8053)):
        other = Daemon(tmp_path / "other", {"web": {"listen": ["127.0.0.1@8053"]}})
        done = subprocess.run([str(BUILD / "berthd"), "-c", str(other.file)], capture_output=True, text=True, timeout=10)
        assert done.returncode == 1 and "the web page cannot be shown on 127.0.0.1@8053" in done.stderr


def test_each_post_is_freed(page: Daemon):
    """What a POST holds is read once, and given back."""
    def some(count: int) -> None:
        text = json.dumps({"key%d" % n: "v" * 20 for n in range(25)})
        for _ in range(count // 50):
            conn = http.client.HTTPConnection("127.0.0.1", PORT, timeout=5 * SLOWER)
            for _ in range(50):
                conn.request("POST", "/api/v1/nowhere", text, {"Content-Type": "application/json", "Origin": "http://" + HOST})
                assert conn.getresponse().read()
            conn.close()
    some(300)
    before = page.memory_kib()
    some(1500)
    assert page.memory_kib() - before < 1500  # each of these is 4 KiB in memory


def test_after_the_limit_of_connections(page: Daemon):
    """libmicrohttpd stops to listen at its limit; it listens again when there is room."""
    many = []
    for source in ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"):
        for _ in range(30):
            many.append(socket.socket())
            many[-1].settimeout(10 * SLOWER)  # a full queue of what is to be accepted drops a SYN, which comes again after a second
            many[-1].bind((source, 0))
            many[-1].connect(("127.0.0.1", PORT))
    time.sleep(0.3)
    [sock.close() for sock in many]
    time.sleep(0.5)
    begin = time.monotonic()
    for _ in range(3):
        assert get("/api/v1/me")[0] == 200
    assert time.monotonic() - begin < 2 * SLOWER


def test_votes_have_a_limit(page: Daemon):
    codes = [post("/api/v1/vote", {"port": 80, "face": "yes"}, JSON, OWN)[0] for _ in range(65)]
    assert codes == [200] * 60 + [429] * 5
    assert post("/api/v1/vote", {"port": 80, "face": "yes"}, JSON, OWN, "X-Forwarded-For: 192.0.2.9")[0] == 200


@pytest.mark.parametrize("kind", ["link", "stranger", "first form"])
def test_the_file_of_votes(start: Start, tmp_path: Path, kind: str):
    """A link is not followed, a database of another program is left alone; our first form had no mark."""
    file, other = tmp_path / "votes.db", tmp_path / "other.db"
    with sqlite3.connect(file if kind != "link" else other) as db:
        db.execute("create table vote (port integer not null, visitor text not null, face integer not null, at_s integer not null, "
                   "primary key (port, visitor)) without rowid" if kind == "first form" else "create table other (x)")
    if kind == "link":
        file.symlink_to(other)
    kept = (other if kind == "link" else file).read_bytes()
    start(web={"listen": ["127.0.0.1@8053"], "votes": file})
    status = post("/api/v1/vote", {"port": 80, "face": "yes"}, JSON, OWN)[0]
    assert status == (200 if kind == "first form" else 503)
    assert kind == "first form" or (other if kind == "link" else file).read_bytes() == kept


@pytest.mark.parametrize("word", ["short", "x" * 256, None], ids=["short", "long", "missing"])
def test_a_password_that_cannot_be_is_said_at_the_start(tmp_path: Path, word: str | None):
    """Also where nobody asked for the page's address: who set a password wants it."""
    if word is not None:
        (tmp_path / "word").write_text(word + "\n")
    (tmp_path / "c.yaml").write_text("listen: [127.0.0.1@5399]\ncontrol: {socket: %s/control}\nhistory: {file: %s/h.db}\n"
                                     "web: {password-file: %s/word}\n" % (tmp_path, tmp_path, tmp_path))
    done = subprocess.run([str(BUILD / "berthd"), "-c", str(tmp_path / "c.yaml")], capture_output=True, text=True, timeout=10)
    assert done.returncode == 1 and "web.password-file" in done.stderr
