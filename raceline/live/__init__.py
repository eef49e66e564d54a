"""The live page: a site's RACE funnel and KPIs, in a browser, as they change."""

from raceline.live.routes import routes

__all__ = ["routes"]
