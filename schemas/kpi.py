"""Every KPI's name, unit and meaning. The formula of each is the column of that name in the view `kpis`."""

from dataclasses import dataclass
from typing import Final, Literal

Group = Literal["reach", "act", "convert", "engage", "transitions"]
Unit = Literal["count", "share", "money"]


@dataclass(frozen=True)
class Kpi:
    id: str
    group: Group
    unit: Unit
    title: str
    meaning: str
    good_when: Literal["rises", "falls"] = "rises"

    @property
    def additive(self) -> bool:
        """A count or a sum, which is 0 over nothing; a rate or an average of nothing does not exist."""
        return self.unit == "count" or self.id == "revenue"


KPIS: Final = (
    Kpi(
        "unique_visitors",
        "reach",
        "count",
        "Unique visitors",
        "distinct visitor ids with an event on the website or in the app",
    ),
    Kpi("sessions", "reach", "count", "Sessions", "sessions that started in the range"),
    Kpi("page_views", "reach", "count", "Page views", "page_view events"),
    Kpi("new_visitors", "reach", "count", "New visitors", "visitors whose first event ever is in the range"),
    Kpi("new_visitor_share", "reach", "share", "New visitor share", "new visitors / unique visitors"),
    Kpi("leads", "act", "count", "Leads", "persons who left a contact: form, sign-up, newsletter, CRM lead"),
    Kpi("product_views", "act", "count", "Product views", "view_item events"),
    Kpi("add_to_carts", "act", "count", "Add to carts", "add_to_cart events"),
    Kpi(
        "engaged_sessions",
        "act",
        "count",
        "Engaged sessions",
        "sessions of at least 10 s, 2 page views, or with a lead or an order",
    ),
    Kpi("orders", "convert", "count", "Orders", "distinct orders"),
    Kpi("first_orders", "convert", "count", "First orders", "orders that are their person's first"),
    Kpi("customers", "convert", "count", "Customers", "persons with an order"),
    Kpi("revenue", "convert", "money", "Revenue", "gross value of the orders"),
    Kpi("aov", "convert", "money", "Average order value", "revenue / orders"),
    Kpi("conversion_rate", "convert", "share", "Conversion rate", "orders / unique visitors"),
    Kpi("repeat_orders", "engage", "count", "Repeat orders", "orders that are not their person's first"),
    Kpi("repeat_customers", "engage", "count", "Repeat customers", "persons with a repeat order"),
    Kpi("repeat_purchase_rate", "engage", "share", "Repeat purchase rate", "repeat customers / customers"),
    Kpi(
        "active_customers",
        "engage",
        "count",
        "Active customers",
        "persons with any event who had ordered before it or with it",
    ),
    Kpi(
        "reach_act",
        "transitions",
        "share",
        "Reach → Act",
        "persons with a visit and an Act event / persons with a visit",
    ),
    Kpi(
        "act_convert",
        "transitions",
        "share",
        "Act → Convert",
        "persons who acted and ordered, having acted at or before the order within 30 days / persons who acted",
    ),
    Kpi(
        "convert_engage",
        "transitions",
        "share",
        "Convert → Engage",
        "customers of the range with an Engage event after their first order / customers of the range",
    ),
)

GROUPS: Final[tuple[Group, ...]] = ("reach", "act", "convert", "engage", "transitions")
