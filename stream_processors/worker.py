"""The one module with a side effect: `faust -A stream_processors.worker worker --without-web` finds `app` here."""

import gc
import logging

from stream_processors.app import create_app
from stream_processors.heartbeat import install_heartbeat
from stream_processors.repetition import pass_once_a_minute
from stream_processors.settings import WorkerSettings

for library in ("urllib3", "clickhouse_connect"):
    logging.getLogger(library).setLevel(logging.ERROR)  # an outage is told once, by the loop that retries
# Faust lets everything pass that no handler shows: half of what this library does would be writing it.
logging.getLogger("aiokafka").setLevel(logging.INFO)
pass_once_a_minute("aiokafka")

settings = WorkerSettings()
settings.data_dir.mkdir(parents=True, exist_ok=True)  # Faust makes its own folder in it, but not this one
app = create_app(settings)
if settings.heartbeat:
    install_heartbeat(app, settings.heartbeat)

# A batch is some 100,000 objects without a cycle among them. Python would go through them again and again.
gc.freeze()
gc.set_threshold(200_000, 10, 10)
