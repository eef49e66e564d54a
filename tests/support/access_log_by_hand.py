"""The recorded access log, read a second time by other means than the product's: splits and lists of words."""

DOWNLOADS = "pdf doc jar gz deb gem exe pcap pyc"
NOT_PAGES = f"css js png jpg jpeg gif svg ico ttf woff swf xsl xml {DOWNLOADS}"
BOT_WORDS = (
    "bot spider crawl slurp feed rss http:// www. @ curl wget python ruby java/ perl php phantomjs nutch sourcer "
    "preview proxy google/ embedly appengine ggpht sleuth indy binlar fetch portscout genieo theoldreader siteexplorer"
)
NO_BROWSERS = ("", "Mozilla/4.0", "Mozilla/4.0 (compatible;)", "&as_qdr=all")  # sent in place of a name, by programs


def by_hand(entry: str, also: str = "") -> tuple[str, str, str, str] | None:
    """(ip, path, referrer, user agent) of a page view: split at the quotes, judged with lists of this test's own.

    `also` names endings that count as well.
    """
    head, request, status, referrer, _, agent, *_ = [*entry.split('"'), "", "", ""]
    words = request.split(" ")
    path = words[1].split("?")[0] if len(words) > 1 else ""
    ending = path.split("/")[-1].split(".")[-1].lower() if "." in path.split("/")[-1] else ""
    if (
        words[0] != "GET"
        or status.split()[0] not in ("200", "304")
        or (ending in NOT_PAGES.split() and ending not in also.split())
        or path == "/robots.txt"
    ):
        return None
    return head.split()[0], path, referrer, agent


SEARCHES = {"google", "duckduckgo", "bing", "baidu", "yandex"}
COMMUNITIES = {"stackexchange", "stackoverflow", "superuser", "serverfault", "askubuntu", "wordpress", "blogspot"}


def channel_by_hand(entry: str) -> str:
    request, referrer = entry.split('"')[1], entry.split('"')[3]
    if "utm_medium=feed" in request:
        return "Unassigned"
    labels = referrer.split("/")[2].removeprefix("www.").split(".") if "://" in referrer else ["semicomplete"]
    if "semicomplete" in labels:
        return "Direct"
    if set(labels) & SEARCHES:
        return "Organic Search"
    return "Organic Social" if labels[-2:] == ["t", "co"] or set(labels) & COMMUNITIES else "Referral"
