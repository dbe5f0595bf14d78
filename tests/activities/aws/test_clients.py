from activities.aws import room
from activities.aws.settings import AwsSettings
from tests.activities.aws.test_settings import LEAST


def test_what_the_sdk_knows_of_a_service_is_read_once_a_process_and_clients_are_their_own() -> None:
    settings = AwsSettings.from_mapping(LEAST)
    one, other = (room.client(settings, "s3") for _ in range(2))
    assert one.meta.service_model.metadata is other.meta.service_model.metadata
    assert one.meta.events is not other.meta.events


def test_where_the_sdk_looks_does_not_grow_with_clients() -> None:
    settings = AwsSettings.from_mapping(LEAST)
    room.client(settings, "s3")
    before = len(room._models().search_paths)
    room.client(settings, "sts")
    assert len(room._models().search_paths) == before
