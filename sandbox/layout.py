"""Where everything of the sandbox lies, and how its servers are reached.

Nothing here starts or creates a server: every part of the sandbox reads this module, and it imports none.
"""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

THIRD_PARTY = ("temporal", "aws", "blob", "gcs", "bigquery")
OUR_OWN = ("sagemaker", "azure", "vertex")
FRONTS = BLOB_FRONT, GCS_FRONT, BIGQUERY_FRONT = ("blob-front", "gcs-front", "bigquery-front")
"""Ours too, before the stores of others: what clients of these stores reach."""
SERVERS = THIRD_PARTY + FRONTS + OUR_OWN
WORKERS = ("aws", "azure", "gcp", "onprem", "workflows", "starter")
CONTAINER = "causeway"
FORBIDDEN_BUCKET = "causeway-forbidden"
DATASET = "demo"
NAMESPACE = "default"


class SandboxError(Exception):
    """An expected failure of the sandbox: its text is one line for a person, saying what to do."""

    exit_code = 1


class Unreachable(SandboxError):
    """A server of the sandbox is dead, or does not answer."""

    exit_code = 3


class Misuse(SandboxError):
    """What was asked for does not exist or does not make sense."""

    exit_code = 2


@dataclass(frozen=True)
class Layout:
    """The folders and files of one sandbox. All paths are absolute; none need exist yet."""

    root: Path
    """State, logs, keys and ports of this sandbox."""
    tools: Path
    """The emulators' own environments, shared by all sandboxes of a checkout."""
    checkout: Path
    """The folder that holds the `sandbox` package."""

    @classmethod
    def from_environment(cls) -> Layout:
        """The sandbox this process belongs to: `CAUSEWAY_SANDBOX`, or `.sandbox` in the checkout."""
        checkout = Path(__file__).resolve().parent.parent
        default = checkout / ".sandbox"
        root = Path(os.environ.get("CAUSEWAY_SANDBOX") or default)
        tools = Path(os.environ.get("CAUSEWAY_SANDBOX_TOOLS") or default / "tools")
        return cls(root=root.absolute(), tools=tools.absolute(), checkout=checkout)

    @property
    def endpoints_file(self) -> Path:
        """Ports, names and keys; readable by its owner only."""
        return self.root / "endpoints.json"

    @property
    def processes_file(self) -> Path:
        """What was started, by process id and birth."""
        return self.root / "processes.json"

    @property
    def state(self) -> Path:
        """One folder for each server."""
        return self.root / "state"

    @property
    def logs(self) -> Path:
        """What servers print, and the journals of ours."""
        return self.root / "logs"

    @property
    def faults(self) -> Path:
        """How servers have been told to misbehave."""
        return self.root / "faults"

    @property
    def env(self) -> Path:
        """The settings of each worker, one file each."""
        return self.root / "env"

    @property
    def settings(self) -> Path:
        """What the person adds to the settings of workers: `<worker>.env`, which goes before what the sandbox says."""
        return self.root / "settings"

    @property
    def onprem(self) -> Path:
        """The root of the on-prem worker."""
        return self.root / "onprem"

    @property
    def tls(self) -> Path:
        """Our authority, our certificate and the Google service account."""
        return self.root / "tls"

    @property
    def jobs_bin(self) -> Path:
        """The folder of the `python` that jobs run with: it stands for a container image."""
        return self.tools / "jobs" / "bin"

    def log_of(self, server: str) -> Path:
        """What the server prints."""
        return self.logs / f"{server}.log"

    def requests_of(self, server: str) -> Path:
        """The journal of requests, one JSON object a line; only our own servers keep one."""
        return self.logs / f"{server}.requests.jsonl"

    def faults_of(self, server: str) -> Path:
        """The faults a server has been told to show."""
        return self.faults / f"{server}.json"

    def env_of(self, worker: str) -> Path:
        """The environment file of one worker."""
        return self.env / f"{worker}.env"


