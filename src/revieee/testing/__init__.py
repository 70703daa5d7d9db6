"""What others need to test against Revieee and its surroundings.

It is an extra: nothing in Revieee imports it, and it imports nothing of Revieee's rooms. Here live the practice GitHub
(`revieee.testing.github`) and the contract suite that every engine must pass.
"""
