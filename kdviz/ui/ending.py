"""How a page ends early: st.stop() would end the frame around it too, which then showed no link to copy."""


class PageEnds(Exception):
    """Raised by a page that has said all it can say; kdviz/ui/main.py goes on after it."""
