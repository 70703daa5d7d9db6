"""Desired to reality: claim ▸ observe ▸ plan ▸ act ▸ record.

``loop`` claims environments that are due, ``turn`` takes one through its next acts, ``steps`` are those acts,
``tick`` compares everything with the engine's list, ``tell`` keeps pull requests informed.
"""