@dataclass(frozen=True)
class Endpoints:
    """Ports, generated names and generated keys of one sandbox. Written once, private to the user."""

    ports: dict[str, int]
    """One port for each server, and `temporal_ui`, `bigquery_grpc`; `blob`, `gcs` and `bigquery` are those of the fronts."""
    aws_access_key_id: str
    aws_secret_access_key: str
    blob_account: str
    blob_key: str
    azure_tenant_id: str
    azure_client_id: str
    azure_client_secret: str
    azure_subscription_id: str
    ca_certificate: Path
    """The authority that signed our server certificate."""
    ca_bundle: Path
    """What a client of both the sandbox and the outside world should trust."""
    server_certificate: Path
    server_key: Path
    service_account_file: Path
    """A Google service account whose `token_uri` is the sandbox's own."""
    aws_account_id: str = "000000000000"
    aws_root_access_key_id: str = ""
    """Only for filling the account; workers and jobs use the other key, whose rights are limited."""
    aws_root_secret_access_key: str = ""
    aws_region: str = "us-east-1"
    azure_resource_group: str = "causeway"
    azure_workspace: str = "causeway"
    gcp_project: str = "causeway-dev"
    gcp_location: str = "us-central1"

    @classmethod
    def load(cls, layout: Layout) -> Endpoints:
        """What `save` wrote last.

        Raises:
            Unreachable: There is no sandbox here, or its file cannot be read.
        """
        try:
            stored: dict[str, Any] = json.loads(layout.endpoints_file.read_text())
            return cls(**{field.name: _revive(field, stored) for field in dataclasses.fields(cls)})
        except FileNotFoundError:
            raise Unreachable(f"no sandbox in {layout.root}: start one with `python -m sandbox up`") from None
        except (ValueError, KeyError, TypeError) as exc:
            raise Unreachable(
                f"{layout.endpoints_file} cannot be read ({exc}):"
                " `python -m sandbox down --erase` starts afresh"
            ) from None

    def save(self, layout: Layout) -> None:
        """Write everything for `load`, whole or not at all, readable by this user only."""
        stored = {name: _plain(value) for name, value in dataclasses.asdict(self).items()}
        write_private(layout.endpoints_file, json.dumps(stored, indent=2) + "\n")

    @property
    def temporal_address(self) -> str:
        """Where workers and the starter connect."""
        return f"127.0.0.1:{self.ports['temporal']}"

    @property
    def temporal_ui_url(self) -> str:
        """The Web UI."""
        return f"http://127.0.0.1:{self.ports['temporal_ui']}"

    @property
    def s3_url(self) -> str:
        """S3 and every other AWS service but SageMaker."""
        return f"http://127.0.0.1:{self.ports['aws']}"

    @property
    def sagemaker_url(self) -> str:
        """SageMaker."""
        return f"http://127.0.0.1:{self.ports['sagemaker']}"

    @property
    def aws_job_role(self) -> str:
        """The ARN of the role that training jobs take."""
        return f"arn:aws:iam::{self.aws_account_id}:role/causeway-jobs"

    @property
    def blob_url(self) -> str:
        """The storage account."""
        return f"https://localhost:{self.ports['blob']}/{self.blob_account}"

    @property
    def blob_behind_url(self) -> str:
        """The storage account behind its front."""
        return f"https://localhost:{self.ports['blob_behind']}/{self.blob_account}"

    @property
    def azure_url(self) -> str:
        """Entra, Resource Manager and Azure ML."""
        return f"https://localhost:{self.ports['azure']}"

    @property
    def gcs_url(self) -> str:
        """Cloud Storage."""
        return f"http://127.0.0.1:{self.ports['gcs']}"

    @property
    def gcs_behind_url(self) -> str:
        """Cloud Storage behind its front: who gets here is not asked who it is."""
        return f"http://127.0.0.1:{self.ports['gcs_behind']}"

    @property
    def bigquery_url(self) -> str:
        """BigQuery."""
        return f"http://127.0.0.1:{self.ports['bigquery']}"

    @property
    def bigquery_behind_url(self) -> str:
        """BigQuery behind its front: who gets here is not asked what it may do."""
        return f"http://127.0.0.1:{self.ports['bigquery_behind']}"

    @property
    def vertex_url(self) -> str:
        """Vertex AI."""
        return f"http://127.0.0.1:{self.ports['vertex']}"

    @property
    def google_token_url(self) -> str:
        """The OAuth token endpoint, served by our Vertex server."""
        return f"{self.vertex_url}/token"


def write_private(path: Path, text: str, mode: int = 0o600) -> None:
    """Make the file hold exactly this text, whole or not at all; `mode` holds from its first byte."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text)
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value


def _revive(field: dataclasses.Field[Any], stored: dict[str, Any]) -> Any:
    if field.name not in stored and field.default is not dataclasses.MISSING:
        return field.default
    value = stored[field.name]
    return Path(value) if field.type == "Path" else value
