"""Shared by all tests: no telemetry, weights where a test needs them, a short transcript."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from flows.environment import ALWAYS
from pipeline import native

os.environ.update(ALWAYS)  # before anything imports Prefect or a model library
native.set_environment()
settings.register_profile("shared machine", deadline=None)  # how long an example takes says nothing on a busy one
settings.load_profile("shared machine")


@pytest.fixture(autouse=True)
def _weights(request):
    """Tests marked `models` find the weights of a standard run and the small Whisper, fetched once if need be."""
    if request.node.get_closest_marker("models"):
        _fetch_once()


_fetched = []


def _fetch_once():
    if not _fetched:
        from pipeline import models
        from pipeline.commands.models import standard_names

        models.fetch(models.missing([*standard_names(), "whisper-tiny.en"]), print, progress_bar=False)
        _fetched.append(True)


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return Path(__file__).parents[1]
