"""Text for and from people: blanks, and quoting in messages."""

BLANKS = " \t\r\n\v\f"


def quote(text: str, length: int = 40) -> str:
    """Return `text` for a message: quoted, cut after `length` characters, and harmless to a terminal."""
    cut = text if len(text) <= length else text[:length] + "…"
    return f"'{cut}'" if cut.isprintable() else ascii(cut)
