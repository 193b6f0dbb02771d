"""Writes what a run has to say into files."""

import os

_PAGE = os.path.join("docs", "performance.md")
_PICTURE = os.path.join("docs", "unary_echo.svg")
# What stands between these lines of the page is replaced.
_BEGIN = "<!-- figures: written by tools/bench --docs -->"
_END = "<!-- end of figures -->"


def write(path, text):
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def with_figures(page, text, picture):
    """`page` with `text` and the file `picture` (or "") for its figures."""
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError("%s lacks the lines '%s' and '%s'" % (_PAGE, _BEGIN, _END))
    image = "![time of one call by payload size, a line per peer](%s)\n\n" % picture
    return "%s%s\n\n%s```\n%s```\n\n%s%s" % (
        before, begin, image if picture else "", text, end, after)


def update(root, text, svg):
    """The figures of docs/performance.md, and the picture it shows if there is one."""
    path = os.path.join(root, _PAGE)
    with open(path, encoding="utf-8") as page:
        new = with_figures(page.read(), text, os.path.basename(_PICTURE) if svg else "")
    write(path, new)
    if svg:
        write(os.path.join(root, _PICTURE), svg)
