"""Ways in which a receipt file arrives broken. Each takes the bytes of a file and a seeded Random; none knows how the reader works."""

from collections.abc import Callable
from random import Random

CHARSET = "cp932"
LINE = b"\r\n"
HUGE = 2**20
OTHER_ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "euc_jp", "iso2022_jp")
LINE_ENDS = (b"\r\n", b"\n", b"\r", b"\n\r", b"\r\r\n", b"\x0b", b"\x0c", b"\x85", b"\r\n\r\n")
CHARACTERS = (
    b"\0",
    b"\x1a",
    b'"',
    b"'",
    b"\t",
    b"\xff",
    b"\x80",
    b"\xa0",
    b"\xfd",
    b"\x81",
    b"\xef\xbc\x8c",
    b"\\",
    b";",
    b"%",
    b"$(x)",
    b"\x1b[2J",
)
RECORDS = (
    b"IR",
    b"YK",
    b"UK",
    b"HM",
    b"RE",
    b"HO",
    b"KO",
    b"SI",
    b"IY",
    b"TO",
    b"CO",
    b"SY",
    b"GO",
    b"MN",
    b"JY",
    b"RC",
    b"BU",
    b"CD",
    b"CZ",
    b"ZZ",
    b"",
)
NUMBERS = (b"", b"0", b"-1", b"00", b"1e5", b"1.5", b".", b"99999999999999999999", b"\x82\x50", b"1 000", b"NaN", b"1,", b"+7", b"0x10")
DATES = (b"", b"20241332", b"00000000", b"99999999", b"5061301", b"4310432", b"2024", b"20240229", b"20230229", b"x")

Mutation = Callable[[bytes, Random], bytes]


def lines_of(content: bytes) -> list[bytes]:
    """Lines with their ends."""
    return content.splitlines(keepends=True) or [b""]


def in_a_line(change: Callable[[list[bytes], Random], list[bytes]]) -> Mutation:
    """Change the fields of one line, its end kept."""

    def mutate(content: bytes, rng: Random) -> bytes:
        lines = lines_of(content)
        no = rng.randrange(len(lines))
        body = lines[no].rstrip(b"\r\n")
        lines[no] = b",".join(change(body.split(b","), rng)) + lines[no][len(body) :]
        return b"".join(lines)

    return mutate


def put(fields: list[bytes], rng: Random, value: bytes) -> list[bytes]:
    no = rng.randrange(len(fields))
    return [*fields[:no], value, *fields[no + 1 :]]


def flip_bytes(content: bytes, rng: Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 3, 30))):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def insert_character(content: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(content) + 1)
    return content[:at] + rng.choice(CHARACTERS) * rng.choice((1, 1, 2, 100)) + content[at:]


