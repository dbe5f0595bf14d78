"""From an accepted command job to the machine that runs it: inputs, outputs, environment, command line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from sandbox.layout import Endpoints
from sandbox.servers.azure.arm import user_error
from sandbox.servers.azure.assets import Assets
from sandbox.servers.azure.records import JobRecord
from sandbox.servers.azure.references import References
from sandbox.servers.azure.scoring_steps import scoring_machine
from sandbox.servers.machine import Deliver, Fetch, MachineSpec

DATA_INPUTS = {"uri_file", "uri_folder", "custom_model"}
DATA_OUTPUTS = {"uri_file", "uri_folder", "custom_model"}
STOP_GRACE_SECONDS = 10
_DURATION = TypeAdapter(timedelta)
_BINDING = re.compile(r"\$\{\{\s*(inputs|outputs)\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")


@dataclass(frozen=True)
class Commands:
    """Turns jobs into machine specs.

    The command runs under `bash -c` in the folder that holds the code. `${{inputs.x}}` and `${{outputs.x}}`
    become local paths (or the literal's text, unquoted, as in the vendor's own runtime), which the command
    also finds in `AZURE_ML_INPUT_x` and `AZURE_ML_OUTPUT_x`. Mounted outputs appear in the store when the
    command has ended, also when it failed, was stopped or lost its machine; outputs of mode `Upload` only when
    it succeeded. What lies at the place of a mounted output before is seen.
    """

    endpoints: Endpoints
    references: References
    assets: Assets

    def check(self, properties: dict[str, Any]) -> None:
        """Refuse what the service would refuse, and what this sandbox does not offer.

        Raises:
            ArmError: 400, saying which member is wrong.
        """
        for name, given in (properties.get("inputs") or {}).items():
            if given["jobInputType"] == "literal":
                continue
            if given["jobInputType"] not in DATA_INPUTS or str(given.get("mode", "")).startswith("Eval"):
                raise user_error(
                    f"Input '{name}' of type '{given['jobInputType']}' is not offered by the sandbox."
                )
            self.references.resolve(given["uri"])
        for name, wanted in (properties.get("outputs") or {}).items():
            if wanted["jobOutputType"] not in DATA_OUTPUTS or wanted.get("mode") == "Direct":
                raise user_error(
                    f"Output '{name}' of type '{wanted['jobOutputType']}' is not offered by the sandbox."
                )
            if wanted.get("uri"):
                self.references.resolve(wanted["uri"])
        for group, name in _BINDING.findall(properties["command"]):
            if name not in (properties.get(group) or {}):
                raise user_error(f"The command refers to {group}.{name}, which the job does not have.")
        if properties.get("codeId") and self.assets.find("codes", properties["codeId"]) is None:
            raise user_error(f"Code '{properties['codeId']}' does not exist.", "NotFound")
        if self.assets.find("environments", properties["environmentId"]) is None:
            raise user_error(f"Environment '{properties['environmentId']}' does not exist.", "NotFound")

    def output_uri(self, record: JobRecord, name: str) -> str:
        """Where an output goes: its own path, or the default the vendor chooses."""
        uri = record.properties["outputs"][name].get("uri")
        return uri or f"azureml://datastores/workspaceblobstore/paths/azureml/{record.name}/{name}/"

    def machine(self, record: JobRecord, home: Path) -> MachineSpec:
        """The machine for a job whose files go under `home`."""
        properties = record.properties
        inputs, fetch = self._inputs(properties, home)
        outputs, deliver, mounted = self._outputs(record, home)
        fetch += mounted
        if properties.get("codeId"):
            code = self.assets.find("codes", properties["codeId"]) or {}
            fetch.append(Fetch(_folder(self.references.resolve(code["codeUri"])), str(home / "wd"), "folder"))
        places = {"inputs": inputs, "outputs": outputs}
        command = _BINDING.sub(lambda match: places[match[1]][match[2]], properties["command"])
        environment = {f"AZURE_ML_INPUT_{name}": value for name, value in inputs.items()}
        environment |= {f"AZURE_ML_OUTPUT_{name}": value for name, value in outputs.items()}
        timeout = (properties.get("limits") or {}).get("timeout")
        spec = MachineSpec(
            argv=["bash", "-c", command],
            env={**self._runtime(record), **environment, **(properties.get("environmentVariables") or {})},
            cwd="wd",
            fetch=fetch,
            deliver=deliver,
            folders=["wd"],
            time_limit_seconds=_DURATION.validate_python(timeout).total_seconds() if timeout else None,
            stop_grace_seconds=STOP_GRACE_SECONDS,
            fault=record.fault,
        )
        return scoring_machine(spec, record, home) if record.scoring else spec

    def _inputs(self, properties: dict[str, Any], home: Path) -> tuple[dict[str, str], list[Fetch]]:
        values: dict[str, str] = {}
        fetch = []
        for name, given in (properties.get("inputs") or {}).items():
            if given["jobInputType"] == "literal":
                values[name] = given["value"]
                continue
            if given.get("mode") == "Direct":
                values[name] = given["uri"]
                continue
            uri, place = self.references.resolve(given["uri"]), home / "inputs" / name
            if given["jobInputType"] == "uri_file":
                place /= uri.rsplit("/", 1)[-1]
                fetch.append(Fetch(uri, str(place), "file"))
            else:
                fetch.append(Fetch(_folder(uri), str(place), "folder"))
            values[name] = str(place)
        return values, fetch

    def _outputs(self, record: JobRecord, home: Path) -> tuple[dict[str, str], list[Deliver], list[Fetch]]:
        values: dict[str, str] = {}
        deliver, fetch = [], []
        for name, wanted in (record.properties.get("outputs") or {}).items():
            place = home / "outputs" / name
            uri = _folder(self.references.resolve(self.output_uri(record, name)))
            always = wanted.get("mode", "ReadWriteMount") == "ReadWriteMount"
            if wanted["jobOutputType"] == "uri_file":
                # The job writes to a path that is a file; it is delivered as the folder that holds it.
                uri, place = (
                    uri.rstrip("/").rsplit("/", 1)[0] + "/",
                    place / uri.rstrip("/").rsplit("/", 1)[-1],
                )
                deliver.append(Deliver(str(place.parent), uri, always=always, synced=always))
            else:
                deliver.append(Deliver(str(place), uri, always=always, synced=always))
                if always and wanted.get("uri"):
                    # A mount shows what lies there already; the default place of an output is always new.
                    fetch.append(Fetch(uri, str(place), "folder", optional=True))
            values[name] = str(place)
        return values, deliver, fetch

    def _runtime(self, record: JobRecord) -> dict[str, str]:
        """The variables the vendor's runtime sets and user code is known to read."""
        ours = self.endpoints
        return {
            "AZUREML_RUN_ID": record.name,
            "AZUREML_ROOT_RUN_ID": record.parent or record.name,
            "AZUREML_EXPERIMENT_NAME": record.properties.get("experimentName") or "Default",
            "AZUREML_ARM_SUBSCRIPTION": ours.azure_subscription_id,
            "AZUREML_ARM_RESOURCEGROUP": ours.azure_resource_group,
            "AZUREML_ARM_WORKSPACE_NAME": ours.azure_workspace,
        }


def _folder(uri: str) -> str:
    return uri if uri.endswith("/") else f"{uri}/"
