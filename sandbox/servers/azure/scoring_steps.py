"""From the step of a batch deployment to the machine that runs its scoring script over mini-batches of files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sandbox.servers.azure import mini_batches
from sandbox.servers.azure.online import SCRATCH
from sandbox.servers.azure.records import JobRecord
from sandbox.servers.machine import Fetch, MachineSpec

DRIVER = "driver/mini_batches.py"


def scoring_machine(spec: MachineSpec, record: JobRecord, home: Path) -> MachineSpec:
    """The machine of a step, made of that of the command job which it otherwise is.

    The script finds its model below `AZUREML_MODEL_DIR`, by the last part of the model's path, and writes what it likes to
    `AZUREML_BI_OUTPUT_PATH`.
    """
    asked = record.scoring
    file = Path(spec.env["AZURE_ML_OUTPUT_score"])
    told = [asked["miniBatchSize"], asked["concurrency"], asked["errorThreshold"], asked["maxRetries"]]
    output = str(file) if asked["outputAction"] == "AppendRow" else ""
    places = [asked["script"], spec.env[f"AZURE_ML_INPUT_{asked['input']}"], output]
    environment = {**spec.env, "AZUREML_BI_OUTPUT_PATH": str(file.parent)}
    fetch = list(spec.fetch)
    if asked["model"]:
        last = asked["model"].rstrip("/").rsplit("/", 1)[-1]
        environment["AZUREML_MODEL_DIR"] = str(home / "models")
        fetch.append(Fetch(asked["model"], str(home / "models" / last)))
    return replace(
        spec,
        argv=["python", str(home / DRIVER), *map(str, told), str(asked["timeoutSeconds"]), *places],
        env=environment,
        fetch=fetch,
        files={DRIVER: Path(mini_batches.__file__).read_text()},
        rewrite={SCRATCH: str(home / "server")},
    )
