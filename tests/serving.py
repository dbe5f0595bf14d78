"""Small servers that tests deploy, beside the helper that pipelines copy."""

from activities.store import Store
from contracts.artifacts import Artifact, ManifestEntry, folder_artifact
from contracts.code import CodeRef
from tests.house import CHECKOUT
from tests.objects import put, sha256_of

HELPER = (CHECKOUT / "pipelines/champion-challenger/src/serving.py").read_text()
DOUBLER = """
import json, pathlib, sys
from serving import serve
factor = json.loads((pathlib.Path(sys.argv[1]) / "model.json").read_text())["factor"]
print("listening", flush=True)
serve(lambda rows: [{"id": row["id"], "score": factor * float(row["x"])} for row in rows])
"""
"""Multiplies by the factor in its model."""
CRASHER = "print('no model here', flush=True)\nraise SystemExit(3)\n"
BUSY = """
import http.server, json, os, pathlib, sys
class Handler(http.server.BaseHTTPRequestHandler):
    seen = 0
    def do_GET(self):
        self.answer(200, b"ok")
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Handler.seen += 1
        if Handler.seen % 3 == 1:
            return self.answer(429, b"slow down")
        if any(row.get("x") == "bad" for row in body["instances"]):
            return self.answer(500, b"cannot score bad")
        self.answer(200, json.dumps({"predictions": [float(row["x"]) for row in body["instances"]]}).encode())
    def answer(self, status, body):
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
"""Answers every third request, the first among them, with 429; fails on a row whose x is `bad`."""


def put_code(store: Store, prefix: str, script: str) -> CodeRef:
    """Publish a server and its helper as a stage's code."""
    put(store, f"{prefix}server.py", script.encode(), replace=True)
    put(store, f"{prefix}serving.py", HELPER.encode(), replace=True)
    return CodeRef(uri=prefix, digest=sha256_of(script.encode()))


def put_folder(store: Store, prefix: str, files: dict[str, bytes]) -> Artifact:
    """Put a folder of small files."""
    for name, content in files.items():
        put(store, prefix + name, content, replace=True)
    entries = [
        ManifestEntry(name=name, size_bytes=len(content), sha256=sha256_of(content))
        for name, content in files.items()
    ]
    return folder_artifact(prefix, entries)
