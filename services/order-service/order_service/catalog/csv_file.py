"""Read a CSV file as people have it: separator, encoding, quotes, and where in the file a fault is."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
# fmt: off
ENCODINGS = (
    "utf-8", "utf-16", "utf-16-le", "utf-16-be", "windows-1250", "windows-1251", "windows-1252", "windows-1253",
    "windows-1254", "windows-1255", "windows-1256", "windows-1257", "windows-1258", "iso-8859-1", "iso-8859-2",
    "iso-8859-5", "iso-8859-7", "iso-8859-9", "iso-8859-15", "mac-roman", "koi8-r", "koi8-u", "shift_jis", "cp932",
    "euc-jp", "gb18030", "big5", "euc-kr",
)
# fmt: on
_MOST_FAULTS_SHOWN = 20
_LONGEST_VALUE = 60
_LONGEST_HEADER = 100_000
MOST_RECORDS = 200_000  # twice a large catalogue; without a limit, 16 MB of tiny rows take a gigabyte


class Fault(NamedTuple):
    """What is wrong where, and what to do about it; line and column are those of the file."""

    line: int
    column: str
    value: str
    error: str

    def __str__(self) -> str:
        value = self.value if len(self.value) <= _LONGEST_VALUE else f"{self.value[:_LONGEST_VALUE]}..."
        place = f", {self.column} {value!r}" if self.column else ""
        return f"line {self.line}{place}: {self.error}"


class BadFile(Exception):
    """The file cannot be imported; the message lists the faults, one per line."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        more = len(faults) - _MOST_FAULTS_SHOWN
        shown = [*map(str, faults[:_MOST_FAULTS_SHOWN]), *([f"... and {more} more"] if more > 0 else [])]
        super().__init__("\n".join(shown))
        self.faults = faults


class Record(NamedTuple):
    """The cells of a record and the line on which it begins."""

    line: int
    cells: list[str]


class Table(NamedTuple):
    """A CSV file; `fault` is the one at which reading ended, if any."""

    header: Record
    records: list[Record]
    separator: str
    encoding: str
    fault: Fault | None


def read(content: bytes, known: Collection[str], encoding: str | None = None) -> Table:
    """Return the records that are not blank; `known` are names of columns in small letters, to find the separator."""
    text, used = _decode(content, encoding)
    lines = list(io.StringIO(text, newline=""))
    skipped = 0
    separator = ""
    if lines and lines[0].lower().startswith("sep=") and lines[0][4:5] in SEPARATORS:
        separator, skipped = lines[0][4], 1
    separator = separator or _find_separator(lines, known)
    records: list[Record] = []
    fault = None
    try:
        records.extend(_records(lines[skipped:], separator, skipped))
    except BadFile as bad:
        fault = bad.faults[0]  # the records before it stay
    header = records[0] if records else Record(1, [])
    return Table(header, records[1:], separator, used, fault)


def _decode(content: bytes, encoding: str | None) -> tuple[str, str]:
    marked = next((name for mark, name in _MARKS.items() if content.startswith(mark)), None)
    used = marked or encoding or "utf-8"
    try:
        text = content.decode(used)
    except UnicodeDecodeError as failure:
        raise BadFile([_undecoded(content, used, failure.start)]) from failure
    if not encoding and not marked and "\0" in text[:100]:
        raise BadFile([Fault(1, "", "", "the file looks like UTF-16 without a mark: name it (--encoding utf-16-le)")])
    return text, "utf-8" if used == "utf-8-sig" else used


def _undecoded(content: bytes, encoding: str, place: int) -> Fault:
    line = content.count(b"\n", 0, place) + 1
    begin = content.rfind(b"\n", 0, place) + 1
    around = content[max(begin, place - 12) : place + 12].split(b"\n")[0].decode("windows-1252", "replace").strip()
    return Fault(
        line,
        "",
        "",
        f"byte {place} of the file is not {encoding.upper()}: save the file as UTF-8, or name its encoding "
        f"(--encoding windows-1252 would read {around!r})",
    )


def _find_separator(lines: list[str], known: Collection[str]) -> str:
    """Return the separator with which the first line names the most known columns."""
    # Its beginning tells, and no reader takes it for a cell that is too long.
    first = next((line for line in lines if line.strip()), "")[:_LONGEST_HEADER]

    def score(separator: str) -> int:
        return sum(name in known for name in names(next(csv.reader([first], delimiter=separator), [])))

    return max(SEPARATORS, key=score)


def names(header: Sequence[str]) -> list[str]:
    return [" ".join(name.split()).casefold() for name in header]


def _records(lines: list[str], separator: str, skipped: int) -> Iterator[Record]:
    reader = csv.reader(lines, delimiter=separator, strict=True)
    header: list[str] = []
    count = 0
    while True:
        first = reader.line_num
        try:
            cells = next(reader, None)
        except csv.Error as failure:
            raise BadFile(
                [_broken("".join(lines[first:]), separator, header, first + skipped + 1, failure)]
            ) from failure
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            header = header or cells
            if count > MOST_RECORDS:
                raise BadFile([Fault(first + skipped + 1, "", "", f"more than {MOST_RECORDS} rows: divide the file")])
            count += 1
            yield Record(first + skipped + 1, cells)


def _broken(rest: str, separator: str, header: list[str], line: int, failure: csv.Error) -> Fault:
    """Describe a record whose quotes are wrong; `rest` is the file from its first line."""
    column, value = _open_quote(rest, separator)
    name = header[column].strip() if column < len(header) else f"column {column + 1}"
    if "expected after" in str(failure):
        error = 'text follows the closing quote: write a quote inside a text twice ("")'
    else:
        error = "the quote that opens here is never closed: close it, or leave it out"
    return Fault(line, name, value, error)


def _open_quote(rest: str, separator: str) -> tuple[int, str]:
    """Return the column in which the first faulty quoted text begins, and its beginning."""
    column, place, line_end = 0, 0, -1
    while True:
        if line_end < place:  # looked for once for each line, as a line may have millions of cells
            line_end = (rest.find("\n", place) + 1 or len(rest) + 1) - 1
        if rest[place : place + 1] == '"':
            end = _closing(rest, place + 1)
            if end < 0 or rest[end + 1 : end + 2] != separator:
                return column, rest[place + 1 : place + 1 + _LONGEST_VALUE].partition("\n")[0].strip()
            place = end + 2
        elif (found := rest.find(separator, place, line_end)) >= 0:
            place = found + 1
        else:
            return column, ""
        column += 1


def _closing(rest: str, place: int) -> int:
    """Return where the quote closes that opened before `place`; -1 when it does not."""
    while (place := rest.find('"', place)) >= 0 and rest[place + 1 : place + 2] == '"':
        place += 2
    return place
