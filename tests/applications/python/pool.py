"""An application in Python: four workers that query a database through a pool of SQLAlchemy with PyMySQL.

Each query is one line on standard output: the time of its end in milliseconds since 1970, and "ok" or "failed" with the error. It ends
with its standard input. The arguments are host and port; neither changes while it runs.
"""

from __future__ import annotations

import sys
import threading
import time

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

WORKERS = 4


def main() -> None:
    """Starts the workers, and waits for the end of standard input."""
    host, port = sys.argv[1:]
    pool = create_engine(
        f"mysql+pymysql://root@{host}:{port}/shop",
        pool_size=WORKERS,
        max_overflow=0,
        pool_timeout=10,
        pool_recycle=600,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 10, "read_timeout": 5, "write_timeout": 5},
    )
    lock = threading.Lock()
    for _ in range(WORKERS):
        threading.Thread(target=work, args=(pool, lock), daemon=True).start()
    sys.stdin.read()


def work(pool: Engine, lock: threading.Lock) -> None:
    """Queries for ever."""
    while True:
        line = "ok"
        try:
            with pool.connect() as connection:
                connection.execute(text("SELECT item FROM orders WHERE id = 1")).one()
        except SQLAlchemyError as error:
            line = "failed " + str(error).replace("\n", " ")
        with lock:
            print(int(time.time() * 1000), line, flush=True)
        time.sleep(0.02)


if __name__ == "__main__":
    main()
