"""What the tests of bad input share."""

import warnings

import pytest

from rheos.core.errors import InputError
from rheos.data.reader import read


def refused(source, options, says):
    """The source raises one plain sentence that says this, without a warning and with no cause chained on."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError) as raised:
            read(source, options)
    message = str(raised.value)
    assert says in message, message
    assert "\n" not in message
    assert message[-1] in ".?"
    assert raised.value.__cause__ is None


@pytest.fixture(name="refused")
def _refused():
    return refused
