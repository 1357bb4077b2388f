"""What the tests of the networks share."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def _traced_programs_are_kept():
    """Trace the training of a head once for all tests that train one alike."""
    from glomclf.network import programs

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(programs, "_MOST_KEPT", 50)
        yield
