"""Serves the application with uvicorn.

Time limits nest: the load balancer closes an idle connection after 60 s, so we keep it for 75 s (the other way round
a request meets a connection that is just being closed); requests in flight get 20 s after SIGTERM, and ECS kills a
task 30 s after it.
"""

from __future__ import annotations

import uvicorn

from app import logs
from app.routes import build
from app.settings import Settings

KEEP_ALIVE_SECONDS = 75
GRACEFUL_SECONDS = 20


def serve(settings: Settings) -> None:
    """Serve until SIGTERM; answers what is in flight first."""
    logs.configure(settings.version, settings.log_level)
    config = uvicorn.Config(
        build(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
        backlog=1024,
    )
    uvicorn.Server(config).run()
