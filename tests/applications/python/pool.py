"""An application in Python: four workers that query a database through a pool of SQLAlchemy with PyMySQL.

Each query is one line on standard output: the time of its end in milliseconds since 1970, the number of its worker, and "ok" or "failed"
with the error. It ends with its standard input. The arguments are host and port, neither of which changes while it runs, and how it is set
up: "defaults" as the pool is by itself, which checks no connection, "checks" with a check of each connection before it is used, and
"retries" with queries that are repeated for ten seconds as well.
"""

from __future__ import annotations

import sys
import threading
import time

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

WORKERS = 4

# For how long a query that fails is repeated, and how often, in seconds.
PATIENCE = 10.0
PAUSE = 0.1


def main() -> None:
    """Starts the workers, and waits for the end of standard input."""
    host, port, settings = sys.argv[1:]
    pool = create_engine(
        f"mysql+pymysql://root@{host}:{port}/shop",
        pool_size=WORKERS,
        max_overflow=0,
        pool_timeout=10,
        pool_recycle=600,
        pool_pre_ping=settings != "defaults",
        connect_args={"connect_timeout": 10, "read_timeout": 5, "write_timeout": 5},
    )
    lock = threading.Lock()
    for worker in range(WORKERS):
        arguments = (pool, lock, worker, settings == "retries")
        threading.Thread(target=work, args=arguments, daemon=True).start()
    sys.stdin.read()


def work(pool: Engine, lock: threading.Lock, worker: int, retries: bool) -> None:
    """Queries for ever."""
    while True:
        line = "ok"
        try:
            patiently(pool, retries)
        except SQLAlchemyError as error:
            line = "failed " + str(error).replace("\n", " ")
        with lock:
            print(int(time.time() * 1000), worker, line, flush=True)
        time.sleep(0.02)


def patiently(pool: Engine, retries: bool) -> None:
    """Queries once, or until it succeeds or patience ends."""
    began = time.monotonic()
    while True:
        try:
            query(pool)
            return
        except SQLAlchemyError:
            if not retries or time.monotonic() - began > PATIENCE:
                raise
        time.sleep(PAUSE)


def query(pool: Engine) -> None:
    """Reads one row."""
    with pool.connect() as connection:
        connection.execute(text("SELECT item FROM orders WHERE id = 1")).one()


if __name__ == "__main__":
    main()
