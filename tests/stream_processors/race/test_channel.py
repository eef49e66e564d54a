"""GA4's default channel groups over what events carry: one row that matches and one that nearly does, per rule."""

import pytest

from schemas.events import Context
from schemas.stage import Media
from stream_processors.race.channel import GROUPS, classify_channel

URL = "https://shop.example/p/1"


def utm(source: str | None = None, medium: str | None = None, campaign: str | None = None) -> Context:
    return Context(url=URL, utm_source=source, utm_medium=medium, utm_campaign=campaign)


def came_from(referrer: str) -> Context:
    return Context(url=URL, referrer=referrer)


def clicked(name: str, **more: str) -> Context:
    return Context(url=URL, click_ids={name: "x"}, **more)


RULES = {
    "Direct": (Context(url=URL), Context(), "Unassigned"),
    "Cross-network": (utm("google", "cpc", "Cross-Network | brand"), utm("google", "cpc", "cross"), "Paid Search"),
    "Paid Shopping": (utm("amazon", "cpc"), utm("google", "cpc", "workshop"), "Paid Search"),
    "Paid Search": (utm("Bing", "CPC"), utm("newsletter", "cpc"), "Paid Other"),
    "Paid Social": (utm("facebook", "paid_social"), utm("facebook", "social"), "Organic Social"),
    "Paid Video": (utm("youtube", "paid"), utm("youtube", "display"), "Display"),
    "Display": (utm("network.example", "cpm"), utm("network.example", "cpx"), "Paid Other"),
    "Paid Other": (utm("network.example", "retargeting"), utm("network.example", "retargeted"), "Unassigned"),
    "AI Assistant": (utm("chatgpt.com"), utm("chatgpt.com", "cpc"), "Paid Other"),
    "Organic Shopping": (utm("blog", "referral", "e-shop"), utm("blog", "referral", "workshop"), "Referral"),
    "Organic Social": (utm("blog", "social-media"), utm("blog", "socials"), "Unassigned"),
    "Organic Video": (utm("blog", "in-video-link"), utm("blog", "vide"), "Unassigned"),
    "Organic Search": (utm("somewhere", "organic"), utm("somewhere", "organics"), "Unassigned"),
    "Email": (utm("newsletter", "E-Mail"), utm("newsletter", "mailing"), "Unassigned"),
    "Affiliates": (utm("partner", "affiliate"), utm("partner", "affiliates"), "Unassigned"),
    "Referral": (utm("partner", "link"), utm("partner", "links"), "Unassigned"),
    "Audio": (utm("spotify", "audio"), utm("spotify", "audio ad"), "Unassigned"),
    "SMS": (utm("sms"), utm("smsc"), "Unassigned"),
    "Mobile Push Notifications": (utm("firebase", "x"), utm("app", "pushed"), "Unassigned"),
    "Unassigned": (utm("newsletter"), Context(url=URL), "Direct"),
}


def test_every_group_has_its_two_rows() -> None:
    assert list(RULES) == [group.name for group in GROUPS]


@pytest.mark.parametrize(("name", "rows"), RULES.items(), ids=RULES.keys())
def test_rule_takes_its_row_and_not_the_nearly_matching_one(name: str, rows: tuple[Context, Context, str]) -> None:
    matching, nearly, instead = rows
    assert classify_channel(matching).name == name
    assert classify_channel(nearly).name == instead


@pytest.mark.parametrize(
    ("referrer", "name", "source", "medium"),
    [
        ("https://www.google.co.uk/search?q=x", "Organic Search", "google", "organic"),
        ("https://www.google.com.br/", "Organic Search", "google", "organic"),
        ("http://r.duckduckgo.com/l/", "Organic Search", "duckduckgo", "organic"),
        ("android-app://com.google.android.googlequicksearchbox/", "Organic Search", "google", "organic"),
        ("https://google.evil.example/", "Referral", "google.evil.example", "referral"),
        ("https://notgoogle.com/", "Referral", "notgoogle.com", "referral"),
        ("https://docs.google.com/document/d/1", "Referral", "docs.google.com", "referral"),
        ("https://gemini.google.com/app", "AI Assistant", "gemini", "ai-assistant"),
        ("https://chatgpt.com/", "AI Assistant", "chatgpt", "ai-assistant"),
        ("https://claude.ai/chat/1", "AI Assistant", "claude", "ai-assistant"),
        ("https://www.perplexity.ai/", "AI Assistant", "perplexity", "ai-assistant"),
        ("https://copilot.microsoft.com/", "AI Assistant", "copilot", "ai-assistant"),
        ("https://L.Facebook.com:443/l.php", "Organic Social", "facebook", "referral"),
        ("https://t.co/abc", "Organic Social", "x", "referral"),
        ("https://m.youtube.com/watch?v=1", "Organic Video", "youtube", "referral"),
        ("https://www.amazon.de/dp/1", "Organic Shopping", "amazon", "referral"),
        ("https://mail.google.com/mail/u/0/", "Email", "gmail", "email"),
        ("android-app://com.google.android.gm/", "Email", "gmail", "email"),
        ("https://user:secret@blog.example/post", "Referral", "blog.example", "referral"),
    ],
)
def test_source_and_medium_come_from_the_referrer(referrer: str, name: str, source: str, medium: str) -> None:
    channel = classify_channel(came_from(referrer))
    assert (channel.name, channel.source, channel.medium, channel.has_signal) == (name, source, medium, True)


