import pytest

from activities.aws.settings import AwsSettings
from activities.settings import SettingsError

LEAST = {"CAUSEWAY_CONTAINER": "bucket", "AWS_REGION": "eu-central-1"}


def test_the_least_that_must_be_said_suffices() -> None:
    settings = AwsSettings.from_mapping(LEAST)
    assert (settings.region, settings.job_role, settings.endpoint("s3")) == ("eu-central-1", None, None)


def test_the_other_name_of_the_region_serves_too() -> None:
    given = {"CAUSEWAY_CONTAINER": "bucket", "AWS_DEFAULT_REGION": "us-gov-west-1"}
    assert AwsSettings.from_mapping(given).region == "us-gov-west-1"


def test_a_services_own_endpoint_goes_before_the_common_one() -> None:
    common = {"AWS_ENDPOINT_URL": "http://a:1", "AWS_ENDPOINT_URL_SAGEMAKER": "http://a:2"}
    settings = AwsSettings.from_mapping(LEAST | common)
    assert [settings.endpoint(service) for service in ("s3", "sagemaker")] == ["http://a:1", "http://a:2"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_REGION", ""),
        ("AWS_REGION", "Frankfurt"),
        ("CAUSEWAY_CONTAINER", "s3://bucket"),
        ("CAUSEWAY_AWS_JOB_ROLE", "jobs"),
        ("CAUSEWAY_AWS_INSTANCE", "m5.large"),
        ("AWS_ENDPOINT_URL_S3", "localhost:9000"),
    ],
)
def test_a_wrong_value_names_its_variable(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        AwsSettings.from_mapping(LEAST | {name: value})
