"""dbt in this process, on small projects of their own and a real lake."""

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from headwater.adapters import dbt, lake, postgres
from headwater.adapters.home import Home
from headwater.errors import Refusal

PROFILES = (Path(__file__).parents[3] / "dbt_project" / "profiles.yml").read_text(encoding="utf-8")

FILES = {
    "dbt_project.yml": """
name: headwater
version: "1.0.0"
profile: headwater
flags: {send_anonymous_usage_stats: false}
vars: {answer: 41}
models:
  headwater:
    +materialized: table
    good: {+tags: [good]}
""",
    "models/good/answer.sql": "select {{ var('answer') }} as answer",
    "models/good/doubled.sql": "select 2 * answer as answer from {{ ref('answer') }}",
    "models/bad/broken.sql": "select no_such_column from {{ ref('answer') }}",
    "models/bad/after.sql": "select * from {{ ref('broken') }}",
    "models/tests.yml": """
models:
  - name: answer
    columns:
      - name: answer
        data_tests:
          - accepted_values:
              name: answer_is_known
              arguments: {values: [41, 42]}
              config:
                meta: {zh: 答案未知, en: the answer is not known}
""",
}


def write(project: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = project / "dbt_project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return project


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    project = write(tmp_path_factory.mktemp("project"), {**FILES, "profiles.yml": PROFILES})
    home = Home(tmp_path_factory.mktemp("home"), project).create()
    postgres.prepare(home)
    yield home
    postgres.stop(home)


def answers(home: Home) -> list[tuple[int]]:
    with lake.connect(home) as connection:
        return connection.execute("SELECT answer FROM lake.staging.doubled").fetchall()


def test_two_runs_in_one_process_and_what_they_return(home: Home) -> None:
    first = dbt.run(home, select="tag:good")
    assert {(node.name, node.kind, node.status) for node in first.nodes} == {
        ("answer", "model", "success"),
        ("answer_is_known", "test", "pass"),
        ("doubled", "model", "success"),
    }
    assert first.seconds > 0
    assert all(node.seconds >= 0 for node in first.nodes)
    assert {node.name: node.failures for node in first.nodes}["answer_is_known"] == 0
    assert answers(home) == [(82,)]
    second = dbt.run(home, command="run", select="tag:good", variables={"answer": 42})
    assert {node.name for node in second.nodes} == {"answer", "doubled"}
    assert answers(home) == [(84,)]


def test_a_failing_test_is_refused_with_its_meaning(home: Home) -> None:
    with pytest.raises(Refusal) as refused:
        dbt.run(home, select="tag:good", variables={"answer": 43})
    assert refused.value.code == "E-DBT-NODE"
    assert refused.value.reason.en.startswith("Nodes that failed: 1; not run because of them: 1. ")
    assert (
        "answer_is_known (the answer is not known): Got 1 result, configured to fail if != 0" in refused.value.reason.en
    )
    assert "answer_is_known (答案未知): Got 1 result" in refused.value.reason.zh


def test_a_failing_model_is_refused_with_the_message_of_the_engine(home: Home) -> None:
    with pytest.raises(Refusal) as refused:
        dbt.run(home)
    assert "broken: Runtime Error in model broken" in refused.value.reason.en
    assert "no_such_column" in refused.value.reason.en
    assert "not run because of them: 1." in refused.value.reason.en


def test_a_project_that_does_not_parse_is_refused(home: Home, tmp_path: Path) -> None:
    project = write(tmp_path, {**FILES, "profiles.yml": PROFILES, "models/good/doubled.sql": "{{ ref('nowhere') }}"})
    with pytest.raises(Refusal, match="nowhere") as refused:
        dbt.run(Home(home.root, project), select="doubled")
    assert refused.value.code == "E-DBT-PROJECT"


def test_a_command_that_dbt_does_not_know_is_refused(home: Home) -> None:
    with pytest.raises(Refusal) as refused:
        dbt.run(home, command="demolish")
    assert refused.value.code == "E-DBT-PROJECT"


def test_a_selection_of_nothing_is_refused(home: Home) -> None:
    with pytest.raises(Refusal) as refused:
        dbt.run(home, select="tag:nothing_has_this_tag")
    assert refused.value.code == "E-DBT-NOTHING"


def test_nothing_is_left_behind(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADWATER_LAKE_DATA", "as it was")
    monkeypatch.delenv("DO_NOT_TRACK", raising=False)
    before = dict(os.environ)
    dbt.run(home, command="run", select="answer")
    assert dict(os.environ) == before
    assert Path.cwd() == tmp_path
    assert list(tmp_path.iterdir()) == []
    assert sorted(path.name for path in (home.project / "dbt_project").iterdir()) == [
        "dbt_project.yml",
        "models",
        "profiles.yml",
    ]
    assert (home.root / "dbt" / "manifest.json").is_file()
    assert (home.logs / "dbt" / "dbt.log").is_file()


def test_the_address_of_the_catalog_stays_out_of_the_log(home: Home) -> None:
    dbt.run(home, command="run", select="answer")
    host = str(psycopg.conninfo.conninfo_to_dict(postgres.dsn(home, "lake"))["host"])
    assert host not in (home.logs / "dbt" / "dbt.log").read_text(encoding="utf-8")


def test_connections_to_the_catalog_are_closed(home: Home) -> None:
    dbt.run(home, command="run", select="answer")
    with postgres.connect(home, "postgres") as connection:
        rows = connection.execute("select pid from pg_stat_activity where datname = 'lake'").fetchall()
    assert rows == []


def test_another_home_in_the_same_process(home: Home, tmp_path: Path) -> None:
    other = Home(tmp_path / "other", home.project).create()
    postgres.prepare(other)
    try:
        dbt.run(home, command="run", select="tag:good")
        dbt.run(other, command="run", select="tag:good", variables={"answer": 1})
        assert (answers(home), answers(other)) == ([(82,)], [(2,)])
        # What was parsed for one home serves another, whose tables are its own.
        dbt.run(home, command="run", select="tag:good", variables={"answer": 3})
        dbt.run(other, command="run", select="tag:good", variables={"answer": 3})
        assert (answers(home), answers(other)) == ([(6,)], [(6,)])
        dbt.run(other, command="run", select="tag:good")
        assert (answers(home), answers(other)) == ([(6,)], [(82,)])
    finally:
        postgres.stop(other)
