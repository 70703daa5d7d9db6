"""Numbers that only go up, each under a name of its own."""

from sqlalchemy.orm import Session

from revieee.store.schema import MetaRow


def next_number(session: Session, name: str) -> int:
    """Count one more and give the number; the first is 1. Whoever else counts waits until this is committed."""
    row = session.get(MetaRow, name, with_for_update=True)
    if row is None:
        row = MetaRow(key=name, value="0")
        session.add(row)
    row.value = str(int(row.value) + 1)
    return int(row.value)
