"""Who asks, as Anthropic is told."""

import pytest

from claude_adapter.translation.user_id import user_id


@pytest.mark.parametrize("user", ["u1", "user_2-x", "5", "c0ffee00-1234-4abc-8def-000000000000", "a" * 256])
def test_an_opaque_id_stays(user: str) -> None:
    """It is what Anthropic asks for."""
    assert user_id({"user": user}) == user


@pytest.mark.parametrize(
    "user", ["ada@example.org", "Ada Lovelace", "+1 (555) 010-9999", "555-010-9999", "5550109999", "näh", "u" * 300]
)
def test_what_tells_of_a_person_is_a_digest(user: str) -> None:
    """Anthropic refuses addresses and numbers; the same person is still the same."""
    told = user_id({"user": user})
    assert told is not None
    assert len(told) == 64
    assert told == user_id({"safety_identifier": user})
    assert user not in told


@pytest.mark.parametrize("user", [None, "", " ", 5, True, {"id": 1}, ["x"]])
def test_what_is_no_name_is_left_out(user: object) -> None:
    """As the local model does."""
    assert user_id({"user": user, "safety_identifier": user}) is None
