"""SageMaker's operations on training, processing and transform jobs; those on endpoints are `Hosting`'s."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sandbox.servers.faults import Faults
from sandbox.servers.machine import Machines, MachineStatus, UnknownMachine
from sandbox.servers.sagemaker.book import Book, Job
from sandbox.servers.sagemaker.errors import AwsError, beyond_sandbox, invalid
from sandbox.servers.sagemaker.hosting import Hosting
from sandbox.servers.sagemaker.kinds import JobKind, status_word
from sandbox.servers.sagemaker.limits import Limits, exceeded
from sandbox.servers.sagemaker.listing import page
from sandbox.servers.sagemaker.processing import Processing
from sandbox.servers.sagemaker.training import Training
from sandbox.servers.sagemaker.transform import Transform
from sandbox.servers.sagemaker.wire import answer, checked, operation_model

KINDS: dict[str, JobKind] = {
    "training": Training(),
    "processing": Processing(),
    "transform": Transform(),
}

MOST_TAGS = 50

Parameters = dict[str, Any]


class Service:
    """Answers one operation at a time, from any number of threads."""

    def __init__(
        self,
        book: Book,
        machines: Machines,
        faults: Faults,
        scope: str,
        hosting: Hosting,
        limits: Limits,
    ) -> None:
        """Keep jobs in `book`; their ARNs begin with `scope`: `arn:aws:sagemaker:<region>:<account>`."""
        self._hosting = hosting
        self._book = book
        self._machines = machines
        self._faults = faults
        self._scope = scope
        self._limits = limits
        self._operations: dict[str, Callable[[Parameters], Parameters]] = {
            "AddTags": self._add_tags,
            "ListTags": self._list_tags,
            **hosting.operations,
        }
        for kind in KINDS.values():
            self._operations |= {
                f"Create{kind.prefix}": self._bound(self._create, kind),
                f"Describe{kind.prefix}": self._bound(self._describe, kind),
                f"Stop{kind.prefix}": self._bound(self._stop, kind),
                f"List{kind.prefix}s": self._bound(self._list, kind),
            }

    def handle(self, operation: str, body: Parameters) -> Parameters:
        """The answer to a request, both as JSON.

        Raises:
            AwsError: The vendor would refuse it, or this server does not do it.
        """
        model = operation_model(operation)
        if operation not in self._operations:
            raise beyond_sandbox(operation)
        return answer(model, self._operations[operation](checked(model, body)))

    def resume(self) -> None:
        """Start the machines of jobs and endpoints that were accepted just before the server died."""
        self._hosting.resume()
        for job in self._book.all():
            if job.ending is None:
                self._start(job)

    @staticmethod
    def _bound(
        work: Callable[[JobKind, Parameters], Parameters], kind: JobKind
    ) -> Callable[[Parameters], Parameters]:
        return lambda parameters: work(kind, parameters)

    def _create(self, kind: JobKind, parameters: Parameters) -> Parameters:
        kind.check(parameters)
        name = parameters[f"{kind.prefix}Name"]
        arn = f"{self._scope}:{kind.noun.replace(' ', '-')}/{name.lower()}"
        if self._book.get(kind.kind, name) is not None:
            raise _in_use(kind, arn)
        if self._faults.take("quota", name):
            cluster = _cluster(parameters)
            raise exceeded(cluster["InstanceType"], kind.noun, 0, 0, cluster.get("InstanceCount", 1))
        self._hold(kind, parameters)
        tags = _tags(parameters.pop("Tags", []))
        if kind.kind == "transform":
            # The model may be deleted as soon as the job has it.
            parameters["Container"] = self._hosting.container(parameters["ModelName"])
        job = Job(kind.kind, name, arn, parameters, tags, time.time(), self._faults.take_job_fault(name))
        if not self._book.add(job):
            raise _in_use(kind, arn)
        self._start(job)
        return {f"{kind.prefix}Arn": arn}

    def _hold(self, kind: JobKind, parameters: Parameters) -> None:
        wanted = _cluster(parameters)
        machine = wanted["InstanceType"]
        taken = [
            _cluster(job.request) for job in self._book.all() if job.kind == kind.kind and not job.ending
        ]
        running = sum(one.get("InstanceCount", 1) for one in taken if one["InstanceType"] == machine)
        self._limits.hold(machine, kind.noun, wanted.get("InstanceCount", 1), running)

    def _start(self, job: Job) -> None:
        kind = KINDS[job.kind]
        self._machines.start(job.machine, kind.spec(job, str(self._machines.home(job.machine) / "ml")))

    def _describe(self, kind: JobKind, parameters: Parameters) -> Parameters:
        job = self._known(kind, parameters)
        return kind.describe(job, self._status(job))

    def _stop(self, kind: JobKind, parameters: Parameters) -> Parameters:
        job = self._known(kind, parameters)
        word = status_word(job, self._status(job))
        if word not in ("InProgress", "Stopping"):
            raise invalid(f"The request was rejected because the {kind.noun} is in status {word}.")
        if word == "InProgress":
            self._book.change(job, stop_requested_at=time.time())
        self._machines.stop(job.machine)
        return {}

    def _list(self, kind: JobKind, parameters: Parameters) -> Parameters:
        for unsupported in ("WarmPoolStatusEquals", "TrainingPlanArnEquals"):
            if unsupported in parameters:
                raise beyond_sandbox(unsupported)
        jobs = [job for job in self._book.all() if job.kind == kind.kind]
        entries, token = page(
            [kind.describe(job, self._status(job)) for job in jobs], kind.prefix, parameters
        )
        return {f"{kind.prefix}Summaries": entries, "NextToken": token}

    def _add_tags(self, parameters: Parameters) -> Parameters:
        arn, news = parameters["ResourceArn"], _tags(parameters["Tags"])
        tags = self._tags_of(arn) | news
        if len(tags) > MOST_TAGS:
            raise invalid(f"A resource has at most {MOST_TAGS} tags")
        if self._hosting.by_arn(arn):
            self._hosting.change_tags(arn, tags)
        else:
            self._book.change(self._by_arn(arn), tags=tags)
        return {"Tags": _wire_tags(tags)}

    def _list_tags(self, parameters: Parameters) -> Parameters:
        return {"Tags": _wire_tags(self._tags_of(parameters["ResourceArn"]))}

    def _tags_of(self, arn: str) -> dict[str, str]:
        hosted = self._hosting.by_arn(arn)
        return dict(hosted[1]["Tags"]) if hosted else self._by_arn(arn).tags

    def _known(self, kind: JobKind, parameters: Parameters) -> Job:
        job = self._book.get(kind.kind, parameters[f"{kind.prefix}Name"])
        if job is None:
            raise invalid("Requested resource not found.")
        return job

    def _by_arn(self, arn: str) -> Job:
        job = self._book.by_arn(arn)
        if job is None:
            raise AwsError("ResourceNotFound", f"{arn} does not exist")
        return job

    def _status(self, job: Job) -> MachineStatus:
        if job.ended is not None:
            return job.ended
        try:
            status = self._machines.status(job.machine)
        except UnknownMachine:
            return MachineStatus(created_at=job.created_at)
        if status.phase != "DONE":
            return status
        # Its last words and its log are still being brought in; the watcher says when it is over.
        return MachineStatus(
            phase="DELIVERING",
            created_at=status.created_at,
            started_at=status.started_at,
            delivering_at=status.delivering_at,
        )


def _in_use(kind: JobKind, arn: str) -> AwsError:
    noun = kind.noun.capitalize()
    return AwsError(
        "ResourceInUse",
        f"{noun} names must be unique within an AWS account and region, "
        f"but a {kind.noun} with this name already exists ({arn})",
    )


def _cluster(request: Parameters) -> Parameters:
    found: Parameters = (
        request.get("ResourceConfig")
        or request.get("TransformResources")
        or request["ProcessingResources"]["ClusterConfig"]
    )
    return found


def _tags(tags: list[dict[str, str]]) -> dict[str, str]:
    named = {tag["Key"]: tag["Value"] for tag in tags}
    if len(named) < len(tags):
        raise invalid("Duplicate tag keys found. Please note that tag keys are case insensitive.")
    return named


def _wire_tags(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
