"""Fills a fresh server with what pipelines expect; `python -m sandbox.seed NAME` keeps SDKs out of `up`."""

from __future__ import annotations

import shutil
import sys

from sandbox.layout import Endpoints, Layout, SandboxError
from sandbox.services.catalogue import named


def copy_examples(layout: Layout) -> None:
    """Copy each pipeline's data under the on-prem root; files a person changed there are left alone."""
    layout.onprem.mkdir(parents=True, exist_ok=True)
    for folder in sorted(layout.checkout.glob("pipelines/*/data")):
        for source in sorted(path for path in folder.rglob("*") if path.is_file()):
            target = layout.onprem / folder.parent.name / source.relative_to(folder)
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)


def main() -> int:
    """Fill one server; any failure is one line."""
    layout = Layout.from_environment()
    try:
        service = named(sys.argv[1])
        if service.seed:
            service.seed(layout, Endpoints.load(layout))
    except SandboxError as exc:
        sys.stderr.write(f"{exc}\n")
        return exc.exit_code
    except Exception as exc:
        # The SDKs share no base class; whatever they raise, a person needs the one line.
        sys.stderr.write(f"{type(exc).__name__}: {str(exc).splitlines()[0] if str(exc) else ''}\n")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
