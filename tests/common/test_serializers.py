"""Values at the edge: what cannot be kept is refused there."""

import pytest
from rest_framework.exceptions import ValidationError

from apps.common.serializers import RealField
from tests import requirement


@requirement("E7", "I8")
@pytest.mark.parametrize("number", [1e-131, -1e-131, 5e-324, 9e-101])
def test_a_number_too_small_to_be_kept_is_refused_with_what_may_be_used(number):
    with pytest.raises(ValidationError, match="Use 0, or a number of at least 1e-100"):
        RealField().run_validation(number)


@requirement("E7", "I8")
@pytest.mark.parametrize("number", [0, 0.0, 1e-100, 0.02, -3])
def test_what_can_be_kept_is_taken(number):
    assert RealField().run_validation(number) == number


@requirement("E7", "I8")
def test_a_tiny_error_rate_is_a_clear_400(api):
    answer = api.post("qkd/generate", {"error_rate": 1e-131})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "error_rate"
