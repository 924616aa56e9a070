"""SQLAlchemy: its pool and ORM over psycopg2, psycopg 3 and sqlite."""

from __future__ import annotations

import tempfile
from typing import Any

import sqlalchemy as sa
import sqlalchemy.orm

from tests.libraries.crew import DELAY, together


class Base(sqlalchemy.orm.DeclarativeBase):  # type: ignore[misc]  # may not be installed
    pass


class Thing(Base):
    __tablename__ = "things"
    number = sa.Column(sa.Integer, primary_key=True)
    name = sa.Column(sa.String(20))


def prepare(site: Any) -> list[Any]:
    """Make the engines: that imports their dialects and drivers, which is work and no wait."""
    address = dict(site["postgres"])
    engines = []
    for driver in ("psycopg2", "psycopg"):
        query = {key: address[key] for key in ("hostaddr", "sslmode", "sslrootcert")}
        url = sa.URL.create(
            f"postgresql+{driver}",
            username=address["user"], host=address["host"], port=address["port"],
            database=address["dbname"], query=query,
        )  # fmt: skip
        engines.append(sa.create_engine(url, pool_size=10, max_overflow=0))
    return engines


def work(site: Any, engines: list[Any]) -> str:
    for engine in engines:

        def ask(number: int, engine: Any = engine) -> int:
            with engine.connect() as conn:
                statement = sa.text("select pg_sleep(:delay), :number * 2")
                return int(conn.execute(statement, {"delay": DELAY, "number": number}).one()[1])

        assert together(20, ask) == [number * 2 for number in range(20)]
        use_orm(engine)
        engine.dispose()
    with tempfile.TemporaryDirectory() as directory:
        engine = sa.create_engine(f"sqlite:///{directory}/file.db")
        use_orm(engine)
        engine.dispose()
    return "20 slow queries over 10 pooled connections with each driver; the ORM, also over sqlite"


def use_orm(engine: Any) -> None:
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    with sqlalchemy.orm.Session(engine) as session:
        session.add_all(Thing(number=number, name=f"thing {number}") for number in range(200))
        session.commit()
    with sqlalchemy.orm.Session(engine) as session:
        found = session.scalars(sa.select(Thing).where(Thing.number >= 100)).all()
        assert len(found) == 100
    Base.metadata.drop_all(engine)
