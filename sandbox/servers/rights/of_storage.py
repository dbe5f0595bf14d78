"""Which permissions a request to Cloud Storage takes: https://cloud.google.com/storage/docs/access-control/iam-json."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, unquote, urlsplit

from sandbox.servers.rights.planted import Need, Thing

Lies = Callable[[str, str], bool]
"""Whether a bucket holds an object of this name now."""

_BUCKETS = re.compile(r"/storage/v1/b(?:/(?P<bucket>[^/]+)(?P<iam>/iam)?)?/?")
_OBJECTS = re.compile(
    r"(?:/download)?/storage/v1/b/(?P<bucket>[^/]+)/o(?:/(?P<name>[^/]+)(?P<compose>/compose)?)?"
)
_REWRITE = re.compile(r"/storage/v1/b/([^/]+)/o/([^/]+)/(?:rewriteTo|copyTo)/b/([^/]+)/o/([^/]+)")
_UPLOAD = re.compile(r"/upload/storage/v1/b/([^/]+)/o")
_XML = re.compile(r"/(?P<bucket>[^/]+)/(?P<name>.+)")
_BUCKET_METHODS = {"GET": "get", "DELETE": "delete", "PATCH": "update", "PUT": "update"}
_OBJECT_METHODS = {
    "GET": ("get",),
    "HEAD": ("get",),
    "DELETE": ("delete",),
    "PATCH": ("get", "update"),
    "PUT": ("update",),
}


class StorageNeeds:
    """The needs of one project's requests."""

    def __init__(self, project: str, lies: Lies) -> None:
        """Tell the making of an object from its replacement by asking `lies`."""
        self._project = f"projects/{project}"
        self._lies = lies

    def of_head(self, method: str, target: str) -> list[Need]:
        """Return what the head of a request tells; what its body names comes with `of_body`."""
        path = urlsplit(target).path
        if found := _REWRITE.fullmatch(path):
            source, name, into, made = map(unquote, found.groups())
            return [*self._object(source, name, "get"), *self._made(into, made)]
        if found := _BUCKETS.fullmatch(path):
            return [self._bucket(method, found["bucket"], policy=bool(found["iam"]))]
        if found := _OBJECTS.fullmatch(path):
            return self._of_objects(method, found)
        if path.startswith(("/upload/", "/storage/", "/batch/")):
            return []
        return self._of_xml(method, path)

    def of_body(self, method: str, target: str, body: bytes) -> list[Need]:
        """Return what the description in a body tells: of an upload the name, of a composition the pieces."""
        parts = urlsplit(target)
        found = _OBJECTS.fullmatch(parts.path)
        if found and found["compose"]:
            bucket, pieces = unquote(found["bucket"]), json.loads(body)["sourceObjects"]
            sources = [need for piece in pieces for need in self._object(bucket, piece["name"], "get")]
            return [*sources, *self._made(bucket, unquote(found["name"]))]
        upload = _UPLOAD.fullmatch(parts.path)
        if upload and method == "POST":
            told = parse_qs(parts.query).get("name")
            return self._made(unquote(upload[1]), told[0] if told else str(_described(body)["name"]))
        return []

    def _of_objects(self, method: str, found: re.Match[str]) -> list[Need]:
        bucket = unquote(found["bucket"])
        if found["compose"]:
            return []
        if found["name"] is None:
            return [Need("storage.objects.list", self._thing(bucket))]
        name = unquote(found["name"])
        needs = [need for verb in _OBJECT_METHODS[method] for need in self._object(bucket, name, verb)]
        # Who may not list is not told that there is none.
        return (
            needs if self._lies(bucket, name) else [*needs, Need("storage.objects.list", self._thing(bucket))]
        )

    def _of_xml(self, method: str, path: str) -> list[Need]:
        found = _XML.fullmatch(path)
        if not found:
            return []
        bucket, name = unquote(found["bucket"]), unquote(found["name"])
        if method in ("PUT", "POST"):
            return self._made(bucket, name)
        return [need for verb in _OBJECT_METHODS[method] for need in self._object(bucket, name, verb)]

    def _made(self, bucket: str, name: str) -> list[Need]:
        verbs = ("create", "delete") if self._lies(bucket, name) else ("create",)
        return [need for verb in verbs for need in self._object(bucket, name, verb)]

    def _object(self, bucket: str, name: str, verb: str) -> Iterator[Need]:
        yield Need(f"storage.objects.{verb}", self.object_thing(bucket, name))

    def object_thing(self, bucket: str, name: str) -> Thing:
        """An object, as conditions know it."""
        held = f"projects/_/buckets/{bucket}/objects/{name}"
        return Thing(held, "storage.googleapis.com/Object", (f"gs://{bucket}", self._project))

    def _bucket(self, method: str, bucket: str | None, *, policy: bool) -> Need:
        if bucket is None:
            verb = "create" if method == "POST" else "list"
            project = Thing(self._project, "cloudresourcemanager.googleapis.com/Project", (self._project,))
            return Need(f"storage.buckets.{verb}", project)
        verb = ("getIamPolicy" if method == "GET" else "setIamPolicy") if policy else _BUCKET_METHODS[method]
        return Need(f"storage.buckets.{verb}", self._thing(unquote(bucket)))

    def _thing(self, bucket: str) -> Thing:
        name = f"projects/_/buckets/{bucket}"
        return Thing(name, "storage.googleapis.com/Bucket", (f"gs://{bucket}", self._project))


def _described(body: bytes) -> dict[str, object]:
    """The metadata that come first in an upload of several parts (RFC 2387), or are all of it."""
    begins = body.find(b"{")
    described: dict[str, object] = json.JSONDecoder().raw_decode(body[begins:].decode("utf-8", "replace"))[0]
    return described
