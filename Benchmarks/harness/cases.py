"""All cases, in the order in which they are run and reported."""
import losses
import texts
import towers
from context import Context  # noqa: F401

ALL = towers.CASES + texts.CASES + losses.CASES
