"""The one module with a side effect: `faust -A stream_processors.worker worker --without-web` finds `app` here."""

from stream_processors.app import create_app
from stream_processors.settings import WorkerSettings

app = create_app(WorkerSettings())
