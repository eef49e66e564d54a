import pytest

from producers.privacy import clean_url, hash_email_id, truncate_ip

SECRET = b"secret"


@pytest.mark.parametrize(
    ("url", "cleaned"),
    [
        ("https://a.example/p?q=me&utm_source=x&GCLID=1#top", "https://a.example/p?utm_source=x&GCLID=1"),
        ("https://user:pass@a.example:8080/p", "https://a.example:8080/p"),
        ("https://a.example/p?email=joe@b.example", "https://a.example/p"),
        ("https://a.example/unsubscribe/joe@b.example/now", "https://a.example/unsubscribe/email/now"),
        ("https://a.example/joe%40b.example", "https://a.example/email"),
        ("https://a.example/p?utm_content=joe%40b.example&ref=x", "https://a.example/p?ref=x"),
        ("https://a.example/p?utm_campaign=a%20b+c", "https://a.example/p?utm_campaign=a%20b+c"),
        ("/relative?x=1", "/relative"),
        ("http://[broken?x=1", "http://[broken"),
    ],
)
def test_address_keeps_only_what_is_allowed(url: str, cleaned: str) -> None:
    assert clean_url(url) == cleaned


def test_email_becomes_the_same_hash_however_it_is_written() -> None:
    spellings = ("Joe@B.example", " joe@b.example ", "mailto:joe@b.example", "joe%40b.example")
    hashes = {hash_email_id(value, SECRET) for value in spellings}
    assert len(hashes) == 1
    assert "joe" not in hashes.pop()


def test_another_secret_gives_another_hash() -> None:
    assert hash_email_id("joe@b.example", SECRET) != hash_email_id("joe@b.example", b"other")


@pytest.mark.parametrize("value", ["user-1", "@handle", "a@b", "joe@b.example and others", ""])
def test_id_that_is_no_email_stays(value: str) -> None:
    assert hash_email_id(value, SECRET) == value


@pytest.mark.parametrize(
    ("ip", "truncated"),
    [
        ("83.149.9.216", "83.149.9.0"),
        ("2001:db8:85a3:8d3:1319:8a2e:370:7348", "2001:db8:85a3::"),
        ("::ffff:83.149.9.216", "83.149.9.0"),
        ("fe80::1%eth0", "fe80::"),
        ("unknown", None),
        ("", None),
    ],
)
def test_address_of_a_machine_is_truncated(ip: str, truncated: str | None) -> None:
    assert truncate_ip(ip) == truncated
