"""Errors on their way to the client."""

import contextlib
from collections.abc import Iterator

import pytest

from gateway.dialects.errors import AnthropicError, ApiError, OpenAIError


@contextlib.contextmanager
def waiting() -> Iterator[None]:
    """A context manager written as a generator, as the gateway's own are."""
    yield


@pytest.mark.parametrize("error", [OpenAIError(503, "Nobody.", "no_brain"), AnthropicError(503, "Nobody.")])
def test_an_error_passes_through_a_context_manager(error: ApiError) -> None:
    """Leaving one sets the error's traceback; an error that cannot take it would turn into another one."""
    with pytest.raises(ApiError) as caught, waiting():
        raise error
    assert caught.value is error