def test_paid_click_id_makes_a_search_visit_paid() -> None:
    organic, paid = came_from("https://www.google.com/"), clicked("gclid", referrer="https://www.google.com/")
    assert [classify_channel(c).name for c in (organic, paid)] == ["Organic Search", "Paid Search"]
    assert classify_channel(clicked("gad_source")).name == "Paid Search"
    assert classify_channel(clicked("msclkid")).source == "bing"


def test_paid_click_id_wins_over_an_unpaid_medium_and_keeps_a_paid_one() -> None:
    assert classify_channel(clicked("gclid", utm_source="google", utm_medium="organic")).name == "Paid Search"
    assert classify_channel(clicked("gclid", utm_source="partner", utm_medium="display")).name == "Display"


def test_fbclid_is_not_proof_of_an_advertisement() -> None:
    assert classify_channel(clicked("fbclid", referrer="https://l.facebook.com/")).name == "Organic Social"
    assert classify_channel(clicked("fbclid")).name == "Organic Social"
    assert classify_channel(clicked("fbclid", utm_source="facebook", utm_medium="cpc")).name == "Paid Social"


def test_cpm_of_a_search_engine_is_paid_search_and_of_others_display() -> None:
    assert classify_channel(utm("google", "cpm")).name == "Paid Search"
    assert classify_channel(utm("other", "cpm")).name == "Display"


def test_campaign_wins_over_the_referrer() -> None:
    channel = classify_channel(
        Context(url=URL, referrer="https://mail.google.com/", utm_source="shop", utm_medium="sms")
    )
    assert channel.name == "SMS"


@pytest.mark.parametrize(
    "referrer", ["https://shop.example/", "https://www.shop.example/", "http://SHOP.example:8080/a"]
)
def test_referrer_of_the_same_host_says_nothing(referrer: str) -> None:
    channel = classify_channel(came_from(referrer))
    assert (channel.name, channel.source, channel.medium, channel.has_signal) == ("Direct", "(direct)", "(none)", False)


def test_referrer_of_another_host_below_the_same_domain_is_a_signal() -> None:
    assert classify_channel(came_from("https://blog.shop.example/")).has_signal


@pytest.mark.parametrize("referrer", ["-", "", "about:blank", "/relative", "http://"])
def test_referrer_that_is_no_address_says_nothing(referrer: str) -> None:
    assert not classify_channel(came_from(referrer)).has_signal


def test_fact_that_knows_no_page_is_unassigned_without_a_signal() -> None:
    channel = classify_channel(Context())
    assert (channel.name, channel.has_signal, channel.media) == ("Unassigned", False, Media.OWNED)


def test_campaign_parameters_are_read_from_the_address_where_the_producer_did_not() -> None:
    address = "https://shop.example/?utm_source=News&utm_medium=email&utm_campaign=May%20sale#top"
    channel = classify_channel(Context(url=address, referrer="https://shop.example/"))
    assert channel == ("Email", Media.OWNED, "News", "email", "May sale", True)
    assert classify_channel(Context(url="https://shop.example/?GCLID=1")).name == "Paid Search"
    assert classify_channel(Context(url="https://shop.example/#?utm_medium=email")).name == "Direct"


def test_media_follows_the_channel() -> None:
    media = {group.name: group.media for group in GROUPS}
    assert media["Affiliates"] is Media.PAID
    assert media["Email"] is Media.OWNED
    assert media["Referral"] is Media.EARNED
    assert all(media[name] is Media.PAID for name in media if name.startswith("Paid"))
    assert all(media[name] is Media.EARNED for name in media if name.startswith("Organic"))
