"""A stage's code folder on its way to a cloud. No cloud lives here."""

import base64
import hashlib
import io
import tarfile

from temporalio import activity

from contracts.model import Message

CODE_LIMIT_BYTES = 512 * 1024
"""The most that all code folders of a pipeline weigh together, packed and encoded; Temporal takes about 2 MB a message."""


class CodeBundle(Message):
    """A small code folder, packed: a gzip tar of regular files, in base64."""

    digest: str
    """SHA-256 in hex over each file's name and content, sorted by name; the same folder has the same digest anywhere."""
    archive: str

    def files(self) -> dict[str, bytes]:
        """Return each file's content by its path relative to the folder, sorted.

        Raises:
            ValueError: the archive holds anything but regular files below the folder, or is not what the digest says.
        """
        found: dict[str, bytes] = {}
        with tarfile.open(fileobj=io.BytesIO(base64.b64decode(self.archive)), mode="r:gz") as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isreg() else None
                if content is None or member.name.startswith("/") or ".." in member.name.split("/"):
                    raise ValueError(
                        f"the code bundle holds {member.name!r}, which is not a regular file below its folder"
                    )
                found[member.name] = content.read()
        if code_digest(found) != self.digest:
            raise ValueError("the code bundle is not what its digest says")
        return dict(sorted(found.items()))


class CodeRef(Message):
    """Published code: plain files below a prefix of one cloud's store."""

    uri: str
    """Ends in `/`."""
    digest: str


class PublishRequest(Message):
    """A bundle to publish below `code/<digest>/` of the connection's default container."""

    bundle: CodeBundle


def code_digest(files: dict[str, bytes]) -> str:
    """Return the identity of a code folder: SHA-256 over sorted names and contents."""
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def pack(files: dict[str, bytes]) -> CodeBundle:
    """Pack a code folder; the same files have the same digest."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return CodeBundle(digest=code_digest(files), archive=base64.b64encode(packed.getvalue()).decode())


class CodeActivities:
    """What every cloud's worker does with code."""

    @activity.defn(name="code.publish")
    def publish(self, request: PublishRequest) -> CodeRef:
        """Put the bundle's files below `code/<digest>/` and return where.

        Safe to run twice: a file that lies there with the same content is left alone. Heartbeats nothing a reader
        needs. Final: `INVALID_REQUEST` (a bundle that is not what its digest says), `ACCESS_DENIED`.
        """
        raise NotImplementedError
