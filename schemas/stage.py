"""The four stages of RACE that an event can be in."""

from enum import StrEnum


class Stage(StrEnum):
    REACH = "reach"
    ACT = "act"
    CONVERT = "convert"
    ENGAGE = "engage"


class CustomerState(StrEnum):
    """What a person had done before an event, the furthest of these."""

    ANONYMOUS = "anonymous"
    LEAD = "lead"
    CUSTOMER = "customer"
    REPEAT_CUSTOMER = "repeat_customer"


class Media(StrEnum):
    PAID = "paid"
    OWNED = "owned"
    EARNED = "earned"
