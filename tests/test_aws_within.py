"""A test that has an AWS for itself may stand anywhere among those that share one."""

from django.conf import settings

from apps.access.roles import Role
from apps.common.aws import client
from apps.keys import services as keys
from tests import requirement
from tests.conftest import TESTS, Api, empty_aws
from tests.tables import everything


@requirement("H1")
def test_an_aws_within_another_is_empty_and_leaves_that_as_it_was(admin_api, stock):
    before = everything(but=set())
    with empty_aws():
        assert admin_api.get("keys").status_code == 401
        inner = Api(Role.ADMINISTRATOR)
        assert inner.get("keys").json()["items"] == []
        keys.create(1, actor=TESTS)
        client("s3").put_object(Bucket=settings.UPLOADS_BUCKET, Key="inner", Body=b"x")
    assert everything(but=set()) == before
    assert inner.get("keys").status_code == 401
    assert len(admin_api.get("keys").json()["items"]) == 4
