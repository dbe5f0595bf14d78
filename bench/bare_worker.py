"""The peer's worker: a process of the same type as each of Causeway's."""

from bench.bare import QUEUE, BareWorkflow, nothing
from workers.logs import configure
from workers.serve import Service, end, serve

SERVICE = Service(name="bench", queue=QUEUE, workflows=(BareWorkflow,), activities=lambda client: (nothing,))

if __name__ == "__main__":
    configure("bench")
    end(serve(SERVICE))
