"""Raceline's worker; for the job `store` its transport around that job."""

import sys
from typing import Any

from benchmarks.job import job
from stream_processors.app import app_of
from stream_processors.settings import WorkerSettings


def main() -> None:
    settings = WorkerSettings()
    app: Any = app_of(job(settings), settings)
    sys.argv = ["raceline", "worker", "--without-web"]
    app.main()


if __name__ == "__main__":
    main()
