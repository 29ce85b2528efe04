"""Putting the stack on an account, seeing what a change would do first, and taking the stack away again.

Run by ``make deploy`` and ``make teardown``; nothing that runs on AWS imports it.
"""
