"""The console opens the lake when it starts to serve, so that whoever asks first does not wait for it."""

import threading

import duckdb
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from headwater_console.app import create_app

from headwater.adapters import lake
from headwater.adapters.home import Home
from headwater.steps import lineage


@pytest.fixture
def app(furnished: Home) -> FastAPI:
    return create_app(furnished, authenticate=lambda: "clerk", authorize=lambda: None)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give a list of what is opened and traced from now on."""
    done: list[str] = []
    connect, found = lake.connect, lineage.found

    def noted(*told: object, **further: object) -> object:
        done.append("open")
        return connect(*told, **further)

    def traced(*told: object, **further: object) -> object:
        done.append("trace")
        return found(*told, **further)

    monkeypatch.setattr(lake, "connect", noted)
    monkeypatch.setattr(lineage, "found", traced)
    return done


def test_it_is_warm_before_anybody_asks_and_opens_once(app: FastAPI, opened: list[str]) -> None:
    with TestClient(app):
        pass
    assert opened == ["open", "trace"]
    assert TestClient(app).get("/lineage?stay=h:7").status_code == 200
    assert opened == ["open", "trace", "trace"]


def test_whoever_merely_makes_it_opens_nothing(app: FastAPI, opened: list[str]) -> None:
    """Airflow makes it in every process that loads plugins."""
    assert opened == []
    assert TestClient(app).get("/lineage?stay=h:7").status_code == 200
    assert opened == ["open", "trace"], "without the start of a server the first to ask waits"


def test_its_start_does_not_wait_for_the_lake_nor_fail_without_it(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    started = threading.Event()

    def missing(*told: object, **further: object) -> None:
        assert started.wait(timeout=30)
        raise duckdb.IOException("nothing there")

    monkeypatch.setattr(lake, "connect", missing)
    with TestClient(app):
        started.set()
    assert "nothing there" in caplog.text
    monkeypatch.undo()
    assert TestClient(app).get("/lineage?stay=h:7").status_code == 200
