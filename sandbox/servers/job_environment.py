"""What a job's command sees of the world: a clean environment, and the paths of its container made real."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from sandbox.environment import MARK as SANDBOX_MARK
from sandbox.layout import Layout
from sandbox.servers.descendants import MARK

LOCALE = ("LANG", "LC_ALL", "TZ")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy")
# With the sandbox's mark `down` finds a job's process even when its server and its runner were killed.
KEPT = (*LOCALE, *CERTIFICATES, *PROXIES, SANDBOX_MARK)
NEVER = ("PIP_USER", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_VIRTUALENV", "PIP_REQUIRE_HASHES")
"""Settings of pip that fight PIP_TARGET, or hold for the caller's own environment only."""


def job_environment(home: Path, layout: Layout, caller: Mapping[str, str]) -> dict[str, str]:
    """The environment a job starts with: a search path, a home of its own, and where packages come from.

    Of the caller's variables only those are kept that say locale, certificates, proxies and pip's settings:
    no cloud's credentials are among them.
    """
    kept = {name: caller[name] for name in KEPT if name in caller}
    kept |= {name: value for name, value in caller.items() if name.startswith("PIP_") and name not in NEVER}
    return {
        "PIP_CACHE_DIR": str(layout.tools / "pip-cache"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        **_user_pip_config(caller),
        "LANG": "C.UTF-8",
        **kept,
        "PATH": f"{layout.jobs_bin}:{caller.get('PATH', '/usr/local/bin:/usr/bin:/bin')}",
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "PIP_TARGET": str(home / "site"),
        "PYTHONPATH": str(home / "site"),
        "PYTHONUNBUFFERED": "1",
        MARK: str(home),
    }


def rewritten(text: str, paths: Mapping[str, str]) -> str:
    """The text with each container path replaced where it stands as a path of its own or begins one.

    `/opt/ml` is replaced in `/opt/ml/model` and `--out=/opt/ml`, not in `/opt/mlflow` or `s3://bucket/opt/ml`.
    """
    if not paths:
        return text
    longest_first = sorted(paths, key=len, reverse=True)
    pattern = "|".join(
        re.escape(path) + ("" if path.endswith("/") else r"(?![\w.-])") for path in longest_first
    )
    return re.sub(rf"(?<![\w./-])(?:{pattern})", lambda found: paths[found[0]], text)


def _user_pip_config(caller: Mapping[str, str]) -> dict[str, str]:
    # The job's HOME is its own, and pip would no longer find what its user configured.
    user = Path(caller.get("HOME", "/"))
    known = [user / ".config/pip/pip.conf", user / ".pip/pip.conf"]
    found = next((path for path in known if path.is_file()), None)
    return {"PIP_CONFIG_FILE": str(found)} if found else {}
