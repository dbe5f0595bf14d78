"""A server for any function that scores: `serve(predict)`, with the standard library alone.

It listens where PORT says, as containers do. Every cloud asks at paths of its own, so none is looked at: a GET is a
question after health, a POST holds rows. `{"instances": [...]}` is answered with `{"predictions": [...]}`; lines of
JSON, which AWS sends of a batch, are answered with a line for each.
"""

import json
import os
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Predict = Callable[[list[Any]], list[Any]]


def serve(predict: Predict) -> None:
    """Serve until told to stop; call it once the model is loaded, since it answers at once."""
    port = int(os.environ.get("PORT", "8080"))
    handler = type("Handler", (_Handler,), {"predict": staticmethod(predict)})
    print(f"serving on port {port}", flush=True)
    ThreadingHTTPServer(("", port), handler).serve_forever()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    predict: Predict

    def do_GET(self) -> None:
        self._answer(200, "text/plain", b"ok")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        lines = "lines" in self.headers.get("Content-Type", "") or "jsonl" in self.headers.get(
            "Content-Type", ""
        )
        try:
            rows = (
                [json.loads(line) for line in body.splitlines() if line.strip()]
                if lines
                else json.loads(body)["instances"]
            )
        except (ValueError, KeyError, TypeError) as error:
            self._answer(400, "text/plain", f"the body holds no instances: {error}".encode())
            return
        try:
            predictions = self.predict(rows)
        except Exception as error:
            self.log_error("scoring failed: %r", error)
            self._answer(500, "text/plain", f"scoring failed: {error!r}".encode())
            return
        if lines:
            text = "".join(json.dumps(prediction) + "\n" for prediction in predictions)
            self._answer(200, "application/jsonlines", text.encode())
        else:
            self._answer(200, "application/json", json.dumps({"predictions": predictions}).encode())

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Say nothing of requests that went well: there may be millions."""

    def _answer(self, status: int, media_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
