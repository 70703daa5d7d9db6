"""What people see of Revieee in a browser, and what nginx asks it.

Answers only; it changes nothing. The one listener is a unix socket that nginx speaks to, so whoever asks comes through
nginx, and questions of nginx's own carry a header that it never passes on from outside.
"""

from revieee.web.app import create_app
from revieee.web.pages import static_pages
from revieee.web.questions import Questions

__all__ = ["Questions", "create_app", "static_pages"]
