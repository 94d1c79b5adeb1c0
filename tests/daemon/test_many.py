# SPDX-License-Identifier: Apache-2.0
"""Many sandboxes at once, as far as that can be told without a clock."""
import contextlib
import socket
import subprocess
import time

from harness import ENV, until

MANY = 1000


def memory(pid):
    """Bytes that are the daemon's own."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return sum(int(line.split()[1]) for line in f if line.startswith(("RssAnon:",))) << 10


def busy(pid):
    """Processor time of the daemon, in seconds."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        return sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13])) / 100


def scrape(port, times):
    """The metrics, asked for again and again as fast as they come."""
    with socket.create_connection(("127.0.0.1", port), 60) as s:
        for i in range(times):
            s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + (b"Connection: close\r\n" if i == times - 1 else b"") + b"\r\n")
        got = b""
        while more := s.recv(1 << 16):
            got += more
    assert got.count(b"HTTP/1.1 200") == times and got.count(b'sandgate_sandboxes{kind="launched"} 1000\n') == times


def serve_metrics(daemon):
    """Where: looked for at the last moment, since what is free may be somebody else's soon."""
    daemon.stop()
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    daemon.options += ["--metrics-port", str(port)]
    daemon.start()
    return port


def test_a_thousand_at_once(daemon):
    port = serve_metrics(daemon)
    assert daemon.run("--lang", "c", "--", "/bin/true").returncode == 0
    before = memory(daemon.process.pid)
    loop = f"for i in $(seq {MANY // 4}); do {daemon.sgrun} --daemon {daemon.socket} --verdicts /dev/null --lang c --detach -- " \
           "/bin/sleep 600 || exit 1; done"
    begin = time.monotonic()
    workers = [subprocess.Popen(["/bin/sh", "-c", loop], env=ENV, stdout=subprocess.DEVNULL) for _ in range(4)]
    assert [w.wait(600) for w in workers] == [0] * 4, daemon.errors()
    print(f"      {MANY} launched in {time.monotonic() - begin:.1f} s")
    assert until(lambda: len([b for b in daemon.listed() if b["state"] == "running"]) == MANY)
    each = (memory(daemon.process.pid) - before) / MANY
    print(f"      {each / 1024:.1f} KiB each")
    assert each <= 64 << 10, each
    # It still serves others, whoever asks for the metrics as often as they can.
    before = busy(daemon.process.pid)
    scrape(port, 200)
    assert busy(daemon.process.pid) - before < 2
    assert daemon.run("--lang", "c", "--", "/bin/true").returncode == 0
    daemon.process.terminate()
    assert daemon.process.wait(60) == 0
    daemon.start()
    names = [b["id"] for b in daemon.listed()]
    assert len(names) == MANY
    with daemon.connect() as s:
        for name in names:
            assert daemon.ask(s, {"op": "kill", "id": name})["ok"]
    assert until(lambda: not daemon.sandboxes(), 60), len(daemon.sandboxes())
