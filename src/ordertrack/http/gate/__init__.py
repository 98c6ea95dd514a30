"""Ten thousand phones waiting: connections held as bare descriptors, everything that is no poll lent to uvicorn.

`head` tells polls from the rest, `gate` holds connections, `lent` is uvicorn's side of the deal.
"""
