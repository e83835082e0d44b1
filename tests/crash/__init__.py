"""The program is killed, and chargers go on as real ones do: is all they were told it had written still there?

`python -m tests.crash` kills at random for as long as one likes; `test_kills.py` at chosen instants.
"""
