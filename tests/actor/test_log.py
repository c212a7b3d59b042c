from __future__ import annotations

import json

import pytest

from kubelite.actor import log


@pytest.fixture(autouse=True)
def _restore() -> object:
    yield
    log.configure(level="warning", format="console")


def test_json_lines_carry_message_level_and_keys(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(level="info", format="json")
    log.get_logger("kubelite.scheduler.core").info("Bound pod", pod="default/web")
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["level"], line["pod"], line["logger"]) == (
        "Bound pod",
        "info",
        "default/web",
        "scheduler.core",
    )


def test_lines_below_the_level_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(level="warning", format="console")
    log.get_logger("kubelite.x").info("Nothing to see")
    log.get_logger("kubelite.x").warning("Lost the watch", kind="Pod")
    err = capsys.readouterr().err
    assert "Nothing to see" not in err
    assert "Lost the watch" in err and "kind=Pod" in err
