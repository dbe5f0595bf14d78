"""Judging by policies: what breaks a rule, told with the rule, the stage, the value and who may waive it. Pure functions.

The policy of the workers and that of the pipeline are judged one by one: what either forbids is forbidden.
"""

from collections.abc import Iterator, Sequence

from contracts.classes import classes_at
from contracts.money import Amount
from contracts.policy import (
    EgressLimit,
    Encryption,
    Place,
    Policy,
    RuleName,
    StoreFacts,
    Tightening,
    Violation,
    listed,
    residency,
    violation,
)
from contracts.spec import PipelineSpec

Policies = Sequence[Tightening]


def policies_of(spec: PipelineSpec, policy: Policy | None) -> tuple[Tightening, ...]:
    """The policies that hold for a run: the workers' and its own."""
    return tuple(one for one in (policy, spec.policy) if one is not None)


def residence(
    policies: Policies, classes: tuple[str, ...], place: Place, stage: str = ""
) -> Iterator[Violation]:
    """Yield each rule of residency that data of these classes would break at a place."""
    for policy in policies:
        yield from residency(policy, classes, place, stage)


def crossing(
    policies: Policies, classes: tuple[str, ...], origin: Place, to: Place, stage: str = ""
) -> Iterator[Violation]:
    """Yield each class that crosses from one region to another only with an approval; unknown regions are others."""
    if origin.connection == to.connection or (origin.region and origin.region == to.region):
        return
    way = f"{origin.connection} ({origin.region or 'region unknown'}) to {to.connection} ({to.region or 'region unknown'})"
    for policy in _workers(policies):
        for name in classes:
            if name in policy.approvals.crossing:
                told = f"data of class {name} would cross from {way}; that needs an approval"
                yield violation(policy, "crossing", stage, to.region or to.connection, told)


def write_down(
    policies: Policies, classes: tuple[str, ...], target: str, stage: str = ""
) -> Iterator[Violation]:
    """Yield what would lose classes by being written to a target, of which a marker or a policy says too few."""
    lost = tuple(name for name in classes if name not in classes_at(target, policies))
    if lost:
        told = (
            f"data of class {listed(lost)} would be written to {target}, of which nothing says so: name it under "
            "data of the policy, or let an approved stage declassify it"
        )
        judge = next(_workers(policies), None) or Policy()
        yield violation(judge, "declassify", stage, ", ".join(lost), told)


def images(policies: Policies, image: str, stage: str = "") -> Iterator[Violation]:
    """Yield where an image comes from no registry that is allowed."""
    for policy in policies:
        allowed = policy.images
        if allowed is not None and not any(_is_from(image, prefix) for prefix in allowed):
            told = f"jobs may run images of {listed(allowed)} only, not {image}"
            yield violation(policy, "images", stage, image, told)


def guards(
    policies: Policies, classes: tuple[str, ...], facts: StoreFacts, stage: str = ""
) -> Iterator[Violation]:
    """Yield what a container lacks that a policy, or one of the classes, demands of the store."""
    for policy in policies:
        demanded = {None: policy.encryption} | {
            name: policy.classes[name].encryption for name in classes if name in policy.classes
        }
        for name, wanted in demanded.items():
            if wanted and not _is_encrypted(facts.encryption, wanted):
                yield violation(
                    policy, "encryption", stage, _found(facts.encryption), _locked(facts, wanted, name)
                )
        for rule, fact, wrong in _DEMANDS:
            held = getattr(facts, fact)
            if getattr(policy, rule) and not held:
                why = "its store does not say" if held is None else wrong
                told = f"{facts.uri} breaks {rule}: {getattr(policy, rule)}: {why}"
                yield violation(policy, rule, stage, facts.uri, told)


def demands(policies: Policies) -> bool:
    """Whether anything is demanded of stores, so that they have to be asked."""
    return any(
        policy.encryption
        or policy.public_access
        or policy.tls
        or policy.audit
        or any(one.encryption or one.regions is not None for one in policy.classes.values())
        for policy in policies
    )


def is_bounded(policy: Tightening | None) -> bool:
    """Whether a policy limits what may leave clouds, or what may be spent without an approval."""
    if policy is None:
        return False
    asked = isinstance(policy, Policy) and policy.approvals.price is not None
    return asked or policy.max_egress != EgressLimit()


def egress(policies: Policies, run_bytes: int | None, month_bytes: int | None) -> Iterator[Violation]:
    """Yield each limit of egress that is exceeded; `month_bytes` counts this run; None where nobody knows."""
    for policy in policies:
        limits: tuple[tuple[RuleName, str, int | None, int | None], ...] = (
            ("egress_run", "the run", policy.max_egress.run, run_bytes),
            ("egress_month", "the month with the run", policy.max_egress.month, month_bytes),
        )
        for rule, what, limit, found in limits:
            if limit is not None and found is not None and found > limit:
                told = f"{what} would send {found} bytes out of clouds; at most {limit} may leave"
                yield violation(policy, rule, "", str(found), told)


def price(policies: Policies, quoted: Sequence[Amount], *, whole: bool = True) -> Iterator[Violation]:
    """Yield each limit above which a quote needs an approval; one that cannot be compared with it needs one, too.

    That is one in another currency, and one of which nobody knows all: unknown is never zero.
    """
    for policy in _workers(policies):
        limit = policy.approvals.price
        if limit is None:
            continue
        above = [one for one in quoted if one.currency != limit.currency or one.value > limit.value]
        for amount in above:
            said = f"{round(amount.value, 6).normalize():f} {amount.currency}"
            told = f"the quote is {said}; above {limit.text} it needs an approval"
            yield violation(policy, "price", "", said, told)
        if not whole and not above:
            told = f"nobody knows what all steps cost at most; above {limit.text} a quote needs an approval"
            yield violation(policy, "price", "", "not known", told)


_DEMANDS: tuple[tuple[RuleName, str, str], ...] = (
    ("public_access", "public_access_blocked", "the public is not blocked"),
    ("tls", "tls_required", "requests without TLS are taken"),
    ("audit", "audited", "no audit trail is kept"),
)


def _workers(policies: Policies) -> Iterator[Policy]:
    """The policies of whoever runs the workers: a pipeline's own asks for no approvals, its stages do."""
    return (policy for policy in policies if isinstance(policy, Policy))


def _is_from(image: str, prefix: str) -> bool:
    """Whole names only: a prefix that ends within one would allow the registry of somebody else."""
    rest = image.removeprefix(prefix)
    return image.startswith(prefix) and (prefix.endswith(("/", ":", "@")) or rest[:1] in ("", "/", ":", "@"))


def _is_encrypted(found: Encryption | None, wanted: Encryption) -> bool:
    return found is not None and (wanted == "provider" or found == wanted)


def _found(encryption: Encryption | None) -> str:
    return encryption or "unknown"


def _locked(facts: StoreFacts, wanted: Encryption, name: str | None) -> str:
    who = f"data of class {name} has to be" if name else "every store has to be"
    said = facts.encryption or "its store does not say"
    return f"{who} encrypted at rest with a key of: {wanted.replace('_', ' ')}; {facts.uri}: {said}"
