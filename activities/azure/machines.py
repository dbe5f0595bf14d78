"""Which machine a job gets on Azure Machine Learning: a cluster's node, or a size of serverless compute."""

from collections.abc import Callable
from pathlib import Path

from activities.azure.errors import CLOUD
from activities.catalogue import Catalogue
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.jobs import JobKind
from contracts.machines import Machine, Resources

BOOK = Path(__file__).with_name("machines.yaml")
VM_SIZE = "Standard_"
"""How the names of Azure's machines begin; a job that asks for one runs on serverless compute."""
Describe = Callable[[str], tuple[str, bool]]
"""A cluster's VM size, and whether its nodes have low priority: they cost less and may be taken back."""


class AzureMachines:
    """The machines that this connection gives to jobs."""

    def __init__(self, describe: Describe, own: Path | None = None, cluster: str | None = None) -> None:
        """Know our catalogue and the user's own; the worker's cluster is taken where its nodes suffice.

        Raises:
            ValueError: a catalogue cannot be read.
        """
        self._catalogue = Catalogue.read(CLOUD, BOOK, own)
        self._describe = describe
        self._cluster = cluster

    def choose(self, kind: JobKind, resources: Resources) -> Machine:
        """See `Machines.choose`: a cluster that is named is asked for its size and priority, for the price of a node."""
        if resources.spot and kind in {"batch_predict", "deploy"}:
            raise _unsupported(f"spot is for stages that run a command, and this one is {kind}: leave it out")
        named = resources.instance
        if kind == "deploy":
            if named and not serverless(named):
                raise _unsupported(
                    f"an endpoint has machines of its own, not those of {named}; name a size of Azure's"
                )
            return self._catalogue.choose(kind, resources)
        if named and not serverless(named):
            node = self._node(kind, named, "the cluster named in resources.instance")
            if resources.spot and not node.spot:
                raise _unsupported(f"the nodes of cluster {named} are dedicated, and the stage asks for spot")
            return node.model_copy(update={"spot": resources.spot})
        if named or self._cluster is None:
            return self._serverless(kind, resources, "")
        if not (_asks(resources) or resources.spot):
            node = self._node(kind, self._cluster, "the worker's cluster, since nothing is asked")
            return node.model_copy(update={"spot": False})
        return self._cluster_or_serverless(kind, resources, self._cluster)

    def _node(self, kind: JobKind, cluster: str, why: str) -> Machine:
        """A node of a cluster; what one of low priority costs is not known here, only that it is less."""
        size, low_priority = self._describe(cluster)
        node = self._catalogue.choose(kind, Resources(instance=size))
        price = None if low_priority else node.price
        words = f"{why}; its nodes are {size}"
        return node.model_copy(
            update={"instance": cluster, "why": words, "price": price, "spot": low_priority}
        )

    def _cluster_or_serverless(self, kind: JobKind, resources: Resources, cluster: str) -> Machine:
        size, low_priority = self._describe(cluster)
        if resources.spot and not low_priority:
            return self._serverless(kind, resources, f"; nodes of cluster {cluster} are dedicated")
        if self._catalogue.suffices(size, resources):
            node = self._catalogue.choose(kind, resources.model_copy(update={"instance": size}))
            why = f"the worker's cluster, whose {size} has what is asked"
            return node.model_copy(update={"instance": cluster, "why": why})
        return self._serverless(kind, resources, f"; {size} of cluster {cluster} does not")

    def _serverless(self, kind: JobKind, resources: Resources, beside: str) -> Machine:
        if not (_asks(resources) or resources.instance or resources.spot):
            why = f"serverless compute, whose size Azure chooses since none is asked{beside}"
            return Machine(instance="", why=why)
        machine = self._catalogue.choose(kind, resources)
        return machine.model_copy(update={"why": f"{machine.why}, on serverless compute{beside}"})


def serverless(instance: str) -> bool:
    """Whether a machine is a size of serverless compute, or none of its own; otherwise it is a cluster."""
    return not instance or instance.lower().startswith(VM_SIZE.lower())


def _asks(resources: Resources) -> bool:
    return resources.cpu > 1 or bool(resources.memory or resources.accelerator or resources.disk)


def _unsupported(text: str) -> Exception:
    return failure(ErrorKind.UNSUPPORTED, text, ErrorDetail(cloud=CLOUD))
