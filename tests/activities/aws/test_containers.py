from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.aws.containers import ensure_bucket


def test_a_missing_bucket_is_named_with_the_command_that_makes_it(s3: Any) -> None:
    with pytest.raises(ApplicationError) as raised:
        ensure_bucket(s3, "causeway-absent", create=False, kms_key=None)
    assert raised.value.type == "SOURCE_MISSING"
    assert "aws s3 mb s3://causeway-absent --region us-east-1" in raised.value.message


def test_a_bucket_is_made_encrypted_and_closed_and_found_again(s3: Any, prefix: str) -> None:
    name = f"causeway-{prefix.split('/')[-2]}"
    made = ensure_bucket(s3, name, create=True, kms_key=None)
    assert (made.created, made.encrypted, made.public_access_blocked) == (True, True, True)
    found = ensure_bucket(s3, name, create=True, kms_key=None)
    assert found == made.model_copy(update={"created": False})
