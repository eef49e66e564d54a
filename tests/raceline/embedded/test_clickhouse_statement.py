"""One statement or several, its format, and where the rows of an INSERT begin."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raceline.embedded.clickhouse.errors import QueryFailedError
from raceline.embedded.clickhouse.statement import Insert, check_values, parse


@pytest.mark.parametrize(
    ("sql", "output_format"),
    [
        ("SELECT 1", None),
        ("SELECT 1 FORMAT JSON", "JSON"),
        ("SELECT 1 format JSONEachRow ; -- done", "JSONEachRow"),
        ("SELECT 1 FORMAT CSV SETTINGS max_threads = 1", "CSV"),
        ("SELECT ' FORMAT CSV'", None),
        ("SELECT 1 /* FORMAT CSV */", None),
        ("SELECT format FROM t", None),
        ("SELECT * FROM (SELECT 1) AS format", None),
        ("WITH 1 AS x SELECT x FORMAT Native", "Native"),
        ("SHOW TABLES FORMAT TSV", "TSV"),
    ],
)
def test_output_format_is_the_one_after_the_statement(sql: str, output_format: str | None) -> None:
    assert parse(sql.encode()).output_format == output_format


@pytest.mark.parametrize(
    ("sql", "head", "settings", "data_format", "rows"),
    [
        (b"INSERT INTO t FORMAT CSV\n1,2", b"INSERT INTO t ", b"", "CSV", b"1,2"),
        (b"INSERT INTO t (a, b) FORMAT Native\n\n\x00", b"INSERT INTO t (a, b) ", b"", "Native", b"\n\x00"),
        (b"insert into t format CSV  1,2", b"insert into t ", b"", "CSV", b"1,2"),
        (b"INSERT INTO t FORMAT TSV\r\n1", b"INSERT INTO t ", b"", "TSV", b"1"),
        (
            b"INSERT INTO `a`.`b c` SETTINGS x = 1 FORMAT CSV\n1",
            b"INSERT INTO `a`.`b c` ",
            b"SETTINGS x = 1 ",
            "CSV",
            b"1",
        ),
        (
            b"INSERT INTO t (`format`, `values`) VALUES (1)",
            b"INSERT INTO t (`format`, `values`) ",
            b"",
            "Values",
            b"(1)",
        ),
        (b"/* a */ INSERT INTO t VALUES\n(1), (';')", b"/* a */ INSERT INTO t ", b"", "Values", b"(1), (';')"),
    ],
)
def test_rows_begin_after_the_format(sql: bytes, head: bytes, settings: bytes, data_format: str, rows: bytes) -> None:
    insert = parse(sql).insert
    assert insert == Insert(head, settings, data_format, len(sql) - len(rows))


def test_insert_from_a_query_has_no_rows() -> None:
    for sql in (
        b"INSERT INTO t SELECT 1 FORMAT Null",
        b"INSERT INTO t WITH 1 AS x SELECT x",
        b"INSERT INTO t SELECT 1",
    ):
        assert parse(sql).insert is None


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; SELECT 2",
        "SELECT 1;; DROP TABLE t",
        "SELECT ';'; SELECT 1",
        "SELECT 1 -- ;\n; SELECT 2",
        "DROP TABLE a; SELECT 1",
    ],
)
def test_several_statements_are_refused(sql: str) -> None:
    with pytest.raises(QueryFailedError, match="Multi-statements"):
        parse(sql.encode())


def test_semicolons_that_separate_nothing_are_taken() -> None:
    for sql in ("SELECT 1;", "SELECT ';' ; ;", "SELECT 1 /* ; SELECT 2 */", "SELECT `a;b`, $$ ; $$, $x$;$x$"):
        assert parse(sql.encode()).verb == "select"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 INTO OUTFILE '/tmp/x'",
        "INSERT INTO t FROM INFILE '/etc/passwd' FORMAT CSV",
        "SELECT file('/etc/passwd')",
        "SELECT `file`('/etc/passwd')",
        "SELECT `fi\\x6ce`('/etc/passwd')",
        "SELECT \"file\" /* */ ('/etc/passwd')",
        "SELECT * FROM python('x')",
        "INSERT INTO t SELECT * FROM input('a Int8') FORMAT CSV\n1",
        "SELECT 1 SETTINGS additional_result_filter = 'x'",
    ],
)
def test_what_reaches_out_of_the_database_is_refused(sql: str) -> None:
    with pytest.raises(QueryFailedError):
        parse(sql.encode())


def test_values_are_held_to_the_same_rules() -> None:
    check_values(b"('file (x); y', 'file')")
    for rows in (b"(file('/etc/passwd'))", b"(1); DROP TABLE t", b"(`fi\\x6ce`('x'))"):
        with pytest.raises(QueryFailedError):
            check_values(rows)


def test_nothing_is_a_syntax_error() -> None:
    for sql in (b"", b" \n", b"-- only a comment"):
        with pytest.raises(QueryFailedError) as raised:
            parse(sql)
        assert (raised.value.code, raised.value.status) == (62, 400)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_statement_or_a_refusal(sql: bytes) -> None:
    for statement in (sql, b"INSERT INTO t FORMAT Native\n" + sql):
        with contextlib.suppress(QueryFailedError):
            assert parse(statement).verb is not None
