"""Who exists in the sandbox's AWS account: the worker's user, with limited rights, and the jobs' role.

ministack checks signatures of users' keys but not of the root key, and it makes up the keys of users by
itself. So that the worker's key is known before the start and survives a crash, both are written into
ministack's saved state (its format 2; the lock pins the version).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sandbox.layout import FORBIDDEN_BUCKET, Endpoints, write_private

USER = "causeway-worker"
_FORMAT = 2
_BORN = "2026-01-01T00:00:00Z"
_FORBIDDEN = [f"arn:aws:s3:::{FORBIDDEN_BUCKET}", f"arn:aws:s3:::{FORBIDDEN_BUCKET}/*"]
_RIGHTS = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                *("s3:*", "sagemaker:*", "kms:*", "logs:*", "cloudwatch:*", "sts:*"),
                *("iam:GetRole", "iam:PassRole", "iam:GetUser", "iam:SimulatePrincipalPolicy"),
                *("cloudtrail:DescribeTrails", "cloudtrail:GetTrailStatus"),
            ],
            "Resource": "*",
        },
        {"Effect": "Deny", "Action": "s3:*", "Resource": _FORBIDDEN},
    ],
}
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


def place_identities(saved: Path, endpoints: Endpoints) -> None:
    """Make ministack's saved IAM state hold the user, its key and its rights, and the role; keep all else."""
    state: dict[str, Any] = (
        json.loads(saved.read_text()) if saved.exists() else {"__ministack_format__": _FORMAT, "payload": {}}
    )
    account = endpoints.aws_account_id
    for kind, (name, value) in _identities(endpoints).items():
        held: dict[str, Any] = state["payload"].setdefault(kind, {"__scoped__": True, "data": {}})
        held["data"][f"{account}\0{name!r}"] = value
    write_private(saved, json.dumps(state))


def _identities(endpoints: Endpoints) -> dict[str, tuple[str, dict[str, Any]]]:
    prefix = f"arn:aws:iam::{endpoints.aws_account_id}"
    common = {"CreateDate": _BORN, "Path": "/", "PermissionsBoundary": "", "AttachedPolicies": [], "Tags": []}
    user = {"UserName": USER, "Arn": f"{prefix}:user/{USER}", "UserId": "AIDACAUSEWAYWORKER00"}
    role: dict[str, Any] = {
        "RoleName": endpoints.aws_job_role.rpartition("/")[2],
        "Arn": endpoints.aws_job_role,
        "RoleId": "AROACAUSEWAYJOBS0000",
        "AssumeRolePolicyDocument": json.dumps(_TRUST),
        "Description": "",
        "MaxSessionDuration": 3600,
        "InlinePolicies": {"causeway": json.dumps(_RIGHTS)},
    }
    key = {
        "UserName": USER,
        "AccessKeyId": endpoints.aws_access_key_id,
        "SecretAccessKey": endpoints.aws_secret_access_key,
        "Status": "Active",
        "CreateDate": _BORN,
    }
    return {
        "users": (USER, user | common),
        "roles": (role["RoleName"], role | common),
        "access_keys": (endpoints.aws_access_key_id, key),
        "user_inline_policies": (USER, {"causeway": json.dumps(_RIGHTS)}),
    }
