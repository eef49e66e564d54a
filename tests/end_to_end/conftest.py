"""One embedded stack for all end-to-end tests that do not have to break it."""

from collections.abc import Iterator

import pytest
from running_stack import RunningStack, running


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """Two workers. Tests share it, each with site ids of its own."""
    with running(tmp_path_factory.mktemp("stack"), workers=2) as found:
        yield found
