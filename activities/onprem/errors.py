"""What errors of the operating system mean, by their number."""

import errno

from temporalio.exceptions import ApplicationError

from contracts.errors import ErrorDetail, ErrorKind, failure

_KINDS = {
    errno.ENOENT: ErrorKind.SOURCE_MISSING,
    errno.EACCES: ErrorKind.ACCESS_DENIED,
    errno.EPERM: ErrorKind.ACCESS_DENIED,
    errno.EROFS: ErrorKind.ACCESS_DENIED,
    errno.ENOSPC: ErrorKind.DISK_FULL,
    errno.EDQUOT: ErrorKind.DISK_FULL,
    errno.EFBIG: ErrorKind.DISK_FULL,
    errno.EEXIST: ErrorKind.TARGET_CONFLICT,
    errno.ENOTEMPTY: ErrorKind.TARGET_CONFLICT,
    errno.EISDIR: ErrorKind.TARGET_CONFLICT,
    errno.ENOTDIR: ErrorKind.TARGET_CONFLICT,
    errno.ENAMETOOLONG: ErrorKind.INVALID_REQUEST,
    errno.EINVAL: ErrorKind.INVALID_REQUEST,
    errno.EILSEQ: ErrorKind.INVALID_REQUEST,
    errno.ELOOP: ErrorKind.INVALID_REQUEST,
    errno.EMFILE: ErrorKind.UNAVAILABLE,
    errno.ENFILE: ErrorKind.UNAVAILABLE,
    errno.EAGAIN: ErrorKind.UNAVAILABLE,
    errno.ENOMEM: ErrorKind.UNAVAILABLE,
    errno.EIO: ErrorKind.UNAVAILABLE,
    errno.ESTALE: ErrorKind.UNAVAILABLE,
    errno.ETIMEDOUT: ErrorKind.UNAVAILABLE,
    errno.EBUSY: ErrorKind.UNAVAILABLE,
}


def translate(error: BaseException, ref: str) -> ApplicationError:
    """Return the error of the closed list that this one is; the message names the resource, not a path."""
    if isinstance(error, ApplicationError):
        return error
    if isinstance(error, OSError) and error.errno is not None:
        code = errno.errorcode.get(error.errno, str(error.errno))
        kind = _KINDS.get(error.errno, ErrorKind.UNKNOWN)
        return failure(kind, f"{ref}: {error.strerror or code}", _detail(ref, code))
    if isinstance(error, UnicodeError):
        return failure(ErrorKind.INVALID_REQUEST, f"{ref} is no name a file can have", _detail(ref, "EILSEQ"))
    name = type(error).__name__
    return failure(ErrorKind.UNKNOWN, f"{name} at {ref}", _detail(ref, name))


def _detail(ref: str, code: str) -> ErrorDetail:
    return ErrorDetail(cloud="onprem", ref=ref, code=code)
