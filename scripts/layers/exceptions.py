"""What does not follow a rule yet. The numbers are exact: the check fails where one is too small and where it is too large, so
that they can only fall."""

# file -> comparisons of op_type with a text, outside the rooms that may (NAMING_ROOMS in code.py)
OPERATOR_NAMES = {}

# (file, function) -> parameters, where there are more than six
PARAMETERS = {}
