"""A server with its model as one archive: what a vendor unpacks beside a container that shall score.

It holds `serve.sh`, the stage's code below `code/` and each input below `inputs/<name>/`.
"""

import gzip
import hashlib
import io
import tarfile
import tempfile
from collections.abc import Sequence
from typing import IO

from activities.checksums import crc32c
from activities.job_script import render_script
from activities.listed import objects_below
from activities.pieces import Pieces
from activities.stopping import asked_to_stop, stop_error
from activities.store import Part, Store, WriteTarget
from activities.uploading import sealed
from contracts.artifacts import Artifact, ObjectStat
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.jobs import JobRequest
from contracts.parts import part_size, parts_of

SCRIPT = "serve.sh"


def model_inputs(request: JobRequest) -> dict[str, Artifact]:
    """Return what the server reads: every input but the rows of a batch."""
    rows = request.batch.data if request.batch else None
    return {name: artifact for name, artifact in request.inputs.items() if name != rows}


def server_script(request: JobRequest, *, root: str, work: str, before: Sequence[str]) -> str:
    """Return the text of `serve.sh` for a package that is unpacked at `root`; `before` has to export `PORT`."""
    return render_script(
        request,
        code=f"{root}/code" if request.code else None,
        inputs={
            name: f"{root}/inputs/{name}" + ("" if held.kind == "folder" else f"/{_last(held.uri)}")
            for name, held in model_inputs(request).items()
        },
        outputs={},
        work=work,
        before=before,
    )


def put_package(store: Store, uri: str, request: JobRequest, script: str) -> ObjectStat:
    """Pack the server and put it there, whatever lay there before; the same request gives the same bytes.

    Raises:
        ApplicationError: `SOURCE_MISSING`, an input holds nothing.
        CancelledError: the activity was cancelled.
    """
    with tempfile.TemporaryFile() as file:
        # Without a time in it, the archive is the same whenever it is packed.
        with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1, mtime=0, filename="") as packed:
            with tarfile.open(fileobj=packed, mode="w") as archive:
                _add(archive, SCRIPT, len(script.encode()), io.BytesIO(script.encode()))
                if request.code:
                    _add_folder(archive, store, request.code.uri, "code/")
                for name, artifact in sorted(model_inputs(request).items()):
                    _add_artifact(archive, store, artifact, f"inputs/{name}/")
        return _put_file(store, uri, file, f"{request.run.run_uid}/{request.stage}")


def _add_artifact(archive: tarfile.TarFile, store: Store, artifact: Artifact, folder: str) -> None:
    if artifact.kind == "folder":
        _add_folder(archive, store, artifact.uri, folder)
        return
    held = store.stat(artifact.uri)
    if held is None:
        raise _missing(artifact.uri)
    _add(archive, folder + _last(held.uri), held.size_bytes, io.BufferedReader(Pieces(store.read(held))))


def _add_folder(archive: tarfile.TarFile, store: Store, prefix: str, folder: str) -> None:
    found = False
    for held in objects_below(store, prefix):
        found = True
        name = held.uri.removeprefix(prefix)
        _add(archive, folder + name, held.size_bytes, io.BufferedReader(Pieces(store.read(held))))
    if not found:
        raise _missing(prefix)


def _add(archive: tarfile.TarFile, name: str, size_bytes: int, content: IO[bytes]) -> None:
    if asked_to_stop():
        raise stop_error()
    member = tarfile.TarInfo(name)
    member.size = size_bytes
    archive.addfile(member, content)


def _put_file(store: Store, uri: str, file: IO[bytes], owner: str) -> ObjectStat:
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    target = WriteTarget(uri, size, "package", owner, replace=True, media_type="application/gzip")
    count = parts_of(size)
    if count == 1:
        content = file.read()
        return store.put(target, content, hashlib.sha256(content).hexdigest())
    # Another attempt's upload may hold parts of it; the same bytes are put again, which changes nothing.
    writer, parts = store.writer(target), []
    for index in range(count):
        if asked_to_stop():
            raise stop_error()
        content = file.read(part_size(size, index))
        part = Part(index, len(content), crc32c(content), hashlib.sha256(content).digest())
        writer.put(part, content)
        parts.append(part)
    return writer.commit(sealed(parts))


def _last(uri: str) -> str:
    return uri.rpartition("/")[2]


def _missing(uri: str) -> Exception:
    return failure(
        ErrorKind.SOURCE_MISSING, f"{uri} holds nothing that a server could load", ErrorDetail(ref=uri)
    )
