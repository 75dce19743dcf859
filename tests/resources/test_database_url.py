"""DATABASE_URL: one form for libpq, SQLAlchemy and psycopg2."""

from __future__ import annotations

from urllib.parse import quote

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from resources.ledger import Ledger
from resources.ledger.database_url import DatabaseUrlError, dagster_url, plain_database_url

PLAIN = "postgresql://user:secret@host:5432/database"


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        "postgres://user:secret@host:5432/database",
        "postgresql+psycopg2://user:secret@host:5432/database",
        "postgresql+psycopg://user:secret@host:5432/database",
    ],
)
def test_every_usual_way_to_begin_the_url_is_understood(text: str) -> None:
    assert plain_database_url(text) == PLAIN


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://host/database",
        "postgresql://user@host",
        "postgresql://[::1]:5433/database",
        "postgresql://user:secret@host/database?sslmode=verify-full&sslrootcert=/etc/rds.pem&connect_timeout=5",
        "postgresql://postgres@/postgres?host=%2Frun%2Fsockets&port=5432",
    ],
)
def test_other_places_and_parameters_stay_as_they_are(url: str) -> None:
    assert plain_database_url(url) == url


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_a_percent_encoded_password_is_the_same_to_every_reader(password: str) -> None:
    url = plain_database_url(f"postgres://user:{quote(password, safe='')}@host/database")
    assert conninfo_to_dict(url)["password"] == password
    assert sa.make_url(url).password == password
    dagsters = sa.make_url(dagster_url(url, "dagster"))
    assert (dagsters.password, dagsters.host, dagsters.database) == (password, "host", "database")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host=localhost user=me password=secret",
        "localhost:5432/database",
        "mysql://user:secret@host/database",
        "postgresql://user:se@cret@host/database",
        "postgresql://user:se/cret@host/database",
        "postgresql://user:se%cret@host/database",
        "postgresql://user:se cret@host/database",
        "postgresql://user:secret@host:54x2/database",
        "postgresql://user:secret@host/database?nonsense=1",
    ],
)
def test_what_is_no_url_or_could_be_read_in_two_ways_is_refused_without_showing_the_password(text: str) -> None:
    with pytest.raises(DatabaseUrlError, match="expected postgresql://") as refused:
        plain_database_url(text)
    assert "cret@" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_options_in_the_url_are_kept_beside_the_search_path(postgres_url: str) -> None:
    url = f"{postgres_url}&options=-cwork_mem%3D5MB"
    with Ledger(url).connect() as connection:
        assert connection.execute("SHOW work_mem").fetchone() == ("5MB",)
        assert connection.execute("SHOW search_path").fetchone() == ("image_ledger",)
    engine = sa.create_engine(dagster_url(url, "dagster"))
    with engine.connect() as dagsters:
        assert dagsters.scalar(sa.text("SHOW work_mem")) == "5MB"
        assert dagsters.scalar(sa.text("SHOW search_path")) == "dagster"
    engine.dispose()