def cut_anywhere(content: bytes, rng: Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def cut_off_the_beginning(content: bytes, rng: Random) -> bytes:
    return content[rng.randrange(len(content) + 1) :]


def drop_lines(content: bytes, rng: Random) -> bytes:
    ratio = rng.choice((0.01, 0.1, 0.5))
    return b"".join(line for line in lines_of(content) if rng.random() > ratio)


def repeat_lines(content: bytes, rng: Random) -> bytes:
    return b"".join(line * (2 if rng.random() < 0.05 else 1) for line in lines_of(content))


def swap_lines(content: bytes, rng: Random) -> bytes:
    lines = lines_of(content)
    for _ in range(rng.choice((1, 5))):
        a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
        lines[a], lines[b] = lines[b], lines[a]
    return b"".join(lines)


def shuffle_lines(content: bytes, rng: Random) -> bytes:
    lines = lines_of(content)
    rng.shuffle(lines)
    return b"".join(lines)


def join_lines(content: bytes, rng: Random) -> bytes:
    return b"".join(line.rstrip(b"\r\n") if rng.random() < 0.03 else line for line in lines_of(content))


def break_lines(content: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(content) + 1)
    return content[:at] + rng.choice(LINE_ENDS) + content[at:]


def blank_lines(content: bytes, rng: Random) -> bytes:
    return b"".join(line + (rng.choice((LINE, b" \r\n", b"\n", b"\x1a\r\n")) if rng.random() < 0.03 else b"") for line in lines_of(content))


def mix_line_ends(content: bytes, rng: Random) -> bytes:
    ends = rng.sample(LINE_ENDS, rng.choice((1, 2, 4)))
    return b"".join(line.rstrip(b"\r\n") + rng.choice(ends) for line in lines_of(content))


def other_encoding(content: bytes, rng: Random) -> bytes:
    return content.decode(CHARSET, "replace").encode(rng.choice(OTHER_ENCODINGS), "replace")


def other_encoding_in_one_line(content: bytes, rng: Random) -> bytes:
    lines = lines_of(content)
    no = rng.randrange(len(lines))
    lines[no] = lines[no].decode(CHARSET, "replace").encode(rng.choice(("utf-8", "utf-16-le", "euc_jp")), "replace")
    return b"".join(lines)


def huge_line(content: bytes, rng: Random) -> bytes:
    lines = lines_of(content)
    no = rng.randrange(len(lines))
    filler = rng.choice((b"9", b",", b"\x88\xa0", b'"', b"\0", b"IY,21,1,"))
    lines[no] = lines[no].rstrip(b"\r\n") + filler * (HUGE // len(filler)) + LINE
    return b"".join(lines)


def other_records(content: bytes, rng: Random) -> bytes:
    record = rng.choice(RECORDS)
    return in_a_line(lambda fields, _: [record if f.isalpha() and len(f) == 2 else f for f in fields])(content, rng)


def second_provider(content: bytes, rng: Random) -> bytes:
    """Two IR (YK) in one file, or in one receipt."""
    lines = lines_of(content)
    providers = [line for line in lines if b"IR," in line[:20] or b"YK," in line[:20]] or lines[:1]
    lines.insert(rng.randrange(len(lines) + 1), rng.choice(providers))
    return b"".join(lines)


def without_record(content: bytes, rng: Random) -> bytes:
    """MN, RE, HO or another record missing everywhere, or in one place."""
    record, ratio = rng.choice(RECORDS[:-2]), rng.choice((0.2, 1.0))
    return b"".join(line for line in lines_of(content) if record + b"," not in line[:20] or rng.random() > ratio)


def damaged_prefix(content: bytes, rng: Random) -> bytes:
    """データ識別, 行番号, 枝番号."""
    return in_a_line(lambda fields, r: [*put(fields[:3], r, r.choice((*NUMBERS, b"99", b"x"))), *fields[3:]])(content, rng)


def without_prefix(content: bytes, rng: Random) -> bytes:
    """The claim form where the insurer form should be, or a prefix where none should be."""
    if content[:1].isdigit():
        return b"".join(b",".join(line.split(b",")[3:]) or line for line in lines_of(content))
    return b"".join(b"1,%d,0," % no + line for no, line in enumerate(lines_of(content), start=1))


def twice(content: bytes, rng: Random) -> bytes:
    return content + content


def empty(content: bytes, rng: Random) -> bytes:
    return rng.choice((b"", b"\x1a", LINE, b"\0" * 1000, b" ", b"\xef\xbb\xbf", b"PK\x03\x04" + bytes(range(256))))


def noise(content: bytes, rng: Random) -> bytes:
    return rng.randbytes(rng.choice((1, 100, 10_000)))


def renumbered(content: bytes, rng: Random) -> bytes:
    """行番号 begins anywhere, or repeats."""
    lines = [line.split(b",") for line in lines_of(content)]
    first = rng.choice((0, 1, 99_990))
    return b"".join(b",".join([f[0], b"%d" % (first + no % 7), *f[2:]]) if len(f) > 3 else b",".join(f) for no, f in enumerate(lines))


MUTATIONS: dict[str, Mutation] = {
    mutate.__name__: mutate
    for mutate in (
        flip_bytes, insert_character, cut_anywhere, cut_off_the_beginning, drop_lines, repeat_lines, swap_lines, shuffle_lines, join_lines,
        break_lines, blank_lines, mix_line_ends, other_encoding, other_encoding_in_one_line, huge_line, other_records, second_provider,
        without_record, damaged_prefix, without_prefix, twice, empty, noise, renumbered,
    )
} | {
    "field_dropped": in_a_line(lambda f, r: f[: (no := r.randrange(len(f)))] + f[no + 1 :]),
    "field_added": in_a_line(lambda f, r: f[: (no := r.randrange(len(f) + 1))] + [b""] * r.choice((1, 1, 50)) + f[no:]),
    "fields_dropped_at_the_end": in_a_line(lambda f, r: f[: r.randrange(1, len(f) + 1)]),
    "field_emptied": in_a_line(lambda f, r: put(f, r, b"")),
    "field_overlong": in_a_line(lambda f, r: put(f, r, r.choice((b"9", b"A", b"\x88\xa0")) * r.choice((50, 5000)))),
    "field_quoted": in_a_line(lambda f, r: put(f, r, b'"' + r.choice(f) + r.choice((b'"', b"", b'""', b',"')))),
    "field_of_a_number": in_a_line(lambda f, r: put(f, r, r.choice(NUMBERS))),
    "field_of_a_date": in_a_line(lambda f, r: put(f, r, r.choice(DATES))),
    "fields_swapped": in_a_line(lambda f, r: r.sample(f, len(f))),
}  # fmt: skip


def mutated(content: bytes, rng: Random) -> tuple[bytes, list[str]]:
    """The file after one to three mutations, and their names."""
    names = [rng.choice(list(MUTATIONS)) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
    for name in names:
        content = MUTATIONS[name](content, rng)
    return content, names
