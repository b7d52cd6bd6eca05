"""Floating-point operations that the mathematics of a training step needs: the same count for every arm of a case.

A product of m×k and k×n numbers is 2·m·k·n operations. Forward once, backward twice (gradients of inputs and of weights), but no gradient
of pixels; and of a block only what something reads. Only tokens that a text has, not what it is padded with; of causal attention only
the pairs that see each other. Norms, activations, softmax, optimizer and everything that is done twice to save memory count as nothing.
"""


def blocks(width, depth, hidden, lengths, causal, pooled=False):
    """Transformer blocks over sequences of these lengths, forward and backward.

    pooled: of the last block's output, one row of each sequence is read, one that sees the whole sequence: the block needs keys and values
    of all rows, and queries, output and feed-forward part of those alone.
    """
    tokens = sum(lengths)
    pairs = sum(n * (n + 1) // 2 if causal else n * n for n in lengths)
    keys, others = 2 * width * width, 2 * width * width + 2 * width * hidden
    whole = 6 * tokens * (keys + others) + 12 * pairs * width
    if not pooled:
        return depth * whole
    return (depth - 1) * whole + 6 * (tokens * keys + len(lengths) * others) + 12 * tokens * width


def vision(rows, size, patch, width, depth, hidden, embedding):
    """A vision transformer with a class token."""
    patches = (size // patch) ** 2
    cut = 4 * rows * patches * 3 * patch * patch * width
    return cut + blocks(width, depth, hidden, [patches + 1] * rows, False, pooled=True) + 6 * rows * width * embedding


def text(lengths, width, depth, hidden, embedding):
    """A causal text transformer that takes the output of each text's last token."""
    return blocks(width, depth, hidden, lengths, True, pooled=True) + 6 * len(lengths) * width * embedding


def contrastive(rows, embedding):
    """All pairs' similarities and the gradients of both sides; both directions of a symmetric loss share them."""
    return 6 * rows * rows * embedding


def training(lengths, width, depth, hidden):
    """A text transformer whose output is the mean of a text's rows."""
    return blocks(width, depth, hidden, lengths, False)


def encoding(lengths, width, depth, hidden):
    """The same, forward alone."""
    return training(lengths, width, depth, hidden) / 3
