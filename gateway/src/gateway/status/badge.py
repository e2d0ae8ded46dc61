"""`GET /status/badge.svg`: a badge like those in READMEs. Pure: from the active backend to SVG."""

_CHARACTER_PX = 6.6
_PADDING_PX = 12
_LABEL = "pilot light"
# Dark enough for white letters (WCAG AA).
_MESSAGES = {
    "claude": ("claude", "#1f6f43"),
    "local": ("local model", "#8a5300"),
    "none": ("nobody", "#a3242a"),
}


def badge(active: str) -> str:
    """SVG for `claude`, `local` or `none`."""
    message, colour = _MESSAGES[active]
    left, right = (round(len(text) * _CHARACTER_PX) + _PADDING_PX for text in (_LABEL, message))
    width = left + right
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" '
        f'aria-label="{_LABEL}: {message}"><title>{_LABEL}: {message}</title>'
        f'<clipPath id="r"><rect width="{width}" height="20" rx="3"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#444"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>'
        f'<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f'<text x="{left / 2}" y="14">{_LABEL}</text><text x="{left + right / 2}" y="14">{message}</text></g></svg>\n'
    )
