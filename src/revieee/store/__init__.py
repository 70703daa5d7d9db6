"""What must not be lost: rows, on SQLite, MySQL/MariaDB or PostgreSQL.

Short transactions only. Functions take a session and give values; :class:`revieee.store.database.Database` runs them
in a thread of its own, so no slow work ever happens inside a transaction.
"""
