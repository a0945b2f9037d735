"""Reading back what dashboards wrote, and a W&B server of a few lines."""

import contextlib
import json
import struct
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

KEY = "0123456789abcdef" * 2 + "01234567"  # has the form of a key
BLOCK = 32768


@pytest.fixture(scope="session", autouse=True)
def own_folders(tmp_path_factory):
    """W&B's caches and settings, away from those of the person who runs the tests."""
    folder = tmp_path_factory.mktemp("wandb")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DATA", "CACHE", "CONFIG"):
            patch.setenv(f"WANDB_{name}_DIR", str(folder))
        patch.setenv("NETRC", str(folder / "netrc"))
        yield


def records(path: Path) -> Iterator[Any]:
    """The records of a .wandb file, which is a LevelDB log: blocks of pieces (checksum, length, kind, content)."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, place, content = path.read_bytes(), 7, b""
    while place + 7 <= len(data):
        if BLOCK - place % BLOCK < 7:
            place += BLOCK - place % BLOCK
            continue
        _, length, kind = struct.unpack_from("<IHB", data, place)
        content += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last piece
            record = Record()
            record.ParseFromString(content)
            content = b""
            yield record


def values_of(items: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in items:
        keys = list(item.nested_key) or [item.key]
        inner = found
        for key in keys[:-1]:
            inner = inner.setdefault(key, {})
        inner[keys[-1]] = json.loads(item.value_json)
    return found


def finished_session(folder: Path) -> SimpleNamespace:
    """What one session of a run left for W&B, whose process may still be writing when the run has ended."""
    for _ in range(100):
        session = read_session(folder)
        if session.exit is not None:
            break
        time.sleep(0.1)
    return session


def read_session(folder: Path) -> SimpleNamespace:
    [path] = folder.glob("run-*.wandb")
    session = SimpleNamespace(
        folder=folder, rows=[], config={}, summary={}, axes={}, artifacts=[], run=None, exit=None, preempting=False
    )
    for record in records(path):
        match record.WhichOneof("record_type"):
            case "run":
                session.run = record.run
            case "config":
                session.config |= values_of(record.config.update)
            case "summary":
                session.summary |= values_of(record.summary.update)
            case "history":
                session.rows.append(values_of(record.history.item))
            case "metric":
                session.axes[record.metric.name or record.metric.glob_name] = record.metric.step_metric
            case "artifact":
                session.artifacts.append(record.artifact)
            case "preempting":
                session.preempting = True
            case "exit":
                session.exit = record.exit.exit_code
    return session


@pytest.fixture(scope="session")
def sessions():
    """Run directory -> its offline sessions, oldest first."""
    return lambda run: [finished_session(path) for path in sorted(Path(run).glob("wandb/offline-run-*"))]


class Server(ThreadingHTTPServer):
    """As much of W&B's server as a run needs. `rows` are the lines of history that came, `exits` the exit codes."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.rows: list[dict[str, Any]] = []
        self.exits: list[int] = []
        self.known: set[str] = set()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def answer(self, operation: str | None, given: dict[str, Any]) -> dict[str, Any]:
        entity = {"id": "e", "name": "me"}
        project = {"id": "p", "name": "variformer", "entity": entity}
        if operation == "Viewer":
            return {"viewer": {"id": "1", "entity": "me", "username": "me", "flags": "{}", "teams": {"edges": []}}}
        if operation == "RunResumeStatus":
            return {"model": project | {"bucket": self.bucket(given["name"]) if given["name"] in self.known else None}}
        if operation == "UpsertBucket":
            self.known.add(given["name"])
            return {"upsertBucket": {"bucket": self.bucket(given["name"]) | {"project": project}, "inserted": True}}
        if operation == "CreateRunFiles":
            files = [{"name": name, "uploadUrl": f"{self.url}/upload"} for name in given["files"]]
            return {"createRunFiles": {"runID": "x", "uploadHeaders": [], "files": files}}
        return {"serverInfo": {"features": []}}

    def bucket(self, name: str) -> dict[str, Any]:
        counts = {f"{kind}LineCount": 0 for kind in ("log", "events")} | {"historyLineCount": len(self.rows)}
        tails = {"historyTail": json.dumps([json.dumps(row) for row in self.rows[-1:]]), "eventsTail": "[]"}
        texts = {"config": "{}", "summaryMetrics": "{}", "wandbConfig": '{"t": 1}', "notes": "", "displayName": name}
        return {"id": "x", "name": name, "tags": [], "sweepName": None} | counts | tails | texts


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        reply: dict[str, Any] = {}
        if self.path == "/graphql":
            asked = json.loads(body)
            reply = {"data": self.server.answer(asked.get("operationName"), asked.get("variables") or {})}
        elif self.path.endswith("file_stream"):
            sent = json.loads(body)
            history = sent.get("files", {}).get("wandb-history.jsonl", {}).get("content", [])
            self.server.rows += [json.loads(line) for line in history]
            self.server.exits += [sent["exitcode"]] if sent.get("complete") else []
        self.reply(reply)

    do_PUT = do_POST

    def do_GET(self) -> None:
        self.reply({})

    def reply(self, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError):
            self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server():
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def online(monkeypatch):
    """Server's address -> from now on W&B is online there, with a key."""
    import wandb

    def go(url: str, key: str = KEY) -> None:
        wandb.teardown()
        monkeypatch.setenv("WANDB_MODE", "online")
        monkeypatch.setenv("WANDB_BASE_URL", url)
        monkeypatch.setenv("WANDB_API_KEY", key)

    yield go
    monkeypatch.undo()
    wandb.teardown()
